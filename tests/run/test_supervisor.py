"""The supervisor against processes that really die, hang and shout: see tests/planted for how they are made to."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import replace

import pytest

from matrix.environments.fingerprint import Gpu
from matrix.errors import InputError
from matrix.run import journal

TORCH = "backend=torch and (activation=silu or activation=relu2)"


def test_every_cell_of_a_healthy_release_passes(start, passed):
    run = start()
    record = run.go()
    assert len(run.cells) >= 4
    assert run.verdicts() == dict.fromkeys(run.cells, passed)
    assert record.starts == run.cells
    assert record.finished == set(run.cells)
    assert [environment["reused"] for environment in record.environments] == [True]
    assert len(record.workers) == 1


def test_exactly_the_culprits_get_their_verdict(start, passed):
    run = start()
    segfault, leave, killed, left = run.cells[:4]
    faults = {segfault: "segfault", leave: "leave 3", killed: "kill SIGKILL", left: "leave 0"}
    record = run.go(faults)
    reasons = {
        segfault: "the process died of SIGSEGV",
        leave: "the process ended with status 3",
        killed: "the process died of SIGKILL",
        left: "the process ended with status 0",
    }
    crashed = {end.cell: end.reason for end in record.ends if end.verdict.value == "CRASH"}
    assert crashed == reasons
    for cell, told in run.verdicts().items():
        assert told == ([("import", "PASS"), ("bind", "CRASH")] if cell in reasons else passed), cell
    assert record.finished == set(run.cells)
    assert Counter(record.starts) == Counter(run.cells), "a cell was asked twice"


def test_a_hang_is_killed_from_outside(start, passed):
    run = start()
    culprit = run.cells[1]
    started = time.monotonic()
    record = run.go({culprit: "hang"}, timeout=4)
    assert time.monotonic() - started < 15
    told = run.verdicts()
    assert told.pop(culprit) == [("import", "PASS"), ("bind", "TIMEOUT")]
    assert told == dict.fromkeys(set(run.cells) - {culprit}, passed)
    (timeout,) = [end for end in record.ends if end.verdict.value == "TIMEOUT"]
    assert timeout.reason == "no answer within 4 s; killed"
    assert timeout.remedy == "See logs/9.9.9-inherit.log."


@pytest.mark.parametrize(("fault", "verdict"), [("kill SIGKILL", "CRASH"), ("hang", "TIMEOUT")])
def test_a_death_in_a_stage_after_some_that_have_nothing_to_say_is_told_of_that_stage(start, fault, verdict):
    """The torch backend needs no import, binds to nothing, and has no kernel by name."""
    run = start(TORCH, "import", "bind", "select", "kernel", "layout")
    culprit = run.cells[1]
    record = run.go({"import": "strike_at layout", culprit: fault}, timeout=4)
    told = run.verdicts()
    assert told.pop(culprit) == [("select", "PASS"), ("layout", verdict)]
    assert told == {cell: [("select", "PASS")] for cell in run.cells if cell != culprit}
    assert record.finished == set(run.cells)


def test_megabytes_of_output_block_nothing_and_stay_out_of_the_journal(start, passed):
    run = start()
    talker, culprit = run.cells[0], run.cells[1]
    record = run.go({talker: "babble 8", culprit: "leave 3"})
    assert run.verdicts()[talker] == passed
    assert (run.folder / "logs" / "9.9.9-inherit.log").stat().st_size > 8 << 20
    (crash,) = [end for end in record.ends if end.verdict.value == "CRASH"]
    assert crash.evidence["log"][-1] == "the last line"
    assert (run.folder / "journal.jsonl").stat().st_size < 1 << 20


@pytest.mark.parametrize(
    ("fault", "verdict", "reason"),
    [
        ("segfault", "CRASH", "the process died of SIGSEGV"),
        ("leave 0", "CRASH", "the process ended with status 0"),
        ("leave 86", "CRASH", "the process ended with status 86"),
        ("hang", "TIMEOUT", "no answer within 1 s; killed"),
    ],
)
def test_a_process_that_dies_before_the_first_cell_gives_every_cell_its_verdict(
    start, fault, verdict, reason
):
    run = start()
    record = run.go({"import": fault}, timeout=1 if fault == "hang" else 30)
    assert run.verdicts() == {key: [("import", verdict)] for key in run.cells}
    assert {end.reason for end in record.ends} == {reason}
    assert record.finished == set(run.cells)
    assert record.starts == []


def test_nobody_is_blamed_for_a_death_between_two_cells(start, passed, tmp_path):
    """The worker of a real run may die of a thread that FlashInfer left running."""
    run = start()
    fault = {run.cells[1]: f"leave_between {tmp_path / 'once'}"}
    record = run.go(fault)
    assert run.verdicts() == dict.fromkeys(run.cells, passed)
    assert record.finished == set(run.cells)
    assert len(record.workers) == 1  # the second one came to its end


def test_resume_asks_no_finished_cell_again(start, passed):
    run = start()
    culprit = run.cells[2]
    run.go({culprit: "leave 3"})
    before = run.record()
    run.go()
    after = run.record()
    assert after.starts == before.starts
    assert after.ends == before.ends
    assert run.verdicts()[culprit][-1] == ("bind", "CRASH")
    assert run.verdicts()[run.cells[0]] == passed


def test_resume_takes_up_what_was_begun_and_not_finished(start, passed):
    run = start()
    path = run.folder / "journal.jsonl"
    run.go()
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    cut = next(n for n, line in enumerate(lines) if json.loads(line).get("cell") == run.cells[2])
    torn = "".join(lines[: cut + 2]) + lines[cut + 2][:25]
    path.write_text(torn, encoding="utf-8")
    with journal.held(path):
        record = run.go()
    assert record.torn == 1
    assert record.finished == set(run.cells)
    assert record.starts[3:] == run.cells[2:], "the cell that was cut short, and those after it"
    assert all(told[-3:] == passed for told in run.verdicts().values())
    assert len(record.environments) == 2, "the line after the torn one was lost"


def test_a_worker_sees_the_one_gpu_of_its_slot(start, passed, tmp_path):
    """Told by its variables alone: whether a GPU is there is another question."""
    run = start()
    gpus = [
        Gpu(name="n", compute_capability="9.0", driver="1", device=device) for device in ("GPU-b", "GPU-a")
    ]
    culprit = run.cells[0]
    record = run.go({"import": f"record {tmp_path / 'seen'}", culprit: "leave 3"}, gpus=gpus)
    assert (tmp_path / "seen").read_text(encoding="utf-8").split() == ["GPU-b", "GPU-b"]
    assert record.finished == set(run.cells)
    assert record.environments[0]["fingerprint"]["gpus"] == 2


def test_a_folder_is_run_by_one_process_at_a_time(start):
    run = start()
    path = run.folder / "journal.jsonl"
    with (
        journal.held(path),
        pytest.raises(InputError, match="is being run by another process"),
        journal.held(path),
    ):
        pass
    with journal.held(path):
        pass


def test_an_environment_that_cannot_be_built_is_a_verdict_and_the_others_go_on(start, passed, monkeypatch):
    run = start()
    good = run.plan.environments[0]
    recipe = replace(good.recipe, name="broken", base=("no-such-distribution-here",))
    bad = replace(good, recipe=recipe)
    cells = [replace(cell, environment="broken") for cell in run.plan.cells]
    run.plan = replace(run.plan, environments=(bad, good), cells=(*cells, *run.plan.cells))
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    record = run.go()
    told = run.verdicts()
    assert [told[cell.id] for cell in cells] == [[("import", "INSTALL_ERROR")]] * len(cells)
    assert [told[cell.id] for cell in run.plan.cells[len(cells) :]] == [passed] * len(cells)
    broken, healthy = sorted(record.environments, key=lambda line: line["id"])
    assert (broken["id"], broken["verdict"]) == ("9.9.9/broken", "INSTALL_ERROR")
    assert "no-such-distribution-here" in broken["reason"]
    assert healthy["reused"]
