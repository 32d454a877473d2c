"""At which release an answer changes: a binary search that asks as few releases as it can."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from packaging.version import Version

from matrix.errors import Exit, InputError, KernelMatrixError
from matrix.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

UNANSWERED = {Verdict.NOT_RUN, Verdict.INSTALL_ERROR, Verdict.TIMEOUT, Verdict.OUT_OF_MEMORY}
"""Verdicts that say nothing of the cell; a release that has one is skipped, unless the bad end has the same."""
RANKS = {Verdict.PASS: 0, Verdict.FALLBACK: 1, Verdict.UNSUPPORTED: 2}
WORST = 3


class NoAnswerError(KernelMatrixError):
    """An end of the range has no answer, so nothing can be searched for."""

    exit_code = Exit.INCOMPLETE


@dataclass(frozen=True, kw_only=True)
class Step:
    """What one release answered.

    Attributes:
        release: version of FlashInfer.
        verdict: of the cell, at the stages that were asked.
        stage: that decided it.
        reason: in one line.
        remedy: what to do about it; maybe empty.
        seconds: that the answer took.
    """

    release: str
    verdict: Verdict
    stage: str
    reason: str
    remedy: str = ""
    seconds: float = 0.0

    @property
    def rank(self) -> int:
        """How good the verdict is, 0 the best; failures are all alike."""
        return RANKS.get(self.verdict, WORST)

    def __str__(self) -> str:
        return f"{self.release}  {self.verdict.value} at {self.stage}: {self.reason}"

    def to_json(self) -> dict[str, Any]:
        """Plain form."""
        return asdict(self) | {"verdict": self.verdict.value}


@dataclass(frozen=True, kw_only=True)
class Change:
    """Where the answer changes.

    Attributes:
        before: the last release that answers like the older end.
        after: the first release that answers like the newer end.
        between: releases between the two, none of which can answer.
        steps: every release that was asked, in that order.
        releases: how many there are from one end to the other.
        broke: the older end is the good one: something broke; else something was mended.
    """

    before: Step
    after: Step
    between: tuple[Step, ...]
    steps: tuple[Step, ...]
    releases: int
    broke: bool

    @property
    def exact(self) -> bool:
        """Whether there is no release between the two."""
        return not self.between


def between(published: Sequence[str], good: str, bad: str) -> list[str]:
    """The releases from the older end to the newer one, both included.

    Args:
        published: versions, oldest first; ends that are not among them, such as a pre-release, are added.
        good: one end.
        bad: the other end.

    Raises:
        InputError: both ends are the same release.
    """
    first, last = sorted((good, bad), key=Version)
    if Version(first) == Version(last):
        raise InputError(f"--good and --bad are both {good}.", "Name two releases.")
    inside = [release for release in published if Version(first) < Version(release) < Version(last)]
    return [first, *inside, last]


def search(
    releases: Sequence[str], good: str, ask: Callable[[str], Step], tell: Callable[[str], None]
) -> Change:
    """Find the change, skipping releases that cannot answer.

    Args:
        releases: oldest first; the first and last are the ends.
        good: the end whose verdict is good; the other one is bad.
        ask: answers for one release.
        tell: called with a line of progress.

    Raises:
        InputError: the good end is not good, or the bad end is as good.
        NoAnswerError: an end cannot answer.
    """
    broke = good == releases[0]
    bad = releases[-1] if broke else releases[0]
    tell(f"{len(releases)} releases; the ends first")
    ends = {good: _good_end(ask(good), tell)}
    ends[bad] = _bad_end(ask(bad), ends[good], tell)
    limit, skip = ends[good].rank, UNANSWERED - {ends[bad].verdict}
    low, high = 0, len(releases) - 1
    asked = {0: ends[releases[0]], high: ends[releases[-1]]}
    while left := [number for number in range(low + 1, high) if number not in asked]:
        number = min(left, key=lambda number: (abs(2 * number - low - high), number))
        tell(f"{len(left)} left, about {len(left).bit_length()} steps: asking {releases[number]}")
        step = asked[number] = ask(releases[number])
        tell(f"{step}{' (skipped)' if step.verdict in skip else ''}")
        if step.verdict in skip:
            continue
        if (step.rank <= limit) == broke:
            low = number
        else:
            high = number
    return Change(
        before=asked[low],
        after=asked[high],
        between=tuple(asked[number] for number in range(low + 1, high)),
        steps=(ends[good], ends[bad], *(step for step in asked.values() if step.release not in ends)),
        releases=len(releases),
        broke=broke,
    )


def _unanswered(option: str, step: Step) -> NoAnswerError:
    remedy = f"{step.remedy.rstrip('.')}. Or name" if step.remedy else "Name"
    return NoAnswerError(f"{option} {step}", f"{remedy} another release, or another --stage.")


def _good_end(step: Step, tell: Callable[[str], None]) -> Step:
    tell(f"{step} (--good)")
    if step.verdict in UNANSWERED:
        raise _unanswered("--good", step)
    if not step.verdict.good:
        raise InputError(
            f"--good {step.release} is not good: {step.verdict.value} at {step.stage}: {step.reason}",
            "Name a release where the cell is good, or exchange --good and --bad.",
        )
    return step


def _bad_end(step: Step, good: Step, tell: Callable[[str], None]) -> Step:
    tell(f"{step} (--bad)")
    if step.verdict is Verdict.NOT_RUN:
        raise _unanswered("--bad", step)
    if step.rank <= good.rank:
        raise InputError(
            f"--bad {step.release} is as good as --good {good.release}: {step.verdict.value} at {step.stage}: "
            f"{step.reason}",
            "Exchange --good and --bad, name other releases, or another --stage."
            if step.rank < good.rank
            else "Name other releases, or another --stage.",
        )
    return step
