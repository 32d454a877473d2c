"""`badge.json`: the answer for the newest release, in the form that badge services read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from matrix.errors import Exit
from matrix.report.model import Standing

if TYPE_CHECKING:
    from matrix.report.model import Report

_COLORS = {
    Standing.SAFE: "brightgreen",
    Standing.BINDS: "green",
    Standing.FALLS_BACK: "yellow",
    Standing.UNSAFE: "red",
    Standing.UNKNOWN: "lightgrey",
}
_WORST_FIRST = (Standing.UNSAFE, Standing.UNKNOWN, Standing.FALLS_BACK, Standing.BINDS, Standing.SAFE)


def render(report: Report) -> str:
    """The standing of the newest tested release, the worst of its environments that are not meant to fail."""
    newest = report.tested[-1] if report.tested else "nothing"
    stands = [span.standing for span in report.spans if not span.faulty and newest in span.releases]
    worst = min(stands, key=_WORST_FIRST.index, default=Standing.UNKNOWN)
    unexpected = report.exit_code is Exit.UNEXPECTED
    message = f"{newest} {worst.value}" + ", unexpected verdicts" * unexpected
    return json.dumps(
        {
            "schemaVersion": 1,
            "label": "flashinfer",
            "message": message,
            "color": "red" if unexpected else _COLORS[worst],
        }
    )
