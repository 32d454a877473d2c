"""What the sources of releases and engines declare, beside what a run measured: nothing of it needs an installation.

It is read once, kept as `declared.json` in the run folder, and rendered from there, so that a report written anew
needs no network and says the same.
"""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from matrix.cubins import changes
from matrix.engines import agreement, config, table, tabulate
from matrix.engines.shelf import Shelf
from matrix.errors import KernelMatrixError
from matrix.kernels.moe.probe import ENUMS, KERNELS
from matrix.report import ranges, reading
from matrix.surface.diff import diff
from matrix.surface.history import history
from matrix.surface.library import Library
from matrix.surface.report import block

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from matrix.surface.model import Surface

NONE, RUN, ALL = "none", "run", "all"
LEVELS = (NONE, RUN, ALL)
SYMBOLS = [path.replace(":", ".") for path in (*KERNELS.values(), *ENUMS.values())]
"""Import paths whose history a report tells: what the backends call, and the enums they pass."""


def ensure(folder: Path, level: str, told: Callable[[str], None] = lambda _: None) -> bool:
    """Read what is missing into a run folder; what cannot be read is told in the report, and tried again next time.

    Args:
        folder: the run folder.
        level: `none` reads nothing; `run` the releases and engine releases that the run is about; `all` every
            published release of both.
        told: called with a line of progress while something is read.

    Returns:
        Whether anything was read.
    """
    run = reading.read(folder)
    kept = run.declared
    if level == NONE or (kept and not kept["missing"] and LEVELS.index(kept["level"]) >= LEVELS.index(level)):
        return False
    found = gather(_tested(run.plan), _engines(run.plan), level, told)
    scratch = folder / f".{reading.DECLARED}.new"
    scratch.write_text(json.dumps(found, separators=(",", ":")), encoding="utf-8")
    scratch.replace(folder / reading.DECLARED)
    return True


def gather(
    tested: Sequence[str], engines: Mapping[str, set[str]], level: str, told: Callable[[str], None]
) -> dict[str, Any]:
    """API changes between neighbouring releases, the history of what the backends call, and the engine tables.

    Args:
        tested: releases of FlashInfer, oldest first.
        engines: by engine, the releases that the run is about.
        level: `run` or `all`.
        told: called with a line of progress.
    """
    library = Library(report=told)
    found: dict[str, Any] = {"schema": "kernel-matrix/declared/1", "level": level}
    found |= {"changes": [], "histories": [], "engines": [], "missing": []}
    try:
        names = library.published() if level == ALL else list(tested)
        surfaces = dict(zip(names, library.many(names), strict=True))
    except KernelMatrixError as error:
        found["missing"].append({"what": "API changes and history", "reason": str(error)})
        return found
    across = [surfaces[name] for name in tested if name in surfaces]
    found["changes"] = [_changes(old, new) for old, new in pairwise(across)]
    found["histories"] = list(_histories(list(surfaces.values())))
    for name in config.engine_names():
        shelf = Shelf(library, report=told)
        try:
            found["engines"].append(_engine(name, engines.get(name, set()), tested, level, shelf))
        except KernelMatrixError as error:
            found["missing"].append({"what": f"the calls of {name}", "reason": str(error)})
    return found


def _tested(plan: Mapping[str, Any]) -> list[str]:
    places = (place for place in plan["environments"] if place["release"] and not place.get("faulty"))
    return ranges.ordered(place["release"] for place in places)


def _engines(plan: Mapping[str, Any]) -> dict[str, set[str]]:
    """Engine releases that the cells are about: the one whose contract is bound, and those that are replayed."""
    bound, _, its_release = plan.get("engine", {}).get("engine", "").partition("-")
    found = {bound: {its_release}} if bound else {}
    for engine in (place["engine"] for place in plan["environments"] if place.get("engine")):
        found.setdefault(engine["name"], set()).add(engine["release"])
    return found


def _changes(old: Surface, new: Surface) -> dict[str, Any]:
    document = block(old.release, new.release, diff(old, new))
    kept = ("class", "severity", "symbol", "name", "message", "remedy", "old", "new")
    for number, finding in enumerate(document["findings"]):
        witness = finding["witness"]
        document["findings"][number] = {key: finding[key] for key in kept} | {
            "witness": witness and {key: witness[key] for key in ("text", "before", "after")}
        }
    return document | {"kernels": changes.between(old.release, new.release).lines()}


def _histories(surfaces: Sequence[Surface]) -> Iterable[dict[str, Any]]:
    for symbol in SYMBOLS:
        try:
            found = history(surfaces, symbol)
        except KernelMatrixError:
            continue  # no release among them has it
        yield {"symbol": symbol, "releases": list(found.releases), "rows": list(map(list, found.rows()))}


def _engine(name: str, wanted: set[str], tested: Sequence[str], level: str, shelf: Shelf) -> dict[str, Any]:
    engine = config.load(name)
    published = shelf.versions(engine)
    versions = [one for one in published if level == ALL or one in wanted or one == published[-1]]
    releases = shelf.published(engine, versions)
    rows = table.build(engine, releases, list(tested), shelf.library)
    document = tabulate.block(name, rows)
    called = {one.release: one for one in releases if one.release in wanted}
    for row in document["rows"]:
        del row["cells"]
        if row["release"] in called:
            release = called[row["release"]]
            row["read"] = {one: agreement.read(engine, release, one, shelf.library) for one in tested}
    document["breaks"] = _breaks(document["rows"], versions, tested)
    return document


def _breaks(
    rows: Iterable[dict[str, Any]], versions: Sequence[str], tested: Sequence[str]
) -> list[dict[str, Any]]:
    """Each break once, with the engine releases and the releases of FlashInfer in which it is met, as ranges."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    same = ("symbol", "verdict", "class", "name", "reason")
    for row in rows:
        for one in row.pop("breaks"):
            entry = found.setdefault(
                tuple(one[key] for key in same),
                {key: one[key] for key in (*same, "file", "line", "there")} | {"by": {}},
            )
            entry["by"].setdefault(row["release"], set()).update(one["releases"])
    listed = []
    for entry in found.values():
        by = entry.pop("by")
        met = set[str]().union(*by.values())
        listed.append(
            entry
            | {
                "engine_releases": ranges.text(by, versions),
                "flashinfer": ranges.text(met, tested),
                "pairs": sum(map(len, by.values())),
            }
        )
    return sorted(listed, key=lambda one: (-one["pairs"], one["symbol"], one["name"]))
