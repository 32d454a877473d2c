"""All stages of a cell, in order, each given out as it comes."""

from __future__ import annotations

from matrix import checks
from matrix.checks.answer import Answer
from matrix.verdicts import Stage, Verdict

RELU2 = "trtllm_bf16/relu2-nongated/deepseek_v3/draft/bias-fp32/nemotron-h"
TORCH = "torch/relu2-nongated/deepseek_v3/draft/bias-fp32/nemotron-h"


def told(cell, bench):
    return [(result.stage, result.verdict.value) for result in checks.results(cell, bench)]


def test_a_stage_that_has_nothing_to_say_says_nothing(bench, named):
    assert told(named(TORCH), bench) == [("select", "PASS"), ("numerics", "PASS")]


def test_each_stage_is_announced_before_it_is_asked_also_one_that_has_nothing_to_say(bench, named):
    begun = []
    answered = [(result.stage, len(begun)) for result in checks.results(named(TORCH), bench, begun.append)]
    assert begun == ["import", "bind", "select", "kernel", "layout", "numerics"]
    assert answered == [("select", 3), ("numerics", 6)]


def test_stages_come_in_the_order_of_their_cost(bench):
    order = [stage for stage in Stage if stage in checks.CHECKS]
    assert list(checks.CHECKS) == order


def test_a_check_that_breaks_is_told_and_the_others_go_on(bench, named, monkeypatch):
    def broken(cell, bench):
        raise ZeroDivisionError("by zero")

    monkeypatch.setitem(checks.CHECKS, Stage.SELECT, broken)
    results = list(checks.results(named(TORCH), bench))
    assert [(result.stage, result.verdict.value) for result in results] == [
        ("select", "CRASH"),
        ("numerics", "PASS"),
    ]
    assert results[0].reason.startswith(
        "the check itself broke: stage select raised ZeroDivisionError: by zero ("
    )
    assert results[0].remedy == "Report this."
    assert results[0].evidence["type"] == "ZeroDivisionError"


def test_only_the_stages_of_the_plan_are_asked(bench, named):
    from dataclasses import replace

    assert told(named(TORCH), replace(bench, stages=["select"])) == [("select", "PASS")]
    assert told(named(TORCH), replace(bench, stages=[])) == []


def test_each_is_given_out_before_the_next_is_asked(bench, named, monkeypatch):
    asked = []

    def noted(cell, bench):
        asked.append("numerics")
        return Answer(Verdict.PASS, "")

    monkeypatch.setitem(checks.CHECKS, Stage.NUMERICS, noted)
    results = checks.results(named(TORCH), bench)
    assert next(results).stage == "select"
    assert asked == []
    assert next(results).stage == "numerics"
    assert asked == ["numerics"]
