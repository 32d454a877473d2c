"""The first screen as plain lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matrix.report import replayed, words
from matrix.report.model import Standing

if TYPE_CHECKING:
    from matrix.report.model import Report, Span

REASON_WIDTH = 150


def lines(report: Report) -> list[str]:
    """Which releases are safe, since when, why, and what to do; then the run's own outcome."""
    found = [f"On {words.machine(report)}:"]
    for environment, spans in words.by_environment(report, faulty=False).items():
        found.append(f"{environment}: {words.sentence(spans)}")
        for span in spans:
            found += _why(span)
    for environment, spans in words.by_environment(report, faulty=True).items():
        found.append(f"{environment}, meant to fail: {words.sentence(spans)}")
        for span in spans:
            found += _why(span) if span.standing is Standing.UNSAFE else []
    for replay in report.replays:
        found += [f"{replayed.name(replay)}: {_short(line)}" for line in replayed.disagreements(replay)]
    found.append(f"{len(report.cells)} cells: {words.counted(report.verdicts)}.")
    found.append(f"{words.result(report)} (exit code {int(report.exit_code)}).")
    found += [f"warning: {warning}" for warning in report.warnings]
    found += [
        f"warning: {report.expectations_path}, line {entry.line}: expired on {entry.expires}"
        for entry in report.expired
    ]
    return found


def _why(span: Span) -> list[str]:
    found = [f"  {words.SIGNS[span.standing]} {words.since(span)}: {span.standing.value}"]
    found += [
        f"      {finding.verdict} {finding.stage} ({finding.cells} cells): {_short(finding.reason)}"
        for finding in span.why[:3]
    ]
    if len(span.why) > 3:
        found.append(f"      and {words.more(len(span.why) - 3)}")
    return found + [f"      -> {' '.join(step.split())}" for step in span.todo]


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= REASON_WIDTH else line[: REASON_WIDTH - 1] + "…"
