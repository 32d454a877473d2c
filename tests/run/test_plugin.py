"""The pytest plugin in processes of their own, as `nox -s gpu_matrix` runs it."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from matrix.run import journal

ROOT = Path(__file__).parents[2]


def pytest_in(python, *arguments, variables):
    kept = {name: value for name, value in variables.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        [
            python,
            "-m",
            "pytest",
            "-p",
            "matrix.run.plugin",
            "-p",
            "no:cacheprovider",
            "-q",
            "tests/gpu",
            *arguments,
        ],
        cwd=ROOT,
        env=kept | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def run(start):
    """A run folder, and pytest in the environment that it is for."""
    made = start()

    def go(*arguments, faults=None, **more):
        variables = made.planted.variables(faults) | {"KERNEL_MATRIX_RUN": str(made.folder)} | more
        return pytest_in(made.planted.prefix / "bin" / "python", *arguments, variables=variables)

    made.pytest = go
    return made


def test_every_cell_is_a_test_and_writes_the_journal(run, passed):
    done = run.pytest()
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(run.cells)} passed" in done.stdout
    assert run.verdicts() == dict.fromkeys(run.cells, passed)
    assert run.record().finished == set(run.cells)


def test_the_culprit_of_a_lost_worker_gets_its_verdict_once(run, passed):
    culprit = run.cells[3]
    done = run.pytest("-n", "2", faults={culprit: "segfault"})
    assert done.returncode == 1, done.stdout + done.stderr
    assert "crashed while running" in done.stdout
    told = run.verdicts()
    assert told.pop(culprit) == [("import", "PASS"), ("bind", "CRASH")]
    assert told == dict.fromkeys(set(run.cells) - {culprit}, passed)
    record = run.record()
    assert record.finished == set(run.cells)
    assert Counter(record.starts) == Counter(run.cells)


def test_a_lost_worker_is_told_of_the_stage_it_was_in(run):
    """Also where that comes after stages without a result, as those of the torch backend are."""
    from matrix.run.journal import Journal
    from matrix.run.plugin import pytest_handlecrashitem

    lost, at_once = run.cells[:2]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERNEL_MATRIX_RUN", str(run.folder))
        written = Journal(path=run.folder / "journal.jsonl")
        for stage in ("import", "bind", "select", "kernel", "layout"):
            written.begin(lost, stage)
        for cell in (lost, at_once):
            pytest_handlecrashitem(crashitem=f"tests/gpu/test_cells.py::test_cell[{cell}]")
    assert run.verdicts() == {lost: [("layout", "CRASH")], at_once: [("import", "CRASH")]}


def test_workers_share_the_gpus_that_are_visible(run, tmp_path):
    """The driver is a program that answers as `nvidia-smi` does with three GPUs, two of them left visible."""
    program = tmp_path / "nvidia-smi"
    rows = "".join(
        f"echo 'NVIDIA B200, 10.0, 580.1, {number}, GPU-{number}{number}'\n" for number in range(3)
    )
    program.write_text(f"#!/bin/sh\n{rows}", encoding="utf-8")
    program.chmod(0o755)
    seen = tmp_path / "seen"
    visible = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "CUDA_VISIBLE_DEVICES": "2,1"}
    done = run.pytest("-n", "2", faults={"import": f"record {seen}"}, **visible)
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(seen.read_text(encoding="utf-8").split()) == ["1", "2"]


def test_a_cell_that_its_worker_finished_is_not_blamed(run):
    """A sticky CUDA error ends the worker after its verdict: see test_gpu_faults.py."""
    from matrix.run.journal import Journal
    from matrix.run.plugin import pytest_handlecrashitem

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERNEL_MATRIX_RUN", str(run.folder))
        Journal(path=run.folder / "journal.jsonl").finish(run.cells[0])
        for cell in run.cells[:2] * 2:
            pytest_handlecrashitem(crashitem=f"tests/gpu/test_cells.py::test_cell[{cell}]")
        pytest_handlecrashitem(crashitem="tests/gpu/test_other.py::test_other")
    assert list(run.verdicts()) == [run.cells[1]]


def test_a_warning_of_an_import_is_no_failure(run, passed):
    """The project's own tests turn warnings into errors; FlashInfer's warnings are not theirs to judge."""
    done = run.pytest("-W", "error", faults={"import": "warn", run.cells[0]: "warn"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert run.verdicts() == dict.fromkeys(run.cells, passed)


def test_a_verdict_that_is_known_is_an_expected_failure(run):
    path = run.folder / "plan.json"
    plan = json.loads(path.read_text(encoding="utf-8"))
    plan["engine"]["relies_on"]["do_finalize"] = "False"
    path.write_text(json.dumps(plan), encoding="utf-8")
    done = run.pytest()
    assert done.returncode == 1
    assert "FAIL_API at bind: the default of do_finalize is True, not False" in done.stdout
    plan["known"] = {cell: [["bind", "FAIL_API"]] for cell in run.cells}
    path.write_text(json.dumps(plan), encoding="utf-8")
    done = run.pytest()
    assert done.returncode == 0, done.stdout
    assert f"{len(run.cells)} xfailed" in done.stdout


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda plan: plan["environments"].append(plan["environments"][0]),
            "one environment can be tested in a",
        ),
        (
            lambda plan: plan["environments"][0].update(release="0.6.14"),
            "the plan is for FlashInfer 0.6.14, and 9.9.9",
        ),
    ],
)
def test_a_plan_for_another_place_is_refused(run, change, message):
    path = run.folder / "plan.json"
    plan = json.loads(path.read_text(encoding="utf-8"))
    change(plan)
    path.write_text(json.dumps(plan), encoding="utf-8")
    done = run.pytest()
    assert done.returncode == 4
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert run.record().starts == []


def test_a_folder_that_holds_no_run_is_refused(run, tmp_path):
    variables = run.planted.variables() | {"KERNEL_MATRIX_RUN": str(tmp_path / "nowhere")}
    done = pytest_in(run.planted.prefix / "bin" / "python", variables=variables)
    assert done.returncode == 4
    assert "nowhere" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_run_folder_the_flashinfer_of_this_interpreter_is_tested(run):
    """Here a planted one, which is `9.9.9/inherit` by itself; tests/gpu tests the absence in this very process."""
    variables = {k: v for k, v in run.planted.variables().items() if k != "KERNEL_MATRIX_RUN"}
    done = pytest_in(run.planted.prefix / "bin" / "python", "--collect-only", variables=variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_cell[9.9.9/inherit/trtllm_bf16/" in done.stdout
    assert len(journal.read(run.folder / "journal.jsonl").starts) == 0
