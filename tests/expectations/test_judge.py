from __future__ import annotations

from datetime import date

import pytest

from matrix.cells.cell import Cell, Point
from matrix.expectations import Outcome, Subject, judge, load
from matrix.verdicts import Verdict

POINT = Point(
    backend="trtllm_bf16",
    activation="relu2",
    gating="nongated",
    routing="deepseek_v3",
    role="draft",
    bias="bf16",
    profile="nemotron-h",
)
TODAY = date(2026, 11, 24)
BIND = 'stage = "bind"\n'
SELECT = 'stage = "select"\n'


@pytest.fixture
def outcome(tmp_path):
    """A function: entries as TOML bodies, then stage=verdict pairs, to a judgement."""

    def judged(entries: list[str], *results: str, gpu: str = "", release: str = "0.6.7.post3"):
        text = "schema = 1\n" + "".join(f'[[expect]]\nreason = "known"\n{entry}\n' for entry in entries)
        path = tmp_path / "expectations.toml"
        path.write_text(text, encoding="utf-8")
        pairs = [(stage, Verdict(verdict)) for stage, verdict in (result.split("=") for result in results)]
        bad = [verdict for _, verdict in pairs if not verdict.good and verdict is not Verdict.NOT_RUN]
        other = [verdict for _, verdict in pairs if verdict is not Verdict.PASS]
        decisive = next(iter(bad or other or [verdict for _, verdict in pairs]), None)
        cell = Cell(release=release, environment="lean", point=POINT)
        return judge(load(path), TODAY)(Subject(cell=cell, capability=gpu, verdict=decisive, results=pairs))

    return judged


FAIL = 'verdict = "FAIL_API"\n'


@pytest.mark.parametrize(
    ("entries", "results", "expected"),
    [
        ([], ["import=PASS", "bind=PASS"], Outcome.EXPECTED),
        ([], ["import=PASS", "select=FALLBACK"], Outcome.EXPECTED),
        ([], ["numerics=UNSUPPORTED"], Outcome.EXPECTED),
        ([], ["bind=FAIL_API"], Outcome.UNEXPECTED),
        ([], [], Outcome.MISSING),
        ([], ["import=PASS", "numerics=NOT_RUN"], Outcome.NOT_RUN),
        ([FAIL], ["bind=FAIL_API"], Outcome.XFAIL),
        ([FAIL + BIND], ["bind=FAIL_API"], Outcome.XFAIL),
        ([FAIL + 'stage = "replay"'], ["bind=FAIL_API"], Outcome.UNEXPECTED),
        ([FAIL + 'releases = "<0.6"'], ["bind=FAIL_API"], Outcome.UNEXPECTED),
        ([FAIL + 'environment = "full"'], ["bind=FAIL_API"], Outcome.UNEXPECTED),
        ([FAIL + 'cells = "activation=silu"'], ["bind=FAIL_API"], Outcome.UNEXPECTED),
        ([FAIL + 'cells = "*/nemotron-h"'], ["bind=FAIL_API"], Outcome.XFAIL),
        ([FAIL + 'gpu = ">=10"'], ["bind=FAIL_API"], Outcome.UNEXPECTED),
        (['verdict = "IMPORT_ERROR"'], ["import=CRASH"], Outcome.UNEXPECTED),
        (['verdict = ["IMPORT_ERROR", "CRASH"]'], ["import=CRASH"], Outcome.XFAIL),
    ],
)
def test_outcomes(outcome, entries, results, expected):
    assert outcome(entries, *results).outcome is expected


def test_a_cell_that_got_better_is_xpass_and_names_the_entry(outcome):
    judgement = outcome([FAIL + BIND], "import=PASS", "bind=PASS")
    assert judgement.outcome is Outcome.XPASS
    assert judgement.note == "line 2 expects FAIL_API, PASS came"


def test_a_stage_decides_its_entry_even_where_a_later_stage_was_not_run(outcome):
    assert outcome([FAIL + BIND], "bind=PASS", "numerics=NOT_RUN").outcome is Outcome.XPASS
    assert outcome([FAIL], "bind=PASS", "numerics=NOT_RUN").outcome is Outcome.NOT_RUN


