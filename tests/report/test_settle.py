from __future__ import annotations

import pytest

from matrix.report import settle
from matrix.verdicts import Result, Verdict


def results(*pairs: str) -> list[Result]:
    return [
        Result(cell="c", stage=stage, verdict=Verdict(verdict), reason=f"{number}")
        for number, (stage, verdict) in enumerate(pair.split("=") for pair in pairs)
    ]


@pytest.mark.parametrize(
    ("pairs", "stage", "verdict"),
    [
        (["import=PASS", "bind=PASS"], "bind", "PASS"),
        (["import=PASS", "bind=FAIL_API", "replay=FAIL_API"], "bind", "FAIL_API"),
        (["import=IMPORT_ERROR", "select=FALLBACK"], "import", "IMPORT_ERROR"),
        (["bind=FAIL_API", "numerics=UNSUPPORTED"], "bind", "FAIL_API"),
        (["bind=PASS", "numerics=NOT_RUN"], "numerics", "NOT_RUN"),
        (["replay=NOT_RUN", "select=PASS"], "replay", "NOT_RUN"),
        (["select=FALLBACK", "numerics=NOT_RUN"], "select", "FALLBACK"),
        (["replay=NOT_RUN", "select=FALLBACK"], "select", "FALLBACK"),
        (["replay=NOT_RUN", "select=FAIL_API"], "select", "FAIL_API"),
        (["select=FALLBACK", "numerics=FAIL_NUMERIC"], "numerics", "FAIL_NUMERIC"),
        (["bind=PASS", "later=FALLBACK"], "later", "FALLBACK"),
    ],
)
def test_the_verdict_of_a_cell(pairs, stage, verdict):
    decisive = settle.decisive(settle.by_cell(results(*pairs))["c"])
    assert (decisive.stage, decisive.verdict.value) == (stage, verdict)


def test_no_result_no_verdict():
    assert settle.decisive([]) is None


def test_stages_come_in_order_whatever_the_journals_order():
    found = settle.by_cell(results("numerics=PASS", "import=PASS", "strange=PASS", "bind=PASS"))["c"]
    assert [result.stage for result in found] == ["import", "bind", "numerics", "strange"]


@pytest.mark.parametrize(
    ("pairs", "verdict", "tries"),
    [
        (["numerics=CRASH", "numerics=PASS"], "PASS", "tries of numerics gave CRASH, then PASS"),
        (["numerics=PASS", "numerics=TIMEOUT"], "TIMEOUT", "tries of numerics gave PASS, then TIMEOUT"),
        (["numerics=PASS", "numerics=NOT_RUN"], "PASS", None),
        (["numerics=NOT_RUN", "numerics=PASS"], "PASS", None),
        (["numerics=PASS", "numerics=PASS"], "PASS", None),
    ],
)
def test_a_later_try_counts_and_a_disagreement_is_told(pairs, verdict, tries):
    ends = results(*pairs)
    assert settle.by_cell(ends)["c"][0].verdict.value == verdict
    assert settle.retries(ends).get("c") == tries
