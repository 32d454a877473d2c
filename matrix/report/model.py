"""The words of a report; `build.py` fills them, every renderer only reads them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from matrix.errors import Exit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matrix.expectations import Expectation, Outcome
    from matrix.verdicts import Result, Verdict

SCHEMA = "kernel-matrix/report/1"


class Standing(str, Enum):
    """How a release stands in one environment.

    `safe`: every cell answered rightly and kernels were measured against the oracle. `binds`: nothing failed,
    but the kernels' numerics were not run. `falls back`: nothing failed, and no kernel answered: the fallback
    did, or the call was clearly refused. `unsafe`: something failed. `unknown`: not enough ran to say.
    """

    SAFE = "safe"
    BINDS = "binds"
    FALLS_BACK = "falls back"
    UNSAFE = "unsafe"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Environment:
    """Where cells ran, as planned and as found."""

    id: str
    release: str
    name: str
    recipe: str
    python: str
    torch: str
    faulty: bool
    why: str
    fingerprint: Mapping[str, Any]
    build_seconds: float
    import_seconds: float
    verdict: str
    reason: str
    remedy: str

    @property
    def capability(self) -> str:
        """Compute capability as "9.0"; "" without a GPU."""
        return capability(self.fingerprint)


def capability(fingerprint: Mapping[str, Any]) -> str:
    """The compute capability in a fingerprint, as "9.0"; "" where there is no GPU."""
    value = fingerprint.get("compute_capability")
    if isinstance(value, (list, tuple)):
        return ".".join(str(part) for part in value)
    return "" if value in {None, "none"} else str(value)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One planned cell and what came of it; `verdict` is None where the journal has no result."""

    id: str
    release: str
    environment: str
    environment_id: str
    axes: Mapping[str, str]
    must: bool
    verdict: Verdict | None
    stage: str
    reason: str
    remedy: str
    results: tuple[Result, ...]
    outcome: Outcome
    expectations: tuple[Expectation, ...]
    note: str


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Cells that answered alike: the same verdict at the same stage for the same reason.

    Attributes:
        reason: true of all the cells; numbers and releases in which they differ are ranges.
        mask: their reason without its numbers.
        remedy: the first cell's; `remedies` says how many different ones there are.
        releases: ranges of tested releases, as text.
        versions: the same releases one by one, oldest first.
        axes: the values of each axis on which the cells are fewer than those planned beside them.
        known: reason and link of the expectations that decided the outcomes.
        example: id of one of the cells, with its evidence.
    """

    verdict: str
    stage: str
    reason: str
    mask: str
    remedy: str
    remedies: int
    cells: int
    releases: str
    versions: tuple[str, ...]
    environments: tuple[str, ...]
    axes: Mapping[str, tuple[str, ...]]
    outcomes: Mapping[str, int]
    notes: tuple[str, ...]
    known: tuple[tuple[str, str], ...]
    example: str
    evidence: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Span:
    """Neighbouring tested releases that stand alike in one environment."""

    environment: str
    faulty: bool
    standing: Standing
    releases: tuple[str, ...]
    cells: int
    counts: Mapping[str, int]
    why: tuple[Finding, ...]
    notes: tuple[Finding, ...]
    todo: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class AxisTable:
    """Verdict counts for each value of one axis, a column a range of releases that counts alike."""

    axis: str
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[Mapping[str, int], ...]]


@dataclass(frozen=True, kw_only=True)
class Change:
    """Cells that answer otherwise than in the earlier report: `better`, `worse`, or `other`."""

    before: str
    after: str
    direction: str
    reason: str
    cells: int
    releases: str
    environments: tuple[str, ...]
    example: str


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """This report beside an earlier one."""

    against: str
    changes: tuple[Change, ...]
    added: int
    removed: int
    same: int


@dataclass(frozen=True, kw_only=True)
class Report:
    """All answers of a run side by side.

    Attributes:
        plan: the plan without its cells and environments.
        tested: releases outside the environments that are meant to fail, oldest first, without `none`.
        findings: cells with another verdict than PASS, alike ones together.
        unexpected: cells whose outcome is UNEXPECTED or XPASS, alike ones together.
        not_run: cells that were not run or have no result, alike ones together.
        stage_seconds: for each stage the number of results, their seconds together, and the slowest one's.
        expectations: every entry with the number of cells it decided.
        expired: entries that excuse nothing any more.
        replays: what each replayed engine release said apart from its cells, as `replayed.py` gives it.
        declared: API changes, histories and engine tables as `declared.py` reads them; None where none were.
    """

    plan: Mapping[str, Any]
    header: Mapping[str, Any]
    tested: tuple[str, ...]
    environments: tuple[Environment, ...]
    spans: tuple[Span, ...]
    findings: tuple[Finding, ...]
    unexpected: tuple[Finding, ...]
    not_run: tuple[Finding, ...]
    axes: tuple[AxisTable, ...]
    cells: tuple[Cell, ...]
    stage_seconds: Mapping[str, tuple[int, float, float]]
    verdicts: Mapping[str, int]
    outcomes: Mapping[str, int]
    expectations: tuple[tuple[Expectation, int], ...]
    expectations_path: str
    expired: tuple[Expectation, ...]
    warnings: tuple[str, ...]
    replays: tuple[Mapping[str, Any], ...] = ()
    declared: Mapping[str, Any] | None = None
    comparison: Comparison | None = None

    @property
    def exit_code(self) -> Exit:
        """1, 3 or 0.

        1 for an unexpected verdict, or an engine that is not what is kept or read of it; else 3 for a planned cell
        without a result.
        """
        unsound = any(not replay["sound"] for replay in self.replays)
        if unsound or self.outcomes.get("UNEXPECTED") or self.outcomes.get("XPASS"):
            return Exit.UNEXPECTED
        return Exit.INCOMPLETE if self.outcomes.get("MISSING") else Exit.AS_EXPECTED

    def summary_lines(self) -> list[str]:
        """The first screen as plain lines for a terminal."""
        from matrix.report.terminal import lines

        return lines(self)
