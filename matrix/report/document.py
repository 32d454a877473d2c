"""`report.json`: one document, a cell a line, checked by `report.schema.json`."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from matrix import __version__
from matrix.report.model import SCHEMA, Comparison, Finding, Report, Span

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matrix.report.model import AxisTable, Cell, Environment

HEAD = ("hash", "created", "command", "selection", "strength", "coverage", "stages", "releases")


def render(report: Report) -> str:
    """The report as JSON text; every entry of a long list stands on its own line."""
    parts = [f"{dumps(key)}: {_value(value)}" for key, value in head(report).items()]
    parts.append(f'"cells": {_lines(cell(each) for each in report.cells)}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _value(value: Any) -> str:
    return _lines(value) if isinstance(value, list) and value and isinstance(value[0], dict) else dumps(value)


def _lines(values: Iterable[Any]) -> str:
    text = ",\n  ".join(map(dumps, values))
    return f"[\n  {text}\n]" if text else "[]"


_STRICT = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=str)


def dumps(value: Any) -> str:
    """JSON on one line; a number that JSON does not know becomes its name as text."""
    try:
        return _STRICT.encode(value)
    except ValueError:
        return _STRICT.encode(_finite(value))


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, (list, tuple)) else value


def head(report: Report) -> dict[str, Any]:
    """The whole document but its cells."""
    return {
        "schema": SCHEMA,
        "tool_version": __version__,
        "plan": {key: report.plan.get(key) for key in HEAD},
        "exit_code": int(report.exit_code),
        "counts": {
            "cells": len(report.cells),
            "verdicts": dict(report.verdicts),
            "outcomes": dict(report.outcomes),
        },
        "spans": [span(each) for each in report.spans],
        "findings": [finding(each) for each in report.findings],
        "unexpected": [finding(each) for each in report.unexpected],
        "not_run": [finding(each) for each in report.not_run],
        "axes": [_axis(each) for each in report.axes],
        "environments": [_environment(each) for each in report.environments],
        "times": {
            "stages": [
                {"stage": stage, "results": number, "seconds": round(total, 3), "slowest": round(slowest, 3)}
                for stage, (number, total, slowest) in report.stage_seconds.items()
            ],
            "build_seconds": round(sum(each.build_seconds for each in report.environments), 3),
            "import_seconds": round(sum(each.import_seconds for each in report.environments), 3),
        },
        "expectations": {
            "file": report.expectations_path,
            "entries": [entry.to_json() | {"cells_decided": used} for entry, used in report.expectations],
            "expired": [entry.number for entry in report.expired],
        },
        "warnings": list(report.warnings),
        "replays": list(report.replays),
        "declared": report.declared,
        "comparison": _comparison(report.comparison) if report.comparison else None,
    }


def cell(each: Cell) -> dict[str, Any]:
    """One cell with the result of every stage."""
    return {
        "id": each.id,
        "release": each.release,
        "environment": each.environment,
        "environment_id": each.environment_id,
        **each.axes,
        "must": each.must,
        "verdict": each.verdict.value if each.verdict else None,
        "stage": each.stage,
        "reason": each.reason,
        "remedy": each.remedy,
        "outcome": each.outcome.value,
        "expectations": [entry.number for entry in each.expectations],
        "note": each.note,
        "results": [
            {
                "stage": result.stage,
                "verdict": result.verdict.value,
                "reason": result.reason,
                "remedy": result.remedy,
                "seconds": result.seconds,
                "evidence": result.evidence,
            }
            for result in each.results
        ],
    }


def span(each: Span) -> dict[str, Any]:
    """A range of releases that stand alike."""
    return {
        "environment": each.environment,
        "faulty": each.faulty,
        "standing": each.standing.value,
        "first": each.releases[0],
        "last": each.releases[-1],
        "releases": list(each.releases),
        "cells": each.cells,
        "counts": dict(each.counts),
        "why": [finding(one) for one in each.why],
        "notes": [finding(one) for one in each.notes],
        "todo": list(each.todo),
    }


def finding(each: Finding) -> dict[str, Any]:
    """Cells that answered alike."""
    return {
        "verdict": each.verdict,
        "stage": each.stage,
        "reason": each.reason,
        "remedy": each.remedy,
        "remedies": each.remedies,
        "cells": each.cells,
        "releases": each.releases,
        "versions": list(each.versions),
        "environments": list(each.environments),
        "axes": {axis: list(values) for axis, values in each.axes.items()},
        "outcomes": dict(each.outcomes),
        "notes": list(each.notes),
        "known": [{"reason": reason, "link": link} for reason, link in each.known],
        "example": each.example,
        "evidence": dict(each.evidence),
    }


def _axis(each: AxisTable) -> dict[str, Any]:
    return {
        "axis": each.axis,
        "columns": list(each.columns),
        "rows": [
            {"value": value, "counts": [dict(counted) for counted in columns]}
            for value, columns in each.rows.items()
        ],
    }


def _environment(each: Environment) -> dict[str, Any]:
    return {
        "id": each.id,
        "release": each.release,
        "name": each.name,
        "recipe": each.recipe,
        "python": each.python,
        "torch": each.torch,
        "faulty": each.faulty,
        "why": each.why,
        "verdict": each.verdict,
        "reason": each.reason,
        "remedy": each.remedy,
        "build_seconds": each.build_seconds,
        "import_seconds": each.import_seconds,
        "fingerprint": dict(each.fingerprint),
    }


def _comparison(each: Comparison) -> dict[str, Any]:
    return {
        "against": each.against,
        "same": each.same,
        "added": each.added,
        "removed": each.removed,
        "changes": [
            {
                "before": change.before,
                "after": change.after,
                "direction": change.direction,
                "reason": change.reason,
                "cells": change.cells,
                "releases": change.releases,
                "environments": list(change.environments),
                "example": change.example,
            }
            for change in each.changes
        ],
    }
