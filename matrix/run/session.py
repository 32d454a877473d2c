"""A run from a plan to a report: the folder, the supervisor, and what is left when something stops it."""

from __future__ import annotations

import json
import os
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matrix import __version__, report
from matrix.cells.cell import Cell
from matrix.environments import recipes
from matrix.environments.build import Environment
from matrix.environments.fingerprint import Gpu, gpus
from matrix.environments.installer import Installer, find_python
from matrix.errors import EnvironmentBuildError, InputError
from matrix.expectations import load as load_expectations
from matrix.run import journal
from matrix.run.journal import Journal
from matrix.run.plan import SCHEMA, Plan
from matrix.run.progress import Watcher
from matrix.run.supervisor import Options, Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable

    from matrix.report import Report

DEFAULT_FOLDER = Path(".kernel-matrix/runs")


def jobs(machine: list[Gpu], asked: int | None) -> int:
    """Workers at a time: what was asked for, else one a GPU, else one a core."""
    if asked is not None:
        return asked
    return len(machine) or len(os.sched_getaffinity(0))


def create(plan: Plan, out: Path | None) -> Path:
    """Make the run folder, with the plan and an empty journal in it.

    Raises:
        InputError: the folder holds a run already, or cannot be made.
    """
    name = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H-%M-%S")
    folder = out or DEFAULT_FOLDER / name
    path = folder / "journal.jsonl"
    if path.exists() and path.stat().st_size:
        raise InputError(
            f"{folder} holds a run already.",
            f"Go on with it by `kernel-matrix resume {folder}`, or name another folder with --out.",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "plan.json").write_text(json.dumps(plan.document, indent=1), encoding="utf-8")
        Journal(path=path).write(
            "header",
            schema=journal.SCHEMA,
            plan=plan.document["hash"],
            tool_version=__version__,
            created=plan.document["created"],
        )
    except OSError as error:
        raise InputError(
            f"cannot write into {folder}: {error.strerror}.", "Name another with --out."
        ) from error
    return folder


def check(plan: Plan, wheels: Path | None, expectations: Path | None) -> None:
    """Find mistakes of the user's that would otherwise show after an hour, or as a verdict of every cell.

    Raises:
        InputError: no installer, no wheels in the folder, a Python that is not here, or expectations that do
            not hold.
    """
    Installer.find(wheels)
    for python in {environment.python for environment in plan.environments}:
        find_python(python)
    load_expectations(expectations)


def execute(plan: Plan, folder: Path, options: Options, wheels: Path | None) -> None:
    """Answer every cell of the plan that the journal does not hold yet.

    Raises:
        InputError: another process is running this folder.
        EnvironmentBuildError: not one environment could be built.
        KeyboardInterrupt: the user stopped it; the journal holds everything until then.
    """
    with journal.held(folder / "journal.jsonl"), Watcher(total=len(plan.cells)) as watcher:
        supervisor = Supervisor(
            plan=plan,
            out=folder,
            installer=Installer.find(wheels),
            gpus=gpus(),
            options=options,
            watcher=watcher,
        )
        supervisor.run()
    records = journal.read(folder / "journal.jsonl").environments
    if records and all(record.get("verdict") for record in records):
        raise EnvironmentBuildError(
            "not one environment could be built; the reasons stand above and in the report.",
            records[-1]["remedy"],
        )


def finish(folder: Path, expectations: Path | None) -> Report:
    """Write the report files of a run, whole or cut short."""
    return report.write(folder, expectations)


def add_declared(
    folder: Path, level: str, expectations: Path | None, told: Callable[[str], None]
) -> Report | None:
    """Write the report anew with what the sources declare; None where there is nothing more to say."""
    from matrix.report import declared

    return report.write(folder, expectations) if declared.ensure(folder, level, told) else None


def read_plan(folder: Path) -> Plan:
    """The plan of an earlier run.

    Raises:
        InputError: no run lies there.
    """
    path = folder / "plan.json"
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}.", "Name the folder of a run.") from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise InputError(
            f"{path} is no plan of {SCHEMA}.", "Make the run anew with this version of the tool."
        )
    known = recipes.load()
    environments = tuple(
        Environment(
            release=entry["release"] or recipes.NO_RELEASE,
            recipe=recipes.Recipe.from_json(entry["definition"])
            if "definition" in entry
            else known.named(entry["recipe"]),
            python=entry["python"],
            torch=entry["torch"],
        )
        for entry in document["environments"]
    )
    cells = tuple(Cell.from_json(data) for data in document["cells"])
    return Plan(environments=environments, cells=cells, document=document)
