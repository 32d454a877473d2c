from __future__ import annotations

import json

import pytest

from matrix.errors import Exit, InputError
from matrix.report import write
from matrix.report.merge import merge


@pytest.fixture
def make(records, tmp_path):
    return lambda name, **options: records.RunFolder(tmp_path / name, **options)


def merged(out, *folders):
    merge([folder.write() for folder in folders], out)
    return write(out)


def test_shards_of_one_plan_make_the_whole(make, tmp_path):
    whole, left, right = make("whole"), make("left"), make("right")
    names = [cell["id"] for cell in left.plan["cells"]]
    first = set(names[: len(names) // 2])
    left.ends = [end for end in left.ends if end["cell"] in first]
    right.ends = [end for end in right.ends if end["cell"] not in first]
    report = merged(tmp_path / "all", left, right)
    assert report.exit_code is Exit.AS_EXPECTED
    assert report.verdicts == write(whole.write()).verdicts
    assert len(report.environments) == 9


def test_environments_planned_apart_are_joined(make, tmp_path):
    old, new = make("old", releases=("0.5.3",)), make("new", releases=("0.6.14",))
    report = merged(tmp_path / "all", old, new)
    assert report.tested == ("0.5.3", "0.6.14")
    assert report.plan["command"] == ["kernel-matrix", "merge", "old", "new"]
    assert [each["release"] for each in report.plan["releases"]] == ["0.5.3", "0.6.14"]


def test_a_shard_that_never_reported_is_missing(make, tmp_path):
    plan, left = make("plan"), make("left", releases=("0.5.3",))
    folder = plan.write()
    (folder / "journal.jsonl").unlink()
    merge([folder, left.write()], tmp_path / "all")
    report = write(tmp_path / "all")
    assert report.exit_code is Exit.INCOMPLETE
    assert report.outcomes["MISSING"] == 144


def test_machines_that_differ_are_kept_apart_and_named_by_what_differs(make, records, tmp_path):
    cpu, gpu = make("cpu", releases=("0.6.14",)), make("gpu", releases=("0.6.14",), gpu="10.0")
    for cell in gpu.plan["cells"]:
        if cell["environment"] == "lean":
            gpu.answer(cell, records.end(cell, "bind"), records.end(cell, "numerics"))
    plan = make("plan", releases=("0.6.14",))
    plan.write()
    (plan.path / "journal.jsonl").unlink()
    merge([plan.path, cpu.write(), gpu.write()], tmp_path / "all")
    report = write(tmp_path / "all")
    stands = {span.environment: span.standing.value for span in report.spans if not span.faulty}
    assert stands == {"lean@no-gpu": "binds", "lean@sm100": "safe"}
    assert report.exit_code is Exit.AS_EXPECTED
    assert {environment.name for environment in report.environments if not environment.faulty} == set(stands)


def test_the_later_folder_counts_but_what_was_not_run_replaces_nothing(make, records, tmp_path):
    first, second = make("first", releases=("0.6.14",)), make("second", releases=("0.6.14",))
    measured, flips = first.cell("0.6.14", role="draft"), first.cell("0.6.14", role="target")
    first.answer(measured, records.end(measured, "numerics"))
    first.answer(flips, records.end(flips, "numerics", "FAIL_NUMERIC", "once"))
    second.answer(flips, records.end(flips, "numerics"))
    report = merged(tmp_path / "all", first, second)
    cells = {cell.id: cell for cell in report.cells}
    assert cells[measured["id"]].verdict.value == "PASS"
    assert cells[flips["id"]].verdict.value == "PASS"
    assert cells[flips["id"]].note == "tries of numerics gave FAIL_NUMERIC, then PASS"


def test_lines_of_kinds_unknown_here_are_carried_over(make, tmp_path):
    one = make("one", releases=("0.6.14",))
    one.workers.append({"kind": "news", "text": "kept"})
    merge([one.write()], tmp_path / "all")
    lines = (tmp_path / "all" / "journal.jsonl").read_text().splitlines()
    kinds = [json.loads(line)["kind"] for line in lines]
    assert kinds.count("header") == 1
    assert "news" in kinds


def test_a_folder_that_is_in_use_is_refused(make, tmp_path):
    one = make("one")
    with pytest.raises(InputError, match="already holds a journal"):
        merge([one.write()], one.path)
