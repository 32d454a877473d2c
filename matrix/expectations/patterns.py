"""Which cells an entry speaks of: `activation=relu2 and not */torch/*`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import translate
from typing import TYPE_CHECKING

from matrix.errors import InputError, unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

AXES = ("backend", "activation", "gated", "routing", "role", "bias", "profile")


@dataclass(frozen=True, kw_only=True)
class Term:
    """One `axis=glob`, or a glob over the id where `axis` is `id`."""

    axis: str
    pattern: re.Pattern[str]
    wanted: bool

    def __call__(self, cell: Mapping[str, str]) -> bool:
        """Whether the cell, given as its id and axis values, satisfies the term."""
        return (self.pattern.match(cell[self.axis]) is not None) is self.wanted


@dataclass(frozen=True, kw_only=True)
class CellPattern:
    """Terms of which all must hold; called with a cell's id and axis values."""

    text: str
    terms: tuple[Term, ...]

    def __call__(self, cell: Mapping[str, str]) -> bool:
        """Whether every term holds."""
        return all(term(cell) for term in self.terms)

    @classmethod
    def parse(cls, text: str, where: str) -> CellPattern:
        """Read a selection.

        Args:
            text: terms joined by `and`, each with an optional `not` before it.
            where: the file and entry, for the error.

        Raises:
            InputError: an unknown axis, or terms that are not joined by `and`.
        """
        words = text.split()
        terms = [_term(part, text, where) for part in _split(words, "and")]
        return cls(text=text, terms=tuple(terms))


def _split(words: list[str], word: str) -> Iterable[list[str]]:
    part: list[str] = []
    for each in words:
        if each == word:
            yield part
            part = []
        else:
            part.append(each)
    yield part


def _term(words: list[str], text: str, where: str) -> Term:
    wanted = words[:1] != ["not"]
    rest = words if wanted else words[1:]
    if len(rest) != 1:
        raise InputError(
            f"{where}: cannot read cells = '{text}'.",
            "Join terms by 'and', put 'not' before a term; write a list of selections for 'or'.",
        )
    axis, equals, glob = rest[0].partition("=")
    if not equals:
        axis, glob = "id", rest[0]
    elif axis not in AXES:
        raise unknown("axis", axis, AXES, where)
    return Term(axis=axis, pattern=re.compile(translate(glob)), wanted=wanted)
