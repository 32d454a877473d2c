"""`report.md`: the first screen and what is behind it, short enough for a pull-request comment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from matrix.report import replayed, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from matrix.report.model import AxisTable, Comparison, Finding, Report, Span

LIMIT = 60_000
ROOM_FOR_NOTE = 200
REASON_WIDTH = 400
MOST_ROWS = 12
"""Of a list of breaks or changes."""


def render(report: Report) -> str:
    """The report as GitHub Markdown under 60 kB; sections that do not fit are left out by name."""
    left_out: list[str] = []
    text = "\n".join(_first_screen(report))
    for name, lines in _sections(report):
        section = f"\n\n## {name}\n" + "\n".join(lines)
        if len((text + section).encode()) > LIMIT - ROOM_FOR_NOTE:
            left_out.append(name)
        else:
            text += section
    note = f"\n\nLeft out for length, see report.html: {', '.join(left_out)}." if left_out else ""
    return text + note + "\n"


def _first_screen(report: Report) -> list[str]:
    lines = [
        f"# {words.title(report)}: {words.result(report).lower()}",
        "",
        f"On {plain(words.machine(report))}. {len(report.cells)} cells: {words.counted(report.verdicts)}.",
        "",
    ]
    lines += _table(
        ("environment", "releases", "standing", "why", "what to do"),
        (_span(span) for span in report.spans if not span.faulty),
    )
    stands = dict.fromkeys(span.standing for span in report.spans)
    lines += ["", *(f"{words.SIGNS[stand]} {stand.value}: {words.MEANINGS[stand]}.  " for stand in stands)]
    return lines


def _sections(report: Report) -> Iterable[tuple[str, list[str]]]:
    if report.unexpected:
        yield "Unexpected", _findings(report.unexpected)
    if report.replays:
        yield "Replay: contracts and policies", [line for one in report.replays for line in _replay(one)]
    if report.comparison:
        yield "Against the earlier report", _comparison(report.comparison)
    if report.not_run:
        yield "What was not run", _findings(report.not_run)
    faulty = [span for span in report.spans if span.faulty]
    if faulty:
        yield (
            "Environments that are meant to fail",
            _table(("environment", "releases", "standing", "why", "what to do"), map(_span, faulty)),
        )
    if report.findings:
        yield "Every reason", _findings(report.findings)
    yield from _declared(report.declared or {})
    yield "Along each axis", [line for table in report.axes for line in _axis(table)]
    yield "Where the time went", _times(report)
    if report.expectations:
        yield "Expectations", _expectations(report)
    if report.warnings:
        yield "Warnings", [f"- {plain(warning)}" for warning in report.warnings]


def _replay(replay: Mapping[str, Any]) -> list[str]:
    sign = "✔" if replay["sound"] else "✘"
    return [
        f"- {sign} {plain(replayed.name(replay))}",
        *(f"  - ✘ {plain(line)}" for line in replayed.disagreements(replay)),
        *(f"  - {plain(line)}" for line in replayed.agreements(replay)),
    ]


def _declared(declared: Mapping[str, Any]) -> Iterable[tuple[str, list[str]]]:
    """How engines stand, and the API changes two releases at a time, so that some are shown where not all fit."""
    for table in declared.get("engines", ()):
        yield f"{table['engine']} by release of FlashInfer", _engine(table)
    for change in reversed(declared.get("changes", ())):
        yield f"API changes, {change['from']} to {change['to']}", _change(change)
    for history in declared.get("histories", ()):
        rows = ((plain(what), releases, code(value)) for what, releases, value in history["rows"])
        lines = _table(("what", "releases", "value"), rows)
        yield f"History of {history['symbol']}", ["<details>", "", *lines, "", "</details>"]


def _engine(table: Mapping[str, Any]) -> list[str]:
    rows = []
    for row in table["rows"]:
        spans = [
            f"{span['first'] if span['first'] == span['last'] else span['first'] + ' … ' + span['last']}: "
            f"{words.STATES[span['status']][0]} {words.STATES[span['status']][2]}"
            for span in row["ranges"]
        ]
        broken = " (breaks on it)" if row["own_pin"] in {"call", "import"} else ""
        came = [f"{release}: {words.counted(counts)}" for release, counts in row["replayed"].items()]
        came += [
            f"{release}: {agreed[0]} {plain(agreed[2])}"
            for release, sides in row["sides"].items()
            if (agreed := words.agreed(sides))
        ]
        wrong = words.wrong(row)
        rows.append(
            (
                row["release"],
                row["pin"] + broken,
                (code(row["works"]) if row["works"] else "none tested")
                + (f"<br>no worse than on its pin: {code(row['no_worse'])}" if row.get("no_worse") else "")
                + (f"<br>✘ wrong results when replayed on {', '.join(wrong)}" if wrong else ""),
                "<br>".join(spans),
                "<br>".join(came) or "no",
            )
        )
    shown = table["breaks"][:MOST_ROWS]
    lines = _table(("release", "pin", "can live with", "as read", "replayed here"), rows)
    lines += ["", f"<details><summary>{len(table['breaks'])} breaks</summary>", ""]
    lines += _table(
        ("symbol", "reason", table["engine"], "FlashInfer", "where"),
        (
            (
                code(one["symbol"]),
                plain(one["reason"]),
                one["engine_releases"],
                one["flashinfer"],
                f"{plain(one['file'])}:{one['line']}",
            )
            for one in shown
        ),
    )
    return [*lines, *_more(table["breaks"], shown), "", "</details>"]


def _change(change: Mapping[str, Any]) -> list[str]:
    shown = change["findings"][:MOST_ROWS]
    rows = (
        (
            code(one["symbol"]),
            f"{words.SEVERITIES[one['severity']][0]} {one['severity']}: {plain(one['message'])}",
            code(one["witness"]["text"]) + ": " + plain(one["witness"]["after"]) if one["witness"] else "",
        )
        for one in shown
    )
    lines = [
        "",
        *_table(("symbol", "change", "a call that shows it"), rows),
        *_more(change["findings"], shown),
    ]
    kernels = (
        ["", "GPU kernels:", *(f"- {plain(line)}" for line in change["kernels"])] if change["kernels"] else []
    )
    return [f"<details><summary>{words.changed(change)}</summary>", *lines, *kernels, "", "</details>"]


def _more(rows: Sequence[object], shown: Sequence[object]) -> list[str]:
    left = len(rows) - len(shown)
    return ["", f"{left} more in report.html and report.json."] if left else []


def _span(span: Span) -> tuple[str, ...]:
    why = [
        f"{finding.verdict} at {finding.stage}, {finding.cells} of {span.cells} cells: {code(finding.reason)}"
        for finding in span.why[:3]
    ]
    if len(span.why) > 3:
        why.append(f"and {words.more(len(span.why) - 3)}")
    standing = f"{words.SIGNS[span.standing]} **{span.standing.value}**"
    return (
        plain(span.environment),
        words.since(span),
        standing,
        "<br>".join(why),
        "<br>".join(map(plain, span.todo)),
    )


def _findings(findings: Sequence[Finding]) -> list[str]:
    return _table(
        ("verdict", "cells", "releases", "environments", "reason", "what to do"), map(_finding, findings)
    )


def _finding(finding: Finding) -> tuple[str, ...]:
    outcomes = (
        ""
        if len(finding.outcomes) == 1 and "EXPECTED" in finding.outcomes
        else words.counted(finding.outcomes)
    )
    known = [plain(reason) + (f" ({link})" if link else "") for reason, link in finding.known]
    reason = [
        code(finding.reason) if finding.reason else "",
        plain(words.where(finding)),
        *map(plain, finding.notes),
        *known,
    ]
    return (
        f"{finding.verdict} {finding.stage}" + (f"<br>{outcomes}" if outcomes else ""),
        str(finding.cells),
        finding.releases,
        plain(", ".join(finding.environments)),
        "<br>".join(filter(None, reason)),
        plain(words.remedy(finding)),
    )


def _axis(table: AxisTable) -> list[str]:
    rows = (
        (plain(value), *(words.counted(counts) for counts in columns))
        for value, columns in table.rows.items()
    )
    return [
        "",
        f"<details><summary>{table.axis}</summary>",
        "",
        *_table((table.axis, *table.columns), rows),
        "",
        "</details>",
    ]


def _times(report: Report) -> list[str]:
    rows = (
        (row.name, str(row.number), words.seconds(row.total), words.seconds(row.slowest))
        for row in words.times(report)
    )
    return _table(("stage", "results", "together", "slowest"), rows)


def _expectations(report: Report) -> list[str]:
    unused = [entry for entry, used in report.expectations if not used and entry not in report.expired]
    lines = [
        f"- line {entry.line} decided {used} cells: {plain(entry.reason)}"
        for entry, used in report.expectations
        if used
    ]
    lines += [
        f"- line {entry.line} **expired on {entry.expires}**: {plain(entry.reason)}"
        for entry in report.expired
    ]
    if unused:
        lines.append(f"- met no cell here: line {', '.join(str(entry.line) for entry in unused)}")
    return lines


def _comparison(comparison: Comparison) -> list[str]:
    numbers = f"{comparison.same} cells the same, {comparison.added} added, {comparison.removed} gone"
    lines = [f"Against {plain(comparison.against)}: {numbers}.", ""]
    rows = (
        (
            f"{change.direction}: {change.before} → {change.after}",
            str(change.cells),
            change.releases,
            plain(", ".join(change.environments)),
            code(change.reason),
        )
        for change in comparison.changes
    )
    return lines + _table(("change", "cells", "releases", "environments", "reason now"), rows)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    body = [f"| {' | '.join(row)} |" for row in rows]
    if not body:
        return ["Nothing."]
    return [f"| {' | '.join(header)} |", "|" + "---|" * len(header), *body]


def plain(text: str) -> str:
    """Text that Markdown must not read: no HTML, no mention, no table cell of its own."""
    line = " ".join(text.split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|#~@])", r"\\\1", line).replace("\\@", "&#64;").replace("\\#", "&#35;")


def code(text: str) -> str:
    """Text as it is, in a code span that it cannot leave."""
    line = " ".join(text.split())
    if len(line) > REASON_WIDTH:
        line = line[: REASON_WIDTH - 1] + "…"
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}".replace("|", "\\|")
