"""The expectations file: its grammar, checked strictly (docs/reference/expectations.md)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from matrix import toml
from matrix.cells import axes, selection
from matrix.errors import InputError, unknown
from matrix.verdicts import Stage, Verdict

BUILT_IN = Path(__file__).with_name("expectations.toml")
IN_PROJECT = Path("ci/expectations.toml")
SCHEMA = 1
KEYS = (
    "verdict",
    "reason",
    "stage",
    "says",
    "releases",
    "environment",
    "cells",
    "gpu",
    "expires",
    "link",
    "owner",
)
VERDICTS = tuple(
    verdict.value
    for verdict in Verdict
    if verdict not in {Verdict.NOT_RUN, Verdict.XFAIL, Verdict.XPASS, Verdict.FLAKY}
)
NONE = "none"


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """One entry: where it holds, and which verdicts are known there.

    Attributes:
        number: position in the file, from 1.
        line: line of its `[[expect]]`, from 1.
        says: text that the verdict's reason holds, so that another failure is not taken for this one.
        releases: None for every release; `none` for the environment without FlashInfer.
        gpu: None for any machine; `none` for one without a GPU; else a range of compute capabilities.
    """

    number: int
    line: int
    verdicts: frozenset[Verdict]
    reason: str
    stages: frozenset[str] = frozenset()
    says: str = ""
    releases: SpecifierSet | str | None = None
    environments: tuple[str, ...] = ()
    cells: selection.Selection | None = None
    gpu: SpecifierSet | str | None = None
    expires: date | None = None
    link: str = ""
    owner: str = ""

    def holds_at(self, release: str, environment: str, capability: str) -> bool:
        """Whether the entry speaks of this release (or `none`), recipe and compute capability (or "")."""
        recipe = environment.partition("@")[0]
        return (
            _within(self.releases, release)
            and _within(self.gpu, capability or NONE)
            and (
                not self.environments
                or any(
                    fnmatchcase(name, glob) for glob in self.environments for name in (environment, recipe)
                )
            )
        )

    def expired(self, today: date) -> bool:
        """Whether the entry no longer excuses anything."""
        return self.expires is not None and self.expires < today

    def to_json(self) -> dict[str, Any]:
        """The entry as `report.json` and `expect --json` show it."""
        return {
            "number": self.number,
            "line": self.line,
            "verdicts": sorted(verdict.value for verdict in self.verdicts),
            "reason": self.reason,
            "stages": sorted(self.stages),
            "says": self.says,
            "releases": _text(self.releases),
            "environments": list(self.environments),
            "cells": self.cells.text if self.cells else "",
            "gpu": _text(self.gpu),
            "expires": self.expires.isoformat() if self.expires else None,
            "link": self.link,
            "owner": self.owner,
        }


@dataclass(frozen=True, kw_only=True)
class Expectations:
    """All entries of one file, in its order."""

    path: Path
    entries: tuple[Expectation, ...]


def load(path: Path | None = None) -> Expectations:
    """Read the file named, else the working folder's `ci/expectations.toml`, else the built-in one.

    Raises:
        InputError: not TOML, or an entry that does not hold; names file, line, entry and nearest name.
    """
    path = path or (IN_PROJECT if IN_PROJECT.is_file() else BUILT_IN)
    data = toml.load(path)
    for key in data:
        if key not in {"schema", "expect"}:
            raise unknown("key", key, ["schema", "expect"], str(path))
    if data.get("schema") != SCHEMA:
        raise InputError(
            f"{path}: schema is {data.get('schema')!r}, not {SCHEMA}.", f"Set schema = {SCHEMA}."
        )
    tables = data.get("expect", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise InputError(f"{path}: 'expect' is not a list of tables.", "Begin each entry with [[expect]].")
    lines = _lines(path, len(tables))
    entries = (
        _entry(table, number, line, f"{path}, line {line} (entry {number})")
        for number, (table, line) in enumerate(zip(tables, lines, strict=True), 1)
    )
    return Expectations(path=path, entries=tuple(entries))


def _lines(path: Path, count: int) -> list[int]:
    text = path.read_text(encoding="utf-8").splitlines()
    found = [number for number, line in enumerate(text, 1) if re.match(r"\s*\[\[\s*expect\s*\]\]", line)]
    return found if len(found) == count else [1] * count


def _entry(table: dict[str, Any], number: int, line: int, where: str) -> Expectation:
    for key in table:
        if key not in KEYS:
            raise unknown("key", key, KEYS, where)
    for key in ("verdict", "reason"):
        if not table.get(key):
            raise InputError(f"{where}: '{key}' is missing or empty.", f"Add {key} = ... to the entry.")
    for key in ("reason", "says", "link", "owner", "cells"):
        if not isinstance(table.get(key, ""), str):
            raise InputError(f"{where}: {key} = {table[key]!r} is not text.", "Put it in quotes.")
    return Expectation(
        number=number,
        line=line,
        verdicts=frozenset(Verdict(name) for name in _names(table, "verdict", where, known=VERDICTS)),
        reason=table["reason"],
        stages=frozenset(_names(table, "stage", where, known=[stage.value for stage in Stage])),
        says=table.get("says", ""),
        releases=_range(table, "releases", where),
        environments=_names(table, "environment", where),
        cells=_cells(table, where),
        gpu=_range(table, "gpu", where),
        expires=_expires(table, where),
        link=table.get("link", ""),
        owner=table.get("owner", ""),
    )


def _names(
    table: dict[str, Any], key: str, where: str, known: tuple[str, ...] | list[str] = ()
) -> tuple[str, ...]:
    value = table.get(key, [])
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise InputError(
            f"{where}: {key} = {value!r} is neither text nor a list of texts.", "Put it in quotes."
        )
    for name in names:
        if known and name not in known:
            raise unknown(key, name, known, where)
    return tuple(names)


def _cells(table: dict[str, Any], where: str) -> selection.Selection | None:
    if not table.get("cells"):
        return None
    try:
        return selection.parse(table["cells"], axes.load().values)
    except InputError as error:
        raise InputError(f"{where}: {error.what}", error.remedy) from error


def _range(table: dict[str, Any], key: str, where: str) -> SpecifierSet | str | None:
    value = table.get(key)
    if value is None or value == NONE:
        return value
    try:
        return SpecifierSet(value, prereleases=True)
    except (InvalidSpecifier, AttributeError, TypeError) as error:
        raise InputError(
            f"{where}: {key} = {value!r} is not a version specifier.",
            f'Write one as pip takes it ({key} = ">=0.6.8,<0.7"), or "{NONE}".',
        ) from error


def _expires(table: dict[str, Any], where: str) -> date | None:
    value = table.get("expires")
    if value is None or (isinstance(value, date) and not isinstance(value, datetime)):
        return value
    raise InputError(
        f"{where}: expires = {value!r} is not a date.",
        "Write a TOML date without quotes: expires = 2027-06-30",
    )


def _within(wanted: SpecifierSet | str | None, value: str) -> bool:
    if wanted is None or isinstance(wanted, str):
        return wanted in {None, value}
    return value != NONE and value in wanted


def _text(value: SpecifierSet | str | None) -> str | None:
    return None if value is None else str(value)
