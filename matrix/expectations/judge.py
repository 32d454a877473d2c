"""What the expectations make of one cell."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING

from matrix.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date

    from matrix.cells.cell import Cell
    from matrix.expectations.entries import Expectation, Expectations

GOOD = frozenset(verdict for verdict in Verdict if verdict.good)


class Outcome(str, Enum):
    """A cell's verdict seen against the expectations."""

    EXPECTED = "EXPECTED"
    XFAIL = "XFAIL"
    FLAKY = "FLAKY"
    XPASS = "XPASS"
    UNEXPECTED = "UNEXPECTED"
    NOT_RUN = "NOT_RUN"
    MISSING = "MISSING"

    @property
    def fails(self) -> bool:
        """Whether the run must not end with exit code 0 because of it."""
        return self in {Outcome.XPASS, Outcome.UNEXPECTED}


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A cell as the judge sees it.

    Attributes:
        cell: its release (or `none`), the name of its environment, and its point on the axes.
        capability: the compute capability of the GPU it ran beside, as "9.0"; "" without one.
        verdict: the cell's own verdict; None where the journal has no result.
        results: stage and verdict of every stage that has one, cheapest stage first.
        reasons: the reason of each stage; one that is not there is taken to be what an entry asks for.
    """

    cell: Cell
    capability: str
    verdict: Verdict | None
    results: Sequence[tuple[str, Verdict]]
    reasons: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """The outcome, the entries that decided it, and one clause of explanation."""

    outcome: Outcome
    entries: tuple[Expectation, ...] = ()
    note: str = ""


def judge(expectations: Expectations, today: date) -> Callable[[Subject], Judgement]:
    """A function that judges cells by these expectations, as of `today`."""
    live = [entry for entry in expectations.entries if not entry.expired(today)]
    dead = [entry for entry in expectations.entries if entry.expired(today)]

    @cache
    def at(release: str, environment: str, capability: str) -> tuple[list[Expectation], list[Expectation]]:
        holding = [
            [entry for entry in entries if entry.holds_at(release, environment, capability)]
            for entries in (live, dead)
        ]
        return holding[0], holding[1]

    def one(subject: Subject) -> Judgement:
        if subject.verdict is None:
            return Judgement(outcome=Outcome.MISSING)
        cell = subject.cell
        entries, expired = (
            [entry for entry in group if entry.cells is None or entry.cells(cell)]
            for group in at(cell.release, cell.environment, subject.capability)
        )
        return _bad(subject, entries, expired) or _better(subject, entries) or _plain(subject)

    return one


def _bad(subject: Subject, entries: list[Expectation], expired: list[Expectation]) -> Judgement | None:
    """The outcome of a cell in which something went wrong."""
    excused: list[Expectation] = []
    for stage, verdict in subject.results:
        if verdict in GOOD or verdict is Verdict.NOT_RUN:
            continue
        entry = _covering(entries, stage, verdict, subject)
        if entry is None:
            old = _covering(expired, stage, verdict, subject)
            note = (
                f"the expectation in line {old.line} expired on {old.expires}"
                if old
                else f"no expectation for {verdict.value} at {stage}"
            )
            return Judgement(outcome=Outcome.UNEXPECTED, entries=(old,) if old else (), note=note)
        excused.append(entry)
    if not excused:
        return None
    found = tuple(dict.fromkeys(excused))
    flaky = all(Verdict.PASS in entry.verdicts for entry in found)
    return Judgement(outcome=Outcome.FLAKY if flaky else Outcome.XFAIL, entries=found)


def _covering(
    entries: list[Expectation], stage: str, verdict: Verdict, subject: Subject
) -> Expectation | None:
    for entry in entries:
        at_stage = not entry.stages or stage in entry.stages
        if at_stage and verdict in entry.verdicts and entry.says in subject.reasons.get(stage, entry.says):
            return entry
    return None


def _better(subject: Subject, entries: list[Expectation]) -> Judgement | None:
    """The outcome of a good cell of which the first entry that can be decided spoke."""
    for entry in entries:
        seen = (
            [verdict for stage, verdict in subject.results if stage in entry.stages]
            if entry.stages
            else [subject.verdict]
        )
        came = [verdict for verdict in seen if verdict is not None and verdict is not Verdict.NOT_RUN]
        if not came:
            continue
        if any(verdict in entry.verdicts for verdict in came):
            outcome = Outcome.FLAKY if entry.verdicts - GOOD else _plain(subject).outcome
            return Judgement(outcome=outcome, entries=(entry,))
        wanted = " or ".join(sorted(verdict.value for verdict in entry.verdicts))
        passed = came[0] is Verdict.PASS or not entry.verdicts & GOOD
        return Judgement(
            outcome=Outcome.XPASS if passed else Outcome.UNEXPECTED,
            entries=(entry,),
            note=f"line {entry.line} expects {wanted}, {came[0].value} came",
        )
    return None


def _plain(subject: Subject) -> Judgement:
    not_run = subject.verdict is Verdict.NOT_RUN
    return Judgement(outcome=Outcome.NOT_RUN if not_run else Outcome.EXPECTED)