def test_what_was_not_run_is_never_expected_away(outcome):
    assert outcome(['verdict = "PASS"\n' + BIND], "bind=PASS", "numerics=NOT_RUN").outcome is Outcome.NOT_RUN


def test_another_fault_behind_an_excused_one_stays_unexpected(outcome):
    assert outcome([FAIL + BIND], "bind=FAIL_API", "select=FAIL_API").outcome is Outcome.UNEXPECTED
    assert outcome([FAIL + BIND, FAIL + SELECT], "bind=FAIL_API", "select=FAIL_API").outcome is Outcome.XFAIL
    hidden = outcome([FAIL + BIND], "bind=FAIL_API", "numerics=FAIL_NUMERIC")
    assert hidden.outcome is Outcome.UNEXPECTED
    assert hidden.note == "no expectation for FAIL_NUMERIC at numerics"
    both = outcome([FAIL + BIND, 'verdict = "FAIL_NUMERIC"'], "bind=FAIL_API", "numerics=FAIL_NUMERIC")
    assert (both.outcome, len(both.entries)) == (Outcome.XFAIL, 2)


def test_a_refusal_that_should_come_and_does_not(outcome):
    refusal = 'verdict = "UNSUPPORTED"\nstage = "numerics"\ngpu = "<10"'
    assert outcome([refusal], "numerics=UNSUPPORTED", gpu="9.0").outcome is Outcome.EXPECTED
    assert outcome([refusal], "numerics=FALLBACK", gpu="9.0").outcome is Outcome.UNEXPECTED
    assert outcome([refusal], "numerics=PASS", gpu="9.0").outcome is Outcome.XPASS
    assert outcome([refusal], "numerics=PASS", gpu="10.0").outcome is Outcome.EXPECTED


def test_an_entry_that_lists_pass_beside_a_failure_is_flaky_either_way(outcome):
    flaky = 'verdict = ["PASS", "TIMEOUT"]'
    assert outcome([flaky], "numerics=TIMEOUT").outcome is Outcome.FLAKY
    assert outcome([flaky], "numerics=PASS").outcome is Outcome.FLAKY
    assert outcome([flaky], "numerics=CRASH").outcome is Outcome.UNEXPECTED


def test_an_expired_entry_excuses_nothing_and_says_so(outcome):
    judgement = outcome([FAIL + "expires = 2026-11-23"], "bind=FAIL_API")
    assert judgement.outcome is Outcome.UNEXPECTED
    assert judgement.note == "the expectation in line 2 expired on 2026-11-23"
    assert outcome([FAIL + "expires = 2026-11-24"], "bind=FAIL_API").outcome is Outcome.XFAIL
    assert outcome([FAIL + "expires = 2026-11-23"], "bind=PASS").outcome is Outcome.EXPECTED


def test_the_first_entry_that_covers_the_verdict_decides(outcome):
    judgement = outcome(['verdict = "CRASH"', FAIL, FAIL], "bind=FAIL_API")
    assert [entry.number for entry in judgement.entries] == [2]


def test_an_entry_that_says_what_it_expects_excuses_nothing_else(tmp_path):
    path = tmp_path / "expectations.toml"
    path.write_text(
        'schema = 1\n[[expect]]\nverdict = "FAIL_API"\nstage = "bind"\nsays = "activation_type"\nreason = "known"\n',
        encoding="utf-8",
    )
    ask = judge(load(path), TODAY)
    for reason, expected in (
        ("passes activation_type", Outcome.XFAIL),
        ("passes output", Outcome.UNEXPECTED),
    ):
        subject = Subject(
            cell=Cell(release="0.6.7.post3", environment="lean", point=POINT),
            capability="",
            verdict=Verdict.FAIL_API,
            results=[("bind", Verdict.FAIL_API)],
            reasons={"bind": reason},
        )
        assert ask(subject).outcome is expected
