"""A report beside an earlier one: which cells answer otherwise now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matrix.report import ranges, reading
from matrix.report.model import Change, Comparison
from matrix.report.settle import GOOD

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from matrix.report.model import Cell

MISSING = "MISSING"
_GOOD = frozenset(verdict.value for verdict in GOOD)
_SILENT = frozenset({MISSING, "NOT_RUN"})


def compare(cells: Iterable[Cell], earlier: Path) -> Comparison:
    """Hold cells against the report in an earlier run's folder (or a `report.json` by itself).

    Cells answer otherwise where verdict or stage differ; a reason may change its words.

    Raises:
        InputError: there is no readable report.
    """
    path = earlier / "report.json" if earlier.is_dir() else earlier
    old = reading.document(path, "report", "Write it with: kernel-matrix report DIR.")
    before = {cell["id"]: cell for cell in old["cells"]}
    groups: dict[tuple[str, str, str], list[Cell]] = {}
    same = added = 0
    tested: set[str] = set()
    for cell in cells:
        tested.add(cell.release)
        was = before.pop(cell.id, None)
        if was is None:
            added += 1
            continue
        then = _answer(was["verdict"], was["stage"])
        now = _answer(cell.verdict.value if cell.verdict else None, cell.stage)
        if then == now:
            same += 1
        else:
            groups.setdefault((then, now, cell.reason), []).append(cell)
    changes = [_change(key, group, ranges.ordered(tested)) for key, group in groups.items()]
    order = ("worse", "other", "better")
    changes.sort(key=lambda change: (order.index(change.direction), -change.cells, change.reason))
    return Comparison(
        against=_name(old, path), changes=tuple(changes), added=added, removed=len(before), same=same
    )


def _answer(verdict: str | None, stage: str) -> str:
    return f"{verdict or MISSING} {stage}".strip()


def _name(old: dict[str, Any], path: Path) -> str:
    return f"{path.parent.name or path.name}, planned {old['plan']['created']}"


def _change(key: tuple[str, str, str], cells: list[Cell], tested: list[str]) -> Change:
    before, after, reason = key
    return Change(
        before=before,
        after=after,
        direction=_direction(before.split()[0], after.split()[0]),
        reason=reason,
        cells=len(cells),
        releases=ranges.text({cell.release for cell in cells}, tested),
        environments=tuple(sorted({cell.environment for cell in cells})),
        example=cells[0].id,
    )


def _direction(before: str, after: str) -> str:
    """`worse`: fails and did not; `better`: failed and is good now; what was not run is neither."""
    failed, fails = (verdict not in _GOOD | _SILENT for verdict in (before, after))
    if fails is failed:
        return "other"
    return "worse" if fails else "better" if after in _GOOD else "other"
