from __future__ import annotations

from matrix.report import ranges

TESTED = ["0.5.3", "0.6.7.post3", "0.6.8.post1", "0.6.14"]


def test_releases_are_ordered_as_versions_and_none_comes_first():
    assert ranges.ordered(["0.6.14", "0.6.8.post1", "none", "0.6.8", "0.6.14"]) == [
        "none",
        "0.6.8",
        "0.6.8.post1",
        "0.6.14",
    ]


def test_neighbours_become_ranges():
    assert ranges.text(TESTED, TESTED) == "0.5.3 … 0.6.14"
    assert ranges.text(["0.6.14", "0.5.3"], TESTED) == "0.5.3, 0.6.14"
    assert ranges.text(["0.5.3", "0.6.8.post1", "0.6.14"], TESTED) == "0.5.3, 0.6.8.post1 … 0.6.14"
    assert ranges.text([], TESTED) == ""
