"""The break classes, read from `breaks.toml`."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matrix import toml
from matrix.errors import InputError, unknown
from matrix.surface.calls import DIFFERS, RAISES
from matrix.surface.proofs import WITNESSES
from matrix.surface.subjects import FACTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matrix.surface.subjects import Subject

__all__ = ["BreakClass", "Severity", "break_classes", "read"]

BUILT_IN = Path(__file__).with_name("breaks.toml")
NO_WITNESS = "none"


class Severity(str, Enum):
    """How bad a finding is for a caller; worst first."""

    BREAKING = "breaking"
    SILENT = "silent"
    WARNING = "warning"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return RANKS[self.value]


RANKS = {one.value: rank for rank, one in enumerate(Severity)}
SHOWN = {RAISES: Severity.BREAKING, DIFFERS: Severity.SILENT}


@dataclass(frozen=True, kw_only=True)
class BreakClass:
    """One class of change: which subjects it takes, what it means and what to do."""

    id: str
    subject: str
    severity: Severity
    when: tuple[str, ...]
    witness: str
    message: str
    meaning: str
    remedy: str
    before: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)

    def as_shown(self, effect: str) -> BreakClass:
        """The class with the severity that its witness shows; a warning or note stays what it is."""
        if self.severity in {Severity.WARNING, Severity.NOTE}:
            return self
        return replace(self, severity=SHOWN.get(effect, Severity.WARNING))

    def takes(self, subject: Subject) -> bool:
        """Whether a subject is of this class."""
        return (
            self.subject == subject.kind and self._must <= subject.facts and not self._never & subject.facts
        )

    @functools.cached_property
    def _must(self) -> frozenset[str]:
        return frozenset(fact for fact in self.when if not fact.startswith("!"))

    @functools.cached_property
    def _never(self) -> frozenset[str]:
        return frozenset(fact[1:] for fact in self.when if fact.startswith("!"))


@functools.cache
def break_classes() -> tuple[BreakClass, ...]:
    """The built-in classes."""
    return read(BUILT_IN)


def read(path: Path) -> tuple[BreakClass, ...]:
    """The classes of one file.

    Raises:
        InputError: a key, subject, fact, severity or witness that does not exist; names entry and nearest.
    """
    data = toml.load(path)
    for key in data.keys() - {"class"}:
        raise unknown("key", key, ["class"], str(path))
    found = [_entry(item, f"{path}, class {number}") for number, item in enumerate(data.get("class", []), 1)]
    ids = [one.id for one in found]
    for name in ids:
        if ids.count(name) > 1:
            raise InputError(f"{path}: class '{name}' stands there twice.", "Give one of them another id.")
    return tuple(found)


def _entry(item: Mapping[str, Any], where: str) -> BreakClass:
    fields = BreakClass.__dataclass_fields__
    for key in item.keys() - fields.keys():
        raise unknown("key", key, fields, where)
    for key in fields.keys() - item.keys():
        raise InputError(
            f"{where}: '{key}' is missing.", "Every class has all of: " + ", ".join(fields) + "."
        )
    where = f"{where} ({item['id']})"
    if item["subject"] not in FACTS:
        raise unknown("subject", item["subject"], FACTS, where)
    for fact in item["when"]:
        if fact.removeprefix("!") not in FACTS[item["subject"]]:
            raise unknown("fact", fact.removeprefix("!"), FACTS[item["subject"]], where)
    if item["witness"] not in {*WITNESSES, NO_WITNESS}:
        raise unknown("witness", item["witness"], [*WITNESSES, NO_WITNESS], where)
    severities = [one.value for one in Severity]
    if item["severity"] not in severities:
        raise unknown("severity", item["severity"], severities, where)
    if item["witness"] == NO_WITNESS and item["severity"] != Severity.NOTE.value:
        raise InputError(f"{where}: only a note needs no witness.", "Name one, or make it a note.")
    return BreakClass(**{**item, "severity": Severity(item["severity"]), "when": tuple(item["when"])})
