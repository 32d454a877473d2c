from __future__ import annotations

from matrix.cli import choices
from matrix.run.replay import Pair

BEFORE, AFTER = choices.CHANGE
OTHER = "target auto, draft auto"


def pair(release, table):
    return Pair(engine="sglang", engine_release=release, flashinfer="0", policy={"table": table})


def test_equal_rows_are_put_together_and_the_change_of_drafts_comes_first():
    same = {"AForCausalLM": {"none": OTHER}}
    old = {
        "DForCausalLM": {"none": OTHER, "fp8": BEFORE, "mxfp8": BEFORE},
        **{f"{name}ForCausalLM": {"none": OTHER, "fp8": OTHER, "mxfp8": BEFORE} for name in "EFGHI"},
    }
    new = {
        "DForCausalLM": {"none": AFTER, "fp8": AFTER, "mxfp8": AFTER},
        **{f"{name}ForCausalLM": {"none": OTHER, "fp8": OTHER, "mxfp8": AFTER} for name in "EFGHI"},
        "OnlyNewForCausalLM": {"none": AFTER},
    }
    head, columns, *rows = choices.lines([pair("1", same | old), pair("2", same | new)])
    assert head == choices.HEAD
    assert columns.split("  ")[-1] == "sglang 2"
    told = [[cell.strip() for cell in row.split("  ") if cell.strip()] for row in rows]
    assert told == [
        ["D", "fp8, mxfp8", BEFORE, AFTER],
        ["E, F, G and 2 more", "mxfp8", BEFORE, AFTER],
        ["D", "none", OTHER, AFTER],
    ]


def test_releases_that_choose_alike_say_so():
    table = {"A": {"none": OTHER}}
    assert choices.lines([pair("1", table), pair("2", table)]) == [
        "The engine releases choose the same backends."
    ]
    assert choices.lines([pair("1", table)]) == []
