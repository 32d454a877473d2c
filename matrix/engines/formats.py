"""The report of `check-consumer` as text, Markdown, GitHub annotations and SARIF."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from matrix import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from matrix.engines.consumer import Judged, Report
    from matrix.engines.risks import Note

_NOTES = 40
_RISK = "at-risk"


def text(report: Report, *, everything: bool = False) -> str:
    """For a terminal; with `everything` also what binds."""
    lines = [
        f"{title(report)}: {_verdict(report)}",
        f"  {sum(report.counts.values())} uses in {report.release.files} files; {_calls(report)}",
    ]
    for heading, found in sections(report):
        lines += ["", f"{heading} ({len(found)})"]
        lines += [line for one in found for line in _entry(one)]
    if everything:
        bound = [one for one in report.uses if one.judgement.verdict.value == "bound"]
        lines += ["", f"Bound ({len(bound)})", *(line for one in bound for line in _entry(one))]
    for heading, notes in (("At risk", report.risks), ("New and unused", report.new)):
        if notes:
            lines += ["", f"{heading} ({len(notes)})"]
            lines += [f"  {note.symbol}: {note.text}{_at(note)}" for note in notes[:_NOTES]]
            lines += [f"  ... and {len(notes) - _NOTES} more (--json has all)"] if len(notes) > _NOTES else []
    lines += [f"  not read: {file}: {why}" for file, why in report.release.problems]
    return "\n".join([*lines, *(f"note: {notice}" for notice in report.notices)])


def markdown(report: Report) -> str:
    """For the pull request that bumps the pin."""
    lines = [
        f"### {title(report)}: {_verdict(report)}",
        "",
        f"{sum(report.counts.values())} uses, {_calls(report)}.",
    ]
    for heading, found in sections(report):
        table = ["| where | what | why | in which releases |", "|---|---|---|---|"]
        for one in found:
            why = one.judgement.reason + (f"; {one.judgement.guard}" if one.judgement.guard else "")
            where = f"`{one.use.file}:{one.use.line}`"
            table.append(f"| {where} | `{one.use.symbol}` | {_cell(why)} | {one.since} |")
        head = f"{heading} ({len(found)})"
        lines += ["", f"**{head}**", "", *table] if any(one.breaks for one in found) else _folded(head, table)
    for heading, notes in (("At risk", report.risks), ("New and unused", report.new)):
        if notes:
            listed = [f"- `{note.symbol}`: {_cell(note.text)}{_at(note)}" for note in notes[:_NOTES]]
            listed += [f"- and {len(notes) - _NOTES} more"] if len(notes) > _NOTES else []
            lines += _folded(f"{heading} ({len(notes)})", listed)
    lines += ["", *(f"> not read: `{file}`: {_cell(why)}" for file, why in report.release.problems)]
    lines += [f"> {notice}" for notice in report.notices]
    return "\n".join(lines).rstrip()


def _folded(title: str, lines: list[str]) -> list[str]:
    return ["", "<details>", f"<summary>{title}</summary>", "", *lines, "", "</details>"]


def github(report: Report) -> str:
    """Workflow commands that annotate the lines of a pull request."""
    lines = []
    for one in report.uses:
        if one.judgement.alarming:
            level = "error" if one.breaks else "notice"
            message = _escaped(
                f"{one.use.symbol}: {one.judgement.reason}{f' ({one.since})' if one.since else ''}"
            )
            lines.append(
                f"::{level} file={one.use.file},line={one.use.line},title={title(report)}::{message}"
            )
    lines += [
        f"::warning file={where.rpartition(':')[0]},line={where.rpartition(':')[2]},title=At risk::"
        f"{_escaped(f'{note.symbol}: {note.text}')}"
        for note in report.risks
        for where in note.where[:1]
    ]
    return "\n".join(lines)


def sarif(report: Report) -> dict[str, Any]:
    """SARIF 2.1.0, for code scanning: breaks as errors, known ones as notes, risks as warnings."""
    results = [
        _result(
            one.judgement.cls,
            "error" if one.breaks else "note",
            f"{one.use.symbol}: {one.judgement.reason}",
            f"{one.use.file}:{one.use.line}",
        )
        for one in report.uses
        if one.judgement.alarming
    ]
    results += [
        _result(_RISK, "warning", f"{note.symbol}: {note.text}", where)
        for note in report.risks
        for where in note.where
    ]
    rules = sorted({result["ruleId"] for result in results})
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "kernel-matrix",
                        "version": __version__,
                        "rules": [
                            {"id": rule, "shortDescription": {"text": rule.replace("-", " ")}}
                            for rule in rules
                        ],
                    }
                },
                "results": results,
            }
        ],
    }


def _result(rule: str, level: str, message: str, where: str) -> dict[str, Any]:
    file, _, line = where.rpartition(":")
    place = {"artifactLocation": {"uri": quote(file)}, "region": {"startLine": max(1, int(line))}}
    return {
        "ruleId": rule,
        "level": level,
        "message": {"text": message},
        "locations": [{"physicalLocation": place}],
    }


def sections(report: Report) -> list[tuple[str, list[Judged]]]:
    """What a reader should see use by use, worst first; empty sections left out."""
    wanted: list[tuple[str, Callable[[Judged], bool]]] = [
        ("Breaks", lambda one: one.breaks),
        ("Known and let pass", lambda one: bool(one.known)),
        ("Missing but caught", lambda one: one.judgement.verdict.value == "guarded"),
        ("Not checkable", lambda one: one.judgement.verdict.value == "not checkable"),
    ]
    found = [(heading, [one for one in report.uses if chosen(one)]) for heading, chosen in wanted]
    return [(heading, uses) for heading, uses in found if uses]


def title(report: Report) -> str:
    """Who meets whom."""
    return f"{report.release.engine} {report.release.release} on FlashInfer {report.flashinfer}"


def _calls(report: Report) -> str:
    unclear, calls = report.unclear
    branches = f", {report.branches} more judged where their name is FlashInfer's" if report.branches else ""
    return f"{calls} calls, {unclear} of them not checkable ({unclear / calls if calls else 0:.1%}){branches}"


def _verdict(report: Report) -> str:
    if not report.broken:
        return "nothing breaks"
    module = sum(
        one.use.level == "module" and one.judgement.verdict.value == "broken at import"
        for one in report.broken
    )
    return f"{len(report.broken)} uses break{f', {module} as a module is imported' if module else ''}"


def _entry(one: Judged) -> list[str]:
    judgement = one.judgement
    lines = [
        f"  {one.use.file}:{one.use.line}  {one.use.symbol}",
        f"      {judgement.verdict.value}: {judgement.reason}",
    ]
    lines += [f"      caught: {judgement.guard}"] if judgement.guard else []
    lines += [f"      known: {one.known}"] if one.known else []
    there = ", ".join(part for part in (judgement.there, one.since) if part)
    return lines + ([f"      {there}"] if there else [])


def _at(note: Note) -> str:
    if not note.where:
        return ""
    return f" ({note.where[0]}{f' and {len(note.where) - 1} more' if len(note.where) > 1 else ''})"


def _cell(value: str) -> str:
    return value.replace("|", "\\|").replace("\n", " ")


def _escaped(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
