"""The table engine release by FlashInfer release as JSON, text and Markdown, in ranges."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matrix.engines.table import AT_CALL, AT_IMPORT, GUARDED, SAFE
from matrix.engines.upstream import fresh
from matrix.report.ranges import ordered, runs

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
_OWN = {SAFE: "@", GUARDED: "@", AT_CALL: "!", AT_IMPORT: "!"}
_SHOWN = 6
_WIDTH = 120
_SPECIFIER = 31


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
    cells = [cell for row in rows for cell in row.cells.values()]
    unclear = sum(cell.counts.get("not checkable", 0) + cell.unsettled for cell in cells)
    branches = sum(cell.branches for cell in cells)
    total = sum(sum(cell.counts.values()) for cell in cells)
    return {
        "schema": SCHEMA,
        "engine": engine,
        "flashinfer": list(rows[0].cells) if rows else [],
        "pairs": sum(len(row.cells) for row in rows),
        "not_checkable_share": round(unclear / total, 4) if total else 0.0,
        "one_branch_share": round(branches / total, 4) if total else 0.0,
        "rows": [
            {
                "release": row.release,
                "pin": row.pin,
                "works": row.works,
                "oldest": row.oldest,
                "newest": row.newest,
                "no_worse": row.no_worse,
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
    """For a terminal: own-pin breaks first, one sign a pair under the release's name, then the specifier to paste."""
    names = list(rows[0].cells) if rows else []
    if not names:
        return engine
    width = max(len(row.release) for row in rows)
    pins = max([len(row.pin) for row in rows] + [len("its pin")])
    room = max(8, _WIDTH - width - pins - 8 - _SPECIFIER)
    document = block(engine, rows)
    unclear, branches = document["not_checkable_share"], document["one_branch_share"]
    lines = [
        (
            f"{engine} by FlashInfer {names[0]} to {names[-1]}: {len(rows)} releases by {len(names)}, "
            f"{document['pairs']} pairs"
        ),
        f"  {'   '.join(f'{sign} {WORDS[status]}' for status, sign in _SIGNS.items())}",
        "  its own pin: @ safe   ! breaks",
        (
            f"  {unclear:.1%} of the uses cannot be checked, {branches:.1%} more are judged where their name is "
            "FlashInfer's"
        ),
    ]
    for start in range(0, len(names), room):
        shown = names[start : start + room]
        last = start + room >= len(names)
        lines += ["", *_heads(shown, 4 + width + 2 + pins)]
        lines.append(
            f"  {'release':{width}}  {'its pin':{pins}}  {'':{len(shown)}}{'  safe on' if last else ''}".rstrip()
        )
        for row in rows:
            signs = "".join((_OWN if name == row.pin else _SIGNS)[row.cells[name].status] for name in shown)
            works = f"  {row.works or 'no release'}" if last else ""
            lines.append(f"  {row.release:{width}}  {row.pin:{pins}}  {signs}{works}")
    for row in rows:
        lines += _own_breaks(row)
    return "\n".join(lines)


def _heads(names: list[str], indent: int) -> list[str]:
    """Names from top to bottom, each over its column, ending at the same height."""
    height = max(map(len, names))
    return [
        (" " * indent + "".join(name.rjust(height)[line] for name in names)).rstrip()
        for line in range(height)
    ]


