from __future__ import annotations

import pytest

from matrix.errors import InputError
from matrix.report import write


def test_what_changed_is_told_apart_from_what_did_not(run_folder, records, tmp_path):
    earlier = run_folder.write()
    write(earlier)
    run_folder.path = tmp_path / "later"
    worse, better, run = (run_folder.cell("0.6.14"), run_folder.cell("0.5.3"), run_folder.cell("0.7.2.post1"))
    run_folder.answer(worse, records.end(worse, "bind", "FAIL_API", "renamed"))
    run_folder.answer(better, records.end(better, "bind", "FALLBACK", "says so now"))
    run_folder.answer(run, records.end(run, "numerics", "PASS"))
    gone = run_folder.plan["cells"].pop()
    run_folder.ends = [end for end in run_folder.ends if end["cell"] != gone["id"]]
    report = write(run_folder.write(), against=earlier)
    comparison = report.comparison
    assert (comparison.added, comparison.removed, comparison.same) == (0, 1, 212)
    assert [(each.direction, each.before, each.after) for each in comparison.changes] == [
        ("worse", "NOT_RUN numerics", "FAIL_API bind"),
        ("other", "NOT_RUN numerics", "PASS numerics"),
        ("better", "FAIL_API bind", "FALLBACK bind"),
    ]
    assert "Against the earlier report" in (run_folder.path / "report.md").read_text(encoding="utf-8")


def test_the_same_run_has_no_changes(run_folder):
    folder = run_folder.write()
    write(folder)
    assert write(folder, against=folder / "report.json").comparison.changes == ()


def test_an_earlier_folder_without_a_report(run_folder, tmp_path):
    with pytest.raises(InputError, match=r"cannot read .*report\.json"):
        write(run_folder.write(), against=tmp_path)
