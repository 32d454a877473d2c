"""pytest plugin: the cells of a run folder as parameters of tests, and their verdicts in its journal.

    KERNEL_MATRIX_RUN=DIR pytest -p matrix.run.plugin tests/gpu [-n GPUS]

DIR is what `kernel-matrix prepare` or `plan` laid out. Without the variable, the FlashInfer of this very
interpreter is tested (or its absence), with the must-cells. Under pytest-xdist each worker takes one GPU, and a
worker that crashes is replaced; its cell gets the verdict CRASH.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from matrix.cells.cell import Cell
from matrix.checks import results
from matrix.checks.bench import Bench
from matrix.run.journal import Journal
from matrix.run.worker import POISONED
from matrix.verdicts import Result, Stage, Verdict

RUN = "KERNEL_MATRIX_RUN"
plan_key = pytest.StashKey[dict[str, Any]]()


def pytest_configure(config: pytest.Config) -> None:
    """Fix this worker's GPU before anything starts CUDA, and read the plan."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    gpus = os.environ.get("PYTEST_XDIST_WORKER_COUNT", "")
    if worker and "CUDA_VISIBLE_DEVICES" not in os.environ:
        os.environ["CUDA_VISIBLE_DEVICES"] = str(int(worker.removeprefix("gw")) % int(gpus))
    config.stash[plan_key] = _plan()


def _plan() -> dict[str, Any]:
    if RUN in os.environ:
        document: dict[str, Any] = json.loads((_folder() / "plan.json").read_text(encoding="utf-8"))
        return document
    from matrix.run.local import local_plan

    return local_plan()


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
    return Bench.set_up(plan, faulty=plan["environments"][0]["faulty"])


@pytest.fixture
def answers(cell: Cell, bench: Bench) -> list[Result]:
    """Every stage's result of the cell, written into the journal as it comes."""
    journal = Journal(path=_folder() / "journal.jsonl") if RUN in os.environ else None
    if journal:
        journal.start(cell.id)
    told = []
    for result in results(cell, bench):
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


@pytest.fixture
def known(cell: Cell, pytestconfig: pytest.Config) -> list[list[str]]:
    """Pairs of stage and verdict that the expectations excuse for this cell."""
    pairs: list[list[str]] = pytestconfig.stash[plan_key].get("known", {}).get(cell.id, [])
    return pairs


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(crashitem: str) -> None:
    """A worker died in this test: its cell gets its verdict, unless the worker wrote one before it left."""
    from matrix.run import journal as journal_module

    path = _folder() / "journal.jsonl"
    cell = crashitem.partition("[")[2].removesuffix("]")
    if cell in journal_module.read(path).finished:
        return
    journal = Journal(path=path)
    reason = "the process died while it answered this cell"
    stage = Stage.NUMERICS.value
    journal.end(Result(cell=cell, stage=stage, verdict=Verdict.CRASH, reason=reason))
    journal.finish(cell)
