"""Run folders of shards, environments and machines joined, so that one report covers all."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matrix.errors import InputError
from matrix.report import reading
from matrix.report.model import capability

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    Rename = Callable[[str], str]


@dataclass(frozen=True, kw_only=True)
class Source:
    """One run folder, with what decides a verdict in each of its environments."""

    folder: Path
    plan: dict[str, Any]
    lines: list[dict[str, Any]]
    machines: dict[str, tuple[str, ...]]


def merge(folders: Sequence[Path], out: Path) -> None:
    """Write the union of plans and journals into a new run folder.

    A folder with a plan and no journal adds its planned cells, so that a shard that never reported shows.
    Where an environment was found on machines that differ in GPU, Python or torch, its cells are kept apart:
    `lean` becomes `lean@no-gpu` and `lean@sm90`. Where the same cell was answered twice on like machines, the
    later folder counts, but what was not run never replaces what was.

    Raises:
        InputError: a folder that is no run folder, or an `out` that already holds one.
    """
    if (out / reading.JOURNAL).exists():
        raise InputError(f"{out} already holds a journal.", "Name a new folder with --out.")
    sources = [_source(folder) for folder in folders]
    labels = _labels(sources)
    plan = _plan(sources, labels)
    out.mkdir(parents=True, exist_ok=True)
    (out / reading.PLAN).write_text(json.dumps(plan, indent=1), encoding="utf-8")
    header = {
        "kind": "header",
        "schema": "kernel-matrix/journal/1",
        "plan": plan["hash"],
        "created": plan["created"],
    }
    with (out / reading.JOURNAL).open("w", encoding="utf-8") as journal:
        journal.write(json.dumps(header) + "\n")
        for source in sources:
            rename = _renamer(source, labels)
            journal.writelines(json.dumps(_line(line, rename)) + "\n" for line in source.lines)


def _source(folder: Path) -> Source:
    run = reading.read(folder)
    return Source(
        folder=folder,
        plan=run.plan,
        lines=[line for line in reading.lines(folder) if line["kind"] != "header"],
        machines={
            record["id"]: _machine(record["fingerprint"])
            for record in run.journal.environments
            if record.get("fingerprint")
        },
    )


def _machine(fingerprint: dict[str, Any]) -> tuple[str, ...]:
    gpu = capability(fingerprint)
    python = ".".join(str(fingerprint.get("python") or "").split(".")[:2])
    return (
        f"sm{gpu.replace('.', '')}" if gpu else "no-gpu",
        f"py{python}",
        f"torch{fingerprint.get('torch') or ''}",
    )


def _labels(sources: Sequence[Source]) -> dict[tuple[str, tuple[str, ...]], str]:
    """For each environment found on unlike machines, the part of each machine in which they differ."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for source in sources:
        for environment, machine in source.machines.items():
            seen = found.setdefault(environment, [])
            if machine not in seen:
                seen.append(machine)
    return {
        (environment, machine): "-".join(
            part
            for part, others in zip(machine, zip(*machines, strict=True), strict=True)
            if len(set(others)) > 1
        )
        for environment, machines in found.items()
        if len(machines) > 1
        for machine in machines
    }


def _renamer(source: Source, labels: dict[tuple[str, tuple[str, ...]], str]) -> Rename:
    """A function from an environment's id, or a cell's that begins with it, to its id in the merged run."""
    names = {
        environment: f"{environment}@{labels[environment, machine]}"
        for environment, machine in source.machines.items()
        if (environment, machine) in labels
    }

    def rename(name: str) -> str:
        release, environment, *rest = name.split("/", 2)
        found = names.get(f"{release}/{environment}")
        return "/".join((found, *rest)) if found else name

    return rename


def _line(line: dict[str, Any], rename: Rename) -> dict[str, Any]:
    keys = {"environment": ("id",), "worker": ("environment",), "replay": ("environment",)}.get(
        line["kind"], ("cell",)
    )
    return line | {key: rename(line[key]) for key in keys if key in line}


def _plan(sources: Sequence[Source], labels: dict[tuple[str, tuple[str, ...]], str]) -> dict[str, Any]:
    environments: dict[str, dict[str, Any]] = {}
    cells: dict[str, dict[str, Any]] = {}
    split = {environment for environment, _ in labels}
    answered = _answered(sources, split)
    for source in sources:
        rename = _renamer(source, labels)
        for place in source.plan["environments"]:
            name = rename(place["id"])
            environments.setdefault(name, place | {"id": name, "name": name.partition("/")[2]})
        for cell in source.plan["cells"]:
            if cell["id"] in answered and source.machines.get(cell["environment_id"]) is None:
                continue
            environment_id = rename(cell["environment_id"])
            changed = {
                "id": rename(cell["id"]),
                "environment": environment_id.partition("/")[2],
                "environment_id": environment_id,
            }
            cells.setdefault(changed["id"], cell | changed)
    used = {cell["environment_id"] for cell in cells.values()}
    plans = [source.plan for source in sources]
    coverages = [plan.get("coverage") for plan in plans]
    merged = plans[0] | {
        "command": ["kernel-matrix", "merge", *(source.folder.name for source in sources)],
        "created": max(plan["created"] for plan in plans),
        "selection": " | ".join(dict.fromkeys(plan["selection"] for plan in plans if plan["selection"])),
        "stages": list(dict.fromkeys(stage for plan in plans for stage in plan["stages"])),
        "releases": _distinct(release for plan in plans for release in plan["releases"]),
        "coverage": coverages[0] if all(each == coverages[0] for each in coverages) else None,
        "environments": [place for name, place in environments.items() if name in used],
        "cells": list(cells.values()),
        "merged": [
            {"folder": source.folder.name, "plan": source.plan["hash"], "command": source.plan["command"]}
            for source in sources
        ],
    }
    digest = hashlib.sha256(json.dumps(merged["merged"]).encode() + "\n".join(cells).encode())
    return merged | {"hash": digest.hexdigest()[:16]}


def _answered(sources: Sequence[Source], split: set[str]) -> set[str]:
    """Cells of environments that were split, planned by a source that found a machine for them."""
    return {
        cell["id"]
        for source in sources
        for cell in source.plan["cells"]
        if cell["environment_id"] in split and cell["environment_id"] in source.machines
    }


def _distinct(values: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({json.dumps(value, sort_keys=True): value for value in values}.values())
