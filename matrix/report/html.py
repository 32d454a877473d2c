"""`report.html`: one file without network; first screen the answer, cells filtered in the browser."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from matrix.report import replayed, words
from matrix.report.document import dumps
from matrix.report.embed import embed
from matrix.report.findings import key
from matrix.report.model import Standing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matrix.report.model import Finding, Report

ROOM = Path(__file__).parent
MOST_FINDINGS = 150
KINDS = {
    Standing.SAFE: "good",
    Standing.BINDS: "part",
    Standing.FALLS_BACK: "back",
    Standing.UNSAFE: "bad",
    Standing.UNKNOWN: "none",
}
GOOD_KINDS = {"PASS": "good", "FALLBACK": "back", "UNSUPPORTED": "back", "NOT_RUN": "none", "MISSING": "none"}
GOOD_SIGNS = {"PASS": "✔", "FALLBACK": "↩", "UNSUPPORTED": "⊘", "NOT_RUN": "○", "MISSING": "?"}


def render(report: Report) -> str:
    """The page; all that came from a run is escaped, script and style are pinned by their hashes."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    style, script = ((ROOM / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    findings = [*report.findings, *report.not_run]
    numbers = {_key(finding): number for number, finding in enumerate(findings)}
    data = embed(report, findings)
    verdicts = data["values"][data["columns"].index("verdict")]
    data["kinds"] = {verdict: kind(verdict) for verdict in verdicts}
    data["signs"] = {verdict: sign(verdict) for verdict in verdicts}
    template = Environment(
        loader=FileSystemLoader(ROOM),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template("page.html.jinja")
    return template.render(
        report=report,
        words=words,
        replayed=replayed,
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        policy=f"default-src 'none'; style-src {_pin(style)}; script-src {_pin(script)}; base-uri 'none'",
        left_out=data["left_out"],
        data=Markup(_for_script(data)),  # noqa: S704 - escaped for a script element
        number=lambda finding: numbers.get(_key(finding), -1),
        most=MOST_FINDINGS,
        standing_kinds=KINDS,
        kind=kind,
        sign=sign,
        pretty=_pretty,
        commands=_commands,
        web=lambda link: link.startswith(("https://", "http://")),
    )


def kind(verdict: str) -> str:
    """The colour class of a verdict."""
    return GOOD_KINDS.get(verdict, "bad")


def sign(verdict: str) -> str:
    """The sign of a verdict, so that colour is never the only one."""
    return GOOD_SIGNS.get(verdict, "✘")


def _key(finding: Finding) -> tuple[str, str, str]:
    return key(finding.verdict, finding.stage, finding.mask)


def _pin(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _for_script(data: Mapping[str, Any]) -> str:
    """JSON that cannot close the script element that holds it."""
    return dumps(data).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _commands(text: str) -> Markup:
    """Text whose command, from `kernel-matrix` to the end, stands out."""
    before, name, after = text.partition("kernel-matrix ")
    return Markup("{}<code>{}</code>").format(before, name + after) if name else escape(text)


def _pretty(evidence: Mapping[str, Any]) -> str:
    return json.dumps(evidence, indent=2, ensure_ascii=False, default=str)
