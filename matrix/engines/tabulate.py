"""The table engine release by FlashInfer release as JSON, text and Markdown, in ranges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matrix.engines.table import AT_CALL, AT_IMPORT, GUARDED, SAFE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matrix.engines.table import Cell, Row

SCHEMA = 1
WORDS = {
    SAFE: "safe",
    GUARDED: "safe, something missing is caught",
    AT_CALL: "a call breaks",
    AT_IMPORT: "breaks at import",
}
_SIGNS = {SAFE: ".", GUARDED: "g", AT_CALL: "C", AT_IMPORT: "I"}
_SHOWN = 6


@dataclass(frozen=True, kw_only=True)
class Range:
    """Neighbouring FlashInfer releases with the same status."""

    first: str
    last: str
    status: str

    def __str__(self) -> str:
        span = self.first if self.first == self.last else f"{self.first} to {self.last}"
        return f"{span}: {WORDS[self.status]}"


def ranges(row: Row) -> list[Range]:
    """A row's cells as ranges, oldest first."""
    found: list[Range] = []
    for name, cell in row.cells.items():
        if found and found[-1].status == cell.status:
            found[-1] = Range(first=found[-1].first, last=name, status=cell.status)
        else:
            found.append(Range(first=name, last=name, status=cell.status))
    return found


def block(engine: str, rows: Sequence[Row]) -> dict[str, Any]:
    """The document of `kernel-matrix engines --json`, and the block of the main report."""
    unclear = sum(cell.counts.get("not checkable", 0) for row in rows for cell in row.cells.values())
    total = sum(sum(cell.counts.values()) for row in rows for cell in row.cells.values())
    return {
        "schema": SCHEMA,
        "engine": engine,
        "flashinfer": list(rows[0].cells) if rows else [],
        "pairs": sum(len(row.cells) for row in rows),
        "not_checkable_share": round(unclear / total, 4) if total else 0.0,
        "rows": [
            {
                "release": row.release,
                "pin": row.pin,
                "works": row.works,
                "oldest": row.oldest,
                "newest": row.newest,
                "own_pin": row.own.status if row.own else "",
                "ranges": [
                    {"first": one.first, "last": one.last, "status": one.status} for one in ranges(row)
                ],
                "cells": {name: _cell(cell) for name, cell in row.cells.items()},
                "breaks": row.breaks,
            }
            for row in rows
        ],
    }


def _cell(cell: Cell) -> dict[str, Any]:
    return {"status": cell.status, "counts": cell.counts, "breaks": list(cell.alarms)}


def text(engine: str, rows: Sequence[Row]) -> str:
    """For a terminal: own-pin breaks first, one sign a pair, then the specifier to paste."""
    names = list(rows[0].cells) if rows else []
    width = max([len(row.release) for row in rows] + [len(engine)])
    pins = max([len(row.pin) for row in rows] + [3])
    lines = [
        f"{engine} by FlashInfer {names[0]} to {names[-1]} ({len(rows) * len(names)} pairs)"
        if names
        else engine,
        f"  {', '.join(f'{sign} {WORDS[status]}' for status, sign in _SIGNS.items())}; [ ] its own pin",
        "",
    ]
    for row in rows:
        signs = "".join(
            f"[{_SIGNS[cell.status]}]" if name == row.pin else _SIGNS[cell.status]
            for name, cell in row.cells.items()
        )
        lines.append(
            f"  {row.release:{width}}  {row.pin:{pins}}  {signs:{len(names) + 2}}  {row.works or 'none'}"
        )
    for row in rows:
        lines += _own_breaks(row)
    return "\n".join(lines)


def _own_breaks(row: Row) -> list[str]:
    if row.own is None or not row.own.alarms:
        return []
    lines = ["", f"{row.release} breaks on its own pin {row.pin}:"]
    found = [row.breaks[number] for number in row.own.alarms]
    lines += [f"  {one['file']}:{one['line']}  {one['symbol']}: {one['reason']}" for one in found[:_SHOWN]]
    return lines + ([f"  and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else [])


def markdown(engine: str, rows: Sequence[Row]) -> str:
    """For a page or a pull request."""
    lines = [f"| {engine} | pin | can live with | by release of FlashInfer |", "|---|---|---|---|"]
    for row in rows:
        own = " (breaks on it)" if row.own and row.own.alarms else ""
        spans = "; ".join(str(one) for one in ranges(row))
        lines.append(f"| {row.release} | {row.pin}{own} | `{row.works or 'none'}` | {spans} |")
    return "\n".join(lines)


def against(engine: str, rows: Sequence[Row], name: str) -> str:
    """For FlashInfer's maintainers: which engine releases a change of theirs would break, and where."""
    lines = []
    for row in rows:
        accepted = set(row.own.alarms) if row.own else set()
        fresh = [row.breaks[number] for number in row.cells[name].alarms if number not in accepted]
        state = (
            f"{len(fresh)} uses break that work on {row.pin or 'its pin'}" if fresh else "nothing new breaks"
        )
        lines.append(f"{engine} {row.release} on {name}: {state}")
        lines += [f"  {one['file']}:{one['line']}  {one['symbol']}: {one['reason']}" for one in fresh]
    return "\n".join(lines)
