"""A run folder, read back: its plan and its journal."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from matrix.errors import InputError
from matrix.run import journal

if TYPE_CHECKING:
    from pathlib import Path

PLAN = "plan.json"
JOURNAL = "journal.jsonl"
DECLARED = "declared.json"


@dataclass(frozen=True, kw_only=True)
class Run:
    """What was planned, what came of it, and what the sources of the tested releases declare, where that was read.

    `replays` is what each replayed engine said apart from its cells, by environment.
    """

    plan: dict[str, Any]
    journal: journal.Record
    declared: dict[str, Any] | None = None
    replays: dict[str, dict[str, Any]] = field(default_factory=dict)


def read(folder: Path) -> Run:
    """Read a run folder; where the journal is missing, nothing ran.

    Raises:
        InputError: no such folder, no plan in it, or a file of another schema.
    """
    plan = document(folder / PLAN, "plan", "Give the folder that 'kernel-matrix run --out DIR' wrote.")
    path = folder / JOURNAL
    return Run(
        plan=plan,
        journal=journal.read(path) if path.exists() else journal.Record(header={}),
        declared=_declared(folder / DECLARED),
        replays={line["environment"]: line for line in lines(folder, "replay")},
    )


def _declared(path: Path) -> dict[str, Any] | None:
    """What was kept; None where nothing was, or where it is torn or another version's: it can be read again."""
    with suppress(InputError):
        return document(path, "declared", "")
    return None


def lines(folder: Path, only: str = "") -> list[dict[str, Any]]:
    """Every whole line of a run folder's journal, or of one kind; kinds that this version does not know among them."""
    path = folder / JOURNAL
    if not path.exists():
        return []
    found = []
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if only and not text.startswith(f'{{"kind": "{only}"'):
            continue
        with suppress(ValueError):
            line = json.loads(text)
            if isinstance(line, dict) and "kind" in line:
                found.append(line)
    return found


def document(path: Path, kind: str, remedy: str) -> dict[str, Any]:
    """Read a JSON document of this tool.

    Args:
        path: the file.
        kind: what it should hold: `plan` or `report`.
        remedy: what to do where it cannot be read.

    Raises:
        InputError: not readable, not JSON, or another schema.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}.", remedy) from error
    wanted = f"kernel-matrix/{kind}/1"
    found = data.get("schema") if isinstance(data, dict) else None
    if found != wanted:
        raise InputError(
            f"{path}: schema is {found!r}, not '{wanted}'.",
            "Read it with the version of Kernel Matrix that wrote it.",
        )
    assert isinstance(data, dict)
    return data
