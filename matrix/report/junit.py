"""`junit.xml`: a suite an environment, a case a cell, for systems that show nothing else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from matrix.expectations import Outcome

if TYPE_CHECKING:
    from matrix.report.model import Cell, Report

_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ELEMENTS = {
    Outcome.UNEXPECTED: "failure",
    Outcome.XPASS: "failure",
    Outcome.MISSING: "error",
    Outcome.XFAIL: "skipped",
    Outcome.FLAKY: "skipped",
    Outcome.NOT_RUN: "skipped",
}


def render(report: Report) -> str:
    """The report as JUnit XML; XFAIL, FLAKY and NOT_RUN are skipped cases, a missing result is an error."""
    suites: dict[str, list[Cell]] = {}
    for cell in report.cells:
        suites.setdefault(cell.environment_id, []).append(cell)
    body = "\n".join(_suite(name, cells) for name, cells in suites.items())
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="kernel-matrix">\n{body}\n</testsuites>\n'
    )


def _suite(name: str, cells: list[Cell]) -> str:
    elements = [_ELEMENTS.get(cell.outcome) for cell in cells]
    time = sum(result.seconds for cell in cells for result in cell.results)
    numbers = " ".join(
        f'{attribute}="{elements.count(element)}"'
        for attribute, element in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"))
    )
    cases = "\n".join(_case(cell, element) for cell, element in zip(cells, elements, strict=True))
    return (
        f'<testsuite name="{_attribute(name)}" tests="{len(cells)}" {numbers} time="{time:.3f}">\n'
        f"{cases}\n</testsuite>"
    )


def _case(cell: Cell, element: str | None) -> str:
    time = sum(result.seconds for result in cell.results)
    names = f'classname="{_attribute(cell.environment_id)}" name="{_attribute(cell.id)}"'
    opening = f'<testcase {names} time="{time:.3f}"'
    if element is None:
        return opening + "/>"
    verdict = cell.verdict.value if cell.verdict else "no result"
    message = f"{cell.outcome.value}: {verdict} {cell.stage}: {cell.reason}"
    detail = "\n".join(filter(None, (cell.note, cell.remedy)))
    return f'{opening}><{element} message="{_attribute(message)}">{_text(detail)}</{element}></testcase>'


def _text(text: str) -> str:
    return escape(_ILLEGAL.sub("\ufffd", text))


def _attribute(text: str) -> str:
    return escape(_ILLEGAL.sub("\ufffd", text), {'"': "&quot;", "\n": "&#10;", "\t": "&#9;", "\r": "&#13;"})
