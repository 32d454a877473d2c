"""Which bad verdicts of a cell are known beforehand, for a test runner that marks them as expected failures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matrix.expectations.judge import Outcome, Subject, judge
from matrix.verdicts import Stage, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from matrix.cells.cell import Cell
    from matrix.expectations.entries import Expectations


def known(
    expectations: Expectations, cells: Iterable[Cell], capability: str, today: date
) -> dict[str, list[list[str]]]:
    """By cell id, the pairs of stage and verdict that an entry excuses; cells without one are left out."""
    bad = [verdict for verdict in Verdict if not verdict.good and verdict is not Verdict.NOT_RUN]
    ask = judge(expectations, today)
    told: dict[str, list[list[str]]] = {}
    for cell in cells:
        pairs = [
            [stage.value, verdict.value]
            for stage in Stage
            for verdict in bad
            if ask(
                Subject(cell=cell, capability=capability, verdict=verdict, results=[(stage.value, verdict)])
            ).outcome
            is Outcome.XFAIL
        ]
        if pairs:
            told[cell.id] = pairs
    return told
