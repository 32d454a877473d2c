"""Every cell in few bytes, for the script of the HTML page: tables of what repeats, and numbers into them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matrix.report.document import dumps
from matrix.report.findings import AXES, MISSING, key, masked
from matrix.report.settle import GOOD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matrix.report.model import Cell, Finding, Report
    from matrix.verdicts import Result

COLUMNS = ("release", "environment", *AXES, "verdict", "stage", "outcome")
MOST_CELLS = 20_000
EVIDENCE_BYTES = 6_000_000


class Table:
    """Numbers for values, in the order in which they first came."""

    def __init__(self) -> None:
        self.numbers: dict[Any, int] = {}

    def __call__(self, value: Any) -> int:
        """The number of a value; equal values share one."""
        return self.numbers.setdefault(value, len(self.numbers))


class Results:
    """Distinct results, with their evidence while there is room for it."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self._numbers: dict[tuple[str, str, str, str, str], int] = {}
        self._room = EVIDENCE_BYTES

    def __call__(self, result: Result) -> int:
        """The number of a result; seconds do not tell two apart."""
        evidence = dumps(result.evidence) if result.evidence else ""
        found = (result.stage, result.verdict.value, result.reason, result.remedy, evidence)
        number = self._numbers.setdefault(found, len(self.rows))
        if number == len(self.rows):
            self._room -= len(evidence)
            row = {"stage": found[0], "verdict": found[1], "reason": found[2], "remedy": found[3]}
            self.rows.append(row | {"evidence": evidence if self._room >= 0 else None})
        return number


def embed(report: Report, findings: Sequence[Finding]) -> dict[str, Any]:
    """Cells as rows of numbers into tables; past `MOST_CELLS` those that passed are the first to be left out.

    Args:
        report: the report.
        findings: in the order in which the page numbers them.
    """
    tables = [Table() for _ in COLUMNS]
    notes, results = Table(), Results()
    notes("")
    numbers = {key(each.verdict, each.stage, each.mask): at for at, each in enumerate(findings)}
    masks: dict[str, str] = {}

    def row(cell: Cell) -> list[Any]:
        verdict = cell.verdict.value if cell.verdict else MISSING
        values = (
            cell.release,
            cell.environment,
            *cell.axes.values(),
            verdict,
            cell.stage or "none",
            cell.outcome.value,
        )
        reason = cell.reason
        if reason not in masks:
            masks[reason] = masked(reason)
        mine = [results(result) for result in cell.results]
        at = next((at for at, each in zip(mine, cell.results, strict=True) if each.stage == cell.stage), -1)
        return [
            *(table(value) for table, value in zip(tables, values, strict=True)),
            numbers.get(key(verdict, cell.stage, masks[reason]), -1),
            notes(cell.note),
            at,
            mine,
            [round(result.seconds, 3) for result in cell.results],
        ]

    cells = [row(cell) for cell in _most_telling(report.cells)]
    return {
        "columns": COLUMNS,
        "values": [list(table.numbers) for table in tables],
        "results": results.rows,
        "findings": [f"{each.verdict} {each.stage}: {each.reason}" for each in findings],
        "notes": list(notes.numbers),
        "cells": cells,
        "left_out": len(report.cells) - len(cells),
    }


def _most_telling(cells: Sequence[Cell]) -> Sequence[Cell]:
    if len(cells) <= MOST_CELLS:
        return cells
    worst_first = sorted(cells, key=lambda cell: (not cell.outcome.fails, cell.verdict in GOOD))
    return worst_first[:MOST_CELLS]
