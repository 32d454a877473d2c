"""Findings as Markdown for a pull request, as text for a terminal, and as a block of the main report."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from matrix.surface.classes import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matrix.surface.diff import Finding
    from matrix.surface.witness import Witness

__all__ = ["block", "is_deep", "markdown", "text"]

DEEP_PARTS = 4
"""An import path of more parts than this is shown only where it is asked for: kernels and their helpers."""
SELDOM = {"lost-reexport", "removed-constant"}
CALL_CHARACTERS = 160
ELISIONS = 10
TABLE_ROWS = 50
"""Of one severity in Markdown; a pull request's comment takes 65,536 characters."""
SIGNS = {
    Severity.BREAKING: "BREAKS",
    Severity.SILENT: "SILENT",
    Severity.WARNING: "WARNS",
    Severity.NOTE: "note",
}
MEANINGS = {
    Severity.BREAKING: "A call or import that worked raises an error",
    Severity.SILENT: "A call that worked goes on and means something else",
    Severity.WARNING: "May fail in some environments, or gives back something else",
    Severity.NOTE: "Nothing that worked stops working",
}


def is_deep(finding: Finding) -> bool:
    """Whether a finding is about something that callers seldom name: a long path, a constant, an incidental import."""
    return finding.symbol.count(".") >= DEEP_PARTS or finding.kind.id == "lost-reexport"


def shown(findings: Iterable[Finding], *, deep: bool = False, notes: bool = False) -> list[Finding]:
    """The findings that a reader wants to see first."""
    return [
        one
        for one in findings
        if (deep or not is_deep(one)) and (notes or one.kind.severity is not Severity.NOTE)
    ]


def summary(findings: Sequence[Finding], rows: Sequence[Finding] | None = None) -> str:
    """How many findings of which severity, in one line; where not all are shown, how many are and of how many."""
    counts = Counter(one.kind.severity for one in findings)
    there = counts if rows is None else Counter(one.kind.severity for one in rows)
    words = []
    for severity in Severity:
        number, whole = there[severity], counts[severity]
        if number and number != whole:
            words.append(f"{number} {severity.value} (of {whole} with long paths)")
        elif whole:
            words.append(f"{whole} {severity.value}" + ("" if number else " (not shown)"))
    return ", ".join(words) or "none"


def text(old: str, new: str, findings: Sequence[Finding], *, deep: bool, notes: bool) -> list[str]:
    """Lines for a terminal: each finding with both places and its witness."""
    rows = shown(findings, deep=deep, notes=notes)
    lines = [f"{old} -> {new}: {summary(findings, rows)}"]
    symbol = ""
    for one in rows:
        if one.symbol != symbol:
            lines += ["", one.symbol]
            symbol = one.symbol
        lines.append(f"  {SIGNS[one.kind.severity]:6} {one.message}  [{one.kind.id}]")
        lines.append(f"         {_places(one)}")
        if one.witness:
            lines.append(f"         {one.witness.text}")
            lines.append(f"           {old}: {one.witness.before}; {new}: {one.witness.after}")
    lines += ["", *_left_out(findings, rows)]
    return lines if lines[-1] else lines[:-1]


def markdown(
    old: str, new: str, findings: Sequence[Finding], *, deep: bool = False, notes: bool = False
) -> str:
    """A table that fits a pull request, worst first, with what is left out counted."""
    rows = shown(findings, deep=deep, notes=notes)
    lines = [f"### FlashInfer API, {old} to {new}", "", f"{summary(findings, rows).capitalize()}.", ""]
    for severity in Severity:
        group = [one for one in rows if one.kind.severity is severity]
        if not group:
            continue
        lines += [f"**{severity.value.capitalize()}** ({len(group)}). {MEANINGS[severity]}.", ""]
        lines += ["| symbol | change | where | a call that shows it |", "|---|---|---|---|"]
        for one in group[:TABLE_ROWS]:
            call = f"`{_cell(_cut(one.witness))}`: {_plain(one.witness.after)}" if one.witness else ""
            lines.append(
                f"| `{_cell(one.symbol)}` | {_plain(one.message)} | {_cell(_places(one))} | {call} |"
            )
        if len(group) > TABLE_ROWS:
            lines.append(f"| {len(group) - TABLE_ROWS} more | | | |")
        remedies = {one.kind.id: one.kind.remedy for one in group}
        lines += ["", *(f"- {name}: {remedy}" for name, remedy in remedies.items()), ""]
    lines += [f"_{line}_" for line in _left_out(findings, rows)]
    return "\n".join(lines).rstrip() + "\n"


def block(old: str, new: str, findings: Sequence[Finding]) -> dict[str, Any]:
    """What the main report holds of a diff: counts, of all and of those shown, and the findings to be seen first."""
    return {
        "from": old,
        "to": new,
        "shown": dict(sorted(Counter(one.kind.severity.value for one in shown(findings)).items())),
        "counts": dict(sorted(Counter(one.kind.severity.value for one in findings).items())),
        "classes": dict(sorted(Counter(one.kind.id for one in findings).items())),
        "findings": [one.to_json() for one in shown(findings)],
    }


def _places(one: Finding) -> str:
    sides = [f"{side.file}:{side.line}" for side in (one.old, one.new) if side]
    return " -> ".join(dict.fromkeys(sides))


def _left_out(findings: Sequence[Finding], rows: Sequence[Finding]) -> list[str]:
    kept = set(map(id, rows))
    rest = [one for one in findings if id(one) not in kept]
    if not rest:
        return []
    counts = Counter(one.kind.id for one in rest)
    listed = ", ".join(f"{count} {name}" for name, count in counts.most_common())
    return [f"Not shown (--all shows them): {listed}."]


def _cut(witness: Witness) -> str:
    """A witness's text of bearable length: of a long call its first arguments and those around what matters."""
    line = witness.text
    if len(line) <= CALL_CHARACTERS:
        return line
    head, _, inside = line.rpartition("(") if "(" not in line.rpartition("(")[2] else (line, "", "")
    given = inside.removesuffix(")").split(", ")
    at = next((n for n, one in enumerate(given) if one.partition("=")[0] == witness.focus), 0)
    kept = {at}
    for number in sorted(range(len(given)), key=lambda one: min(one, abs(one - at))):
        if len(head) + sum(len(given[one]) + 2 for one in {*kept, number}) > CALL_CHARACTERS - ELISIONS:
            break
        kept.add(number)
    words: list[str] = []
    for number, one in enumerate(given):
        if number in kept:
            words.append(one)
        elif words[-1:] != ["..."]:
            words.append("...")
    return f"{head}({', '.join(words)})"


def _cell(line: str) -> str:
    return line.replace("|", "\\|").replace("\n", " ")


def _plain(line: str) -> str:
    """A cell outside code, where a star would make words bold."""
    return _cell(line).replace("*", "\\*")
