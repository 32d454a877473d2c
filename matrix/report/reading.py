"""A run folder, read back: `plan.json` and every line of `journal.jsonl`."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from matrix.errors import InputError
from matrix.verdicts import Result

if TYPE_CHECKING:
    from pathlib import Path

PLAN = "plan.json"
JOURNAL = "journal.jsonl"


@dataclass(frozen=True, kw_only=True)
class Journal:
    """Lines of a journal by kind, in the order they were written."""

    header: dict[str, Any] = field(default_factory=dict)
    environments: dict[str, dict[str, Any]] = field(default_factory=dict)
    workers: list[dict[str, Any]] = field(default_factory=list)
    starts: set[str] = field(default_factory=set)
    ends: list[Result] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Run:
    """What was planned and what came of it."""

    plan: dict[str, Any]
    journal: Journal


def read(folder: Path) -> Run:
    """Read a run folder; a missing journal is an empty one.

    Raises:
        InputError: no such folder, no plan, or a file of another schema.
    """
    path = folder / PLAN
    try:
        plan = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(
            f"{folder} is no run folder: {PLAN} is missing.",
            "Give the folder that 'kernel-matrix run --out DIR' wrote.",
        ) from error
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}.", "Run again, or restore the file.") from error
    check_schema(plan, "plan", path)
    return Run(plan=plan, journal=read_journal(folder / JOURNAL))


def check_schema(data: Any, kind: str, path: Path) -> None:
    """Refuse a document of another kind or of a later version."""
    wanted = f"kernel-matrix/{kind}/1"
    found = data.get("schema") if isinstance(data, dict) else None
    if found != wanted:
        raise InputError(
            f"{path}: schema is {found!r}, not '{wanted}'.",
            "Read it with the version of Kernel Matrix that wrote it.",
        )


def read_journal(path: Path) -> Journal:
    """Read a journal; lines that cannot be read are dropped with a warning, unknown kinds without one."""
    journal = Journal()
    if not path.exists():
        journal.warnings.append(f"{JOURNAL} is missing: nothing ran.")
        return journal
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            _take(line, number, journal, path)
    return journal


def _take(line: str, number: int, journal: Journal, path: Path) -> None:
    try:
        _sort(json.loads(line), journal, path)
    except (ValueError, KeyError, TypeError) as error:
        what = f"cannot be read ({error})" if line.endswith("\n") else "is torn"
        journal.warnings.append(f"{JOURNAL}, line {number} {what} and is left out.")


def _sort(record: dict[str, Any], journal: Journal, path: Path) -> None:
    kind = record["kind"]
    if kind == "end":
        journal.ends.append(Result.from_json(record))
    elif kind == "start":
        journal.starts.add(record["cell"])
    elif kind == "environment":
        journal.environments[record["id"]] = record
    elif kind == "worker":
        journal.workers.append(record)
    elif kind == "header":
        check_schema(record, "journal", path)
        journal.header.update(record)
