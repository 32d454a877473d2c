"""What a comparison of two surfaces finds, in plain words that break classes can pick from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matrix.surface.model import Entry

__all__ = ["FACTS", "Side", "Subject"]

FACTS = {
    "module": {"gone", "new", "now-conditional"},
    "symbol": {
        "gone",
        "elsewhere",
        "constant",
        "incidental",
        "moved",
        "kind-changed",
        "now-conditional",
        "new",
    },
    "parameter": {
        "added",
        "removed",
        "renamed",
        "before-others",
        "required",
        "reordered",
        "made-required",
        "kind-changed",
        "kind-narrowed",
        "default-changed",
    },
    "return": {"changed"},
    "member": {"added", "removed", "value-changed", "takes-value"},
}
"""Every fact that a subject can have; a break class that names another one is refused."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """One side of a finding: file in the release, line from 1, and what stands there."""

    file: str
    line: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One thing that differs.

    `symbol` is a public import path, `name` the parameter, member, module or symbol; `words` fill a message;
    `call` holds both functions' entries where a witness may call them.
    """

    kind: str
    symbol: str
    name: str
    facts: frozenset[str]
    old: Side | None = None
    new: Side | None = None
    words: dict[str, str] = field(default_factory=dict)
    call: tuple[Entry, Entry] | None = None
    qualnames: tuple[str, ...] = ()
