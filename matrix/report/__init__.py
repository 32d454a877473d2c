"""All answers of a run side by side: one document, and a renderer a format that only reads it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from matrix.report import badge, document, html, junit, markdown, reading
from matrix.report.build import build
from matrix.report.compare import compare
from matrix.report.model import Report, Standing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["RENDERERS", "Report", "Standing", "build", "write"]

RENDERERS: dict[str, Callable[[Report], str]] = {
    "report.json": document.render,
    "report.md": markdown.render,
    "report.html": html.render,
    "junit.xml": junit.render,
    "badge.json": badge.render,
}


def write(run_dir: Path, expectations_path: Path | None = None, *, against: Path | None = None) -> Report:
    """Judge a run folder and write every report file into it.

    Args:
        run_dir: a folder with `plan.json` and `journal.jsonl`.
        expectations_path: the expectations file; None for the default one.
        against: the folder of an earlier report, to say what changed.

    Returns:
        The report, with `exit_code` and `summary_lines()`.

    Raises:
        InputError: no run folder, or an expectations file that does not hold.
    """
    report = build(reading.read(run_dir), expectations_path)
    if against:
        report = replace(report, comparison=compare(report.cells, against))
    save(report, run_dir)
    return report


def save(report: Report, folder: Path) -> None:
    """Write every format; each file is replaced at once, so that none is ever half written."""
    for name, render in RENDERERS.items():
        scratch = folder / f".{name}.new"
        scratch.write_text(render(report), encoding="utf-8")
        scratch.replace(folder / name)
