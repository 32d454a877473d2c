"""Verdicts along each axis, a column a range of releases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matrix.report import ranges
from matrix.report.findings import AXES, MISSING
from matrix.report.model import AxisTable
from matrix.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matrix.report.model import Cell

Counts = dict[str, int]
ORDER = (*(verdict.value for verdict in Verdict), MISSING)


def tables(cells: Iterable[Cell], tested: Sequence[str]) -> tuple[AxisTable, ...]:
    """A table an axis; neighbouring releases whose counts are the same in every row share a column."""
    found: dict[str, dict[str, dict[str, Counts]]] = {axis: {} for axis in AXES}
    for cell in cells:
        verdict = cell.verdict.value if cell.verdict else "MISSING"
        for axis, by_release in found.items():
            values = by_release.setdefault(cell.release, {})
            counted = values.setdefault(cell.axes[axis], {})
            counted[verdict] = counted.get(verdict, 0) + 1
    return tuple(_table(axis, by_release, tested) for axis, by_release in found.items() if by_release)


def _table(axis: str, by_release: dict[str, dict[str, Counts]], tested: Sequence[str]) -> AxisTable:
    columns: list[tuple[list[str], dict[str, Counts]]] = []
    for release in tested:
        values = by_release.get(release)
        if values is None:
            continue
        if columns and columns[-1][1] == values:
            columns[-1][0].append(release)
        else:
            columns.append(([release], values))
    rows = sorted({value for _, values in columns for value in values})
    return AxisTable(
        axis=axis,
        columns=tuple(ranges.text(releases, tested) for releases, _ in columns),
        rows={row: tuple(_good_first(values.get(row, {})) for _, values in columns) for row in rows},
    )


def _good_first(counts: Counts) -> Counts:
    return {verdict: counts[verdict] for verdict in ORDER if verdict in counts}
