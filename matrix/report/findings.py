"""Cells that answered alike, put together: one line instead of hundreds."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from matrix.cells.cell import Point
from matrix.report import ranges
from matrix.report.model import Finding
from matrix.report.settle import GOOD, counts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from matrix.report.model import Cell

AXES = tuple(Point.__dataclass_fields__)
MISSING = "MISSING"
HARMLESS = frozenset({*(verdict.value for verdict in GOOD), "NOT_RUN", MISSING})
_NUMBER = re.compile(r"0x[0-9a-fA-F]+|\d+(?:\.\d+)*(?:\.?(?:post|rc|dev|e[+-]?)\d+)*")


def masked(reason: str) -> str:
    """A reason without its numbers, versions and addresses: what cells that failed alike have in common."""
    return _NUMBER.sub("…", reason)


def spread(reasons: Sequence[str], releases: Sequence[str] = (), named: str = "") -> str:
    """One reason for several that are alike but for their numbers: those that differ become `least … most`.

    Args:
        reasons: one or more.
        releases: the release that each is about.
        named: stands where each names its own release.
    """
    columns = zip(*(_NUMBER.findall(reason) for reason in reasons), strict=True)
    told = (named if column == tuple(releases) else _from_to(column) for column in columns)
    return _NUMBER.sub(lambda _: next(told), reasons[0])


def _from_to(numbers: Sequence[str]) -> str:
    if len(set(numbers)) == 1:
        return numbers[0]
    try:
        least, most = min(numbers, key=float), max(numbers, key=float)
    except ValueError:  # versions and addresses have no order here
        return "…"
    return f"{least} … {most}"


def key(verdict: str, stage: str, mask: str) -> tuple[str, str, str]:
    """What cells that answered alike have in common; `mask` is their masked reason."""
    return verdict, stage, mask


@dataclass
class _Group:
    cells: list[Cell] = field(default_factory=list)
    reasons: dict[tuple[str, str], None] = field(default_factory=dict)


class Universe:
    """Which values each axis takes among the cells of an environment, so that a finding can name its own."""

    def __init__(self, cells: Iterable[Cell]) -> None:
        self._values: dict[str, dict[str, set[str]]] = {}
        for cell in cells:
            values = self._values.setdefault(cell.environment_id, {axis: set() for axis in AXES})
            for axis in AXES:
                values[axis].add(cell.axes[axis])

    def narrowed(self, cells: Sequence[Cell]) -> dict[str, tuple[str, ...]]:
        """The values of the axes on which these cells are fewer than those planned beside them."""
        environments = {cell.environment_id for cell in cells}
        narrow: dict[str, tuple[str, ...]] = {}
        for axis in AXES:
            mine = {cell.axes[axis] for cell in cells}
            if mine != set().union(*(self._values[environment][axis] for environment in environments)):
                narrow[axis] = tuple(sorted(mine))
        return narrow


class Grouping:
    """Groups cells into findings, over the tested releases and the planned values."""

    def __init__(self, cells: Sequence[Cell], tested: Sequence[str]) -> None:
        self._universe = Universe(cells)
        self._tested = tested
        self._masks: dict[str, str] = {}

    def __call__(self, cells: Iterable[Cell]) -> tuple[Finding, ...]:
        """The findings of these cells, failures and then the largest first; numbers do not tell reasons apart."""
        groups: dict[tuple[str, str, str], _Group] = {}
        for cell in cells:
            alike = key(cell.verdict.value if cell.verdict else MISSING, cell.stage, self._mask(cell.reason))
            group = groups.get(alike)
            if group is None:
                group = groups[alike] = _Group()
            group.cells.append(cell)
            group.reasons[cell.reason, cell.release] = None
        found = (self._finding(alike, group) for alike, group in groups.items())
        return tuple(sorted(found, key=_order))

    def _mask(self, reason: str) -> str:
        mask = self._masks.get(reason)
        if mask is None:
            mask = self._masks[reason] = masked(reason)
        return mask

    def _finding(self, alike: tuple[str, str, str], group: _Group) -> Finding:
        cells = group.cells
        first = cells[0]
        releases = {cell.release for cell in cells}
        named = ranges.text(releases, self._tested)
        reasons, of = zip(*group.reasons, strict=True)
        evidence = _evidence(first)
        frames = Counter(str(told["frame"]) for told in map(_evidence, cells) if told.get("frame"))
        if len(frames) > 1:
            evidence = {**evidence, "frames of all cells": dict(frames.most_common())}
        return Finding(
            verdict=alike[0],
            stage=alike[1],
            reason=spread(reasons, of, named),
            mask=alike[2],
            remedy=first.remedy,
            remedies=len({cell.remedy for cell in cells}),
            cells=len(cells),
            releases=named,
            versions=tuple(release for release in self._tested if release in releases),
            environments=tuple(sorted({cell.environment for cell in cells})),
            axes=self._universe.narrowed(cells),
            outcomes=counts(cell.outcome.value for cell in cells),
            notes=tuple(dict.fromkeys(cell.note for cell in cells if cell.note))[:3],
            known=tuple(
                dict.fromkeys((entry.reason, entry.link) for cell in cells for entry in cell.expectations)
            ),
            example=first.id,
            evidence=evidence,
        )


def _evidence(cell: Cell) -> Mapping[str, object]:
    """What a cell's settling stage kept."""
    return next((result.evidence for result in cell.results if result.stage == cell.stage), {})


def _order(finding: Finding) -> tuple[bool, int, str, str]:
    return finding.verdict in HARMLESS, -finding.cells, finding.verdict, finding.reason