def _own_breaks(row: Row) -> list[str]:
    if row.own is None or not row.own.alarms:
        return []
    lines = [
        "",
        f"{row.release} breaks on its own pin {row.pin}; no worse than there: {row.no_worse}",
    ]
    found = [row.breaks[number] for number in row.own.alarms]
    for one in found[:_SHOWN]:
        place = f"{one['file']}:{one['line']}"
        lines += [f"  {place}", *_wrapped(f"{one['symbol']}: {one['reason']}", "      ")]
    return lines + ([f"  and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else [])


def markdown(engine: str, rows: Sequence[Row]) -> str:
    """For a page or a pull request."""
    lines = [
        f"| {engine} | pin | safe on | no worse than its pin, which breaks | by release of FlashInfer |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        own = " (breaks on it)" if row.no_worse else ""
        works, no_worse = (f"`{one}`" if one else "" for one in (row.works, row.no_worse))
        spans = "; ".join(str(one) for one in ranges(row))
        lines.append(f"| {row.release} | {row.pin}{own} | {works or 'no release'} | {no_worse} | {spans} |")
    return "\n".join(lines)


def against(engine: str, rows: Sequence[Row], tree: str, before: str) -> str:
    """For FlashInfer's maintainers: which engine releases a change of theirs would break, and where.

    Args:
        engine: its name.
        rows: its releases, with columns for the tree and for what it is compared with.
        tree: the wheel, checkout or release in question.
        before: the published release that it is nearest to; empty where that is not known.
    """
    oldest = sorted(rows, key=lambda row: ordered(row.release for row in rows).index(row.release))
    releases = [row.release for row in oldest]
    news = {row.release: fresh(row, tree, before) for row in oldest}
    base = f"FlashInfer {before}" if before else "their own pins do"
    broken = [name for name, (breaks, _) in news.items() if breaks]
    uses = sum(len(breaks) for breaks, _ in news.values())
    lines = [
        f"{engine}: {tree} breaks {uses} uses more than {base} in {len(broken)} of {len(rows)} releases: "
        f"{_spans(broken, releases)}"
        if broken
        else f"{engine}: {tree} breaks nothing more than {base} in any of {len(rows)} releases"
    ]
    doubtful = [name for name, (_, doubts) in news.items() if doubts]
    if doubtful:
        count = sum(len(doubts) for _, doubts in news.values())
        lines.append(
            f"  {count} uses in {_spans(doubtful, releases)} changed too, and cannot be checked: listed below"
        )
    lines += _grouped("breaks", [(row, row.breaks, news[row.release][0]) for row in oldest])
    lines += _grouped("changed, not checkable", [(row, row.doubts, news[row.release][1]) for row in oldest])
    if before:
        lines += _already(oldest, tree, before)
    return "\n".join(lines)


def _grouped(heading: str, told: list[tuple[Row, list[dict[str, Any]], list[int]]]) -> list[str]:
    """Each break once, with its places and the engine releases that have them."""
    releases = [row.release for row, _, _ in told]
    found: dict[tuple[str, str], dict[str, list[str]]] = {}
    for row, listed, numbers in told:
        for one in (listed[number] for number in numbers):
            places = found.setdefault((one["symbol"], one["reason"]), {})
            places.setdefault(f"{one['file']}:{one['line']}", []).append(row.release)
    lines = []
    for (symbol, reason), places in found.items():
        lines += ["", f"{heading}: {symbol}", *_wrapped(reason, "  ")]
        lines += [f"    {place}  in {_spans(names, releases)}" for place, names in places.items()]
    return lines


def _already(rows: list[Row], tree: str, before: str) -> list[str]:
    """What breaks on the tree and on the release before as well, though not on the engine's own pin."""
    old = {row.release: set(fresh(row, tree)[0]) & set(row.cells[before].alarms) for row in rows}
    counts = [f"{name} ({len(numbers)})" for name, numbers in old.items() if numbers]
    if not counts:
        return []
    told = f"broken on FlashInfer {before} already, though not on the own pin: {', '.join(counts)}"
    return ["", *textwrap.wrap(told, _WIDTH, subsequent_indent="  ")]


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False
    )


def _spans(names: Sequence[str], releases: Sequence[str]) -> str:
    return ", ".join(
        first if first == last else f"{first} to {last}" for first, last in runs(names, releases)
    )


def against_block(rows: Sequence[Row], tree: str, before: str) -> dict[str, Any]:
    """What `engines --against --json` adds to the table."""
    return {
        "tree": tree,
        "compared_with": before,
        "releases": [
            {
                "release": row.release,
                "breaks": [row.breaks[number] for number in breaks],
                "not_checkable": [row.doubts[number] for number in doubts],
            }
            for row in rows
            for breaks, doubts in [fresh(row, tree, before)]
            if breaks or doubts
        ],
    }
