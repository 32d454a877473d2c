"""pytest plugin: the cells of a run folder as parameters of tests, and their verdicts in its journal.

    KERNEL_MATRIX_RUN=DIR pytest -p matrix.run.plugin tests/gpu [-n GPUS]

DIR is what `kernel-matrix prepare` or `plan` laid out. Without the variable, the FlashInfer of this very
interpreter is tested (or its absence), with the must-cells. Under pytest-xdist each worker takes one GPU, and a
worker that crashes is replaced; its cell gets the verdict CRASH.
"""

from __future__ import annotations

import json
import os
import warnings
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest

from matrix.cells.cell import Cell
from matrix.checks import results
from matrix.checks.bench import Bench
from matrix.environments.fingerprint import gpus
from matrix.run.journal import Journal, read
from matrix.run.worker import POISONED
from matrix.verdicts import Result, Verdict

RUN = "KERNEL_MATRIX_RUN"
plan_key = pytest.StashKey[dict[str, Any]]()


def pytest_configure(config: pytest.Config) -> None:
    """Fix this worker's GPU before anything starts CUDA, and read the plan.

    Raises:
        UsageError: the run folder holds no plan, one of several environments, or one of another release.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker and (found := gpus()):
        os.environ["CUDA_VISIBLE_DEVICES"] = found[int(worker.removeprefix("gw")) % len(found)].device
    config.stash[plan_key] = plan = _plan()
    environments = plan["environments"]
    if len(environments) != 1:
        names = ", ".join(environment["id"] for environment in environments)
        raise pytest.UsageError(f"one environment can be tested in a process, not {names}")
    if environments[0]["release"] != _installed():
        raise pytest.UsageError(
            f"the plan is for FlashInfer {environments[0]['release']}, and {_installed()} is installed here"
        )


def _plan() -> dict[str, Any]:
    if RUN in os.environ:
        try:
            document: dict[str, Any] = json.loads((_folder() / "plan.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise pytest.UsageError(f"{RUN}: {error}") from error
        return document
    from matrix.run.local import local_plan

    return local_plan()


def _installed() -> str | None:
    try:
        return version("flashinfer-python")
    except PackageNotFoundError:
        return None


def _folder() -> Path:
    return Path(os.environ[RUN])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test a cell, named by its id."""
    if "cell" in metafunc.fixturenames:
        cells = [Cell.from_json(data) for data in metafunc.config.stash[plan_key]["cells"]]
        metafunc.parametrize("cell", cells, ids=[cell.id for cell in cells])


@pytest.fixture(scope="session")
def bench(pytestconfig: pytest.Config) -> Bench:
    """The workplace of this process: FlashInfer imported once."""
    plan = pytestconfig.stash[plan_key]
    with warnings.catch_warnings():
        warnings.simplefilter("default")  # FlashInfer may warn as it is imported: no reason to fail
        return Bench.set_up(plan, plan["environments"][0])


@pytest.fixture
def answers(cell: Cell, bench: Bench) -> list[Result]:
    """Every stage's result of the cell, written into the journal as it comes."""
    journal = Journal(path=_folder() / "journal.jsonl") if RUN in os.environ else None
    if journal:
        journal.start(cell.id)
    told = []
    warnings.simplefilter("default")  # pytest takes it back after the test
    for result in results(cell, bench, partial(journal.begin, cell.id) if journal else None):
        told.append(result)
        if journal:
            journal.end(result)
        if result.verdict is Verdict.GPU_POISONED and "PYTEST_XDIST_WORKER" in os.environ:
            if journal:
                journal.finish(cell.id)
            os._exit(POISONED)
    if journal:
        journal.finish(cell.id)
    return told


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(crashitem: str) -> None:
    """Give the cell that a lost worker of pytest-xdist was in the verdict that it could not write."""
    cell = crashitem.partition("[")[2].removesuffix("]")
    if RUN not in os.environ or not cell:
        return
    path = _folder() / "journal.jsonl"
    found = read(path)
    if cell in found.finished:
        return
    plan = _plan()
    first = plan["environments"][0].get("stages", plan["stages"])[0]
    result = Result(
        cell=cell,
        stage=found.stages.get(cell, first),
        verdict=Verdict.CRASH,
        reason="the process died",
        remedy="Run this one test without -n to see its output.",
    )
    journal = Journal(path=path)
    journal.end(result)
    journal.finish(cell)


@pytest.fixture
def known(cell: Cell, pytestconfig: pytest.Config) -> list[list[str]]:
    """Pairs of stage and verdict that the expectations excuse for this cell."""
    pairs: list[list[str]] = pytestconfig.stash[plan_key].get("known", {}).get(cell.id, [])
    return pairs
