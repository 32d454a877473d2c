from __future__ import annotations

import json

import pytest

from matrix.verdicts import Result, Stage, Verdict

RESULT = Result(
    cell="0.6.14/lean/x",
    stage=Stage.BIND.value,
    verdict=Verdict.FAIL_API,
    reason="because",
    remedy="do",
    seconds=0.5,
    evidence={"deep": [1, None, {"x": "y"}]},
)


def test_a_result_survives_json():
    assert Result.from_json(json.loads(json.dumps(RESULT.to_json()))) == RESULT


def test_keys_of_a_newer_version_are_ignored_and_absent_ones_have_defaults():
    told = {"cell": "a", "stage": "bind", "verdict": "PASS", "reason": "", "kind": "end", "colour": "green"}
    assert Result.from_json(told) == Result(cell="a", stage="bind", verdict=Verdict.PASS, reason="")


def test_an_unknown_verdict_is_no_verdict():
    with pytest.raises(ValueError, match="GREAT"):
        Result.from_json(RESULT.to_json() | {"verdict": "GREAT"})


def test_what_was_not_run_never_counts_as_good():
    assert {verdict for verdict in Verdict if verdict.good} == {
        Verdict.PASS,
        Verdict.FALLBACK,
        Verdict.UNSUPPORTED,
    }


def test_stages_go_from_cheap_to_dear():
    assert [stage.value for stage in Stage] == [
        *("surface", "import", "bind", "replay", "select", "kernel", "layout", "numerics", "speed"),
    ]
