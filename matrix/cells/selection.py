"""Selection expressions: which cells a user asks for, parsed once and then called with each cell.

activation=relu2 and not role=draft
0.6.*/lean/trtllm_bf16/* or profile=qwen3-*
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from matrix.cells.cell import parse as parse_id
from matrix.errors import InputError, unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from matrix.cells.cell import Cell

    Predicate = Callable[[Cell], bool]

WILD = re.compile(r"[*?\[]")
TOKEN = re.compile(r"[()]|[^\s()]+")
HELP = "Write terms such as activation=relu2 or 0.6.*/lean/*, joined with 'and', 'or', 'not' and parentheses."


@dataclass(frozen=True, kw_only=True)
class Selection:
    """A parsed expression; call it with a cell."""

    text: str
    predicate: Predicate

    def __call__(self, cell: Cell) -> bool:
        """Whether the cell is selected."""
        return self.predicate(cell)


def parse(text: str, known: Mapping[str, Sequence[str]]) -> Selection:
    """Parse an expression; an empty one selects everything.

    Args:
        text: the expression.
        known: the values of each axis, `release` and `environment` among them, so that a misspelt one is an error.

    Raises:
        InputError: a syntax error, or an axis or value that does not exist; names the nearest.
    """
    tokens = TOKEN.findall(text)
    if not tokens:
        return Selection(text="", predicate=lambda _: True)
    parser = _Parser(text=text, tokens=tokens, known=known)
    predicate = parser.either()
    if parser.tokens:
        raise InputError(f"selection '{text}': '{parser.tokens[0]}' is one word too many.", HELP)
    return Selection(text=text, predicate=predicate)


@dataclass
class _Parser:
    """Recursive descent over the words; `tokens` holds what is left."""

    text: str
    tokens: list[str]
    known: Mapping[str, Sequence[str]]

    def either(self) -> Predicate:
        parts = [self.both()]
        while self.tokens[:1] == ["or"]:
            del self.tokens[0]
            parts.append(self.both())
        return lambda cell: any(part(cell) for part in parts)

    def both(self) -> Predicate:
        parts = [self.one()]
        while self.tokens[:1] == ["and"]:
            del self.tokens[0]
            parts.append(self.one())
        return lambda cell: all(part(cell) for part in parts)

    def one(self) -> Predicate:
        token = self.tokens.pop(0) if self.tokens else ""
        if token in {"", "and", "or", ")"}:
            where = f"before '{token}'" if token else "at its end"
            raise InputError(f"selection '{self.text}': a term is missing {where}.", HELP)
        if token == "not":  # noqa: S105 - a word of the grammar
            inner = self.one()
            return lambda cell: not inner(cell)
        if token == "(":  # noqa: S105 - a word of the grammar
            inside = self.either()
            if self.tokens[:1] != [")"]:
                raise InputError(f"selection '{self.text}': a ')' is missing.", HELP)
            del self.tokens[0]
            return inside
        return self.term(token)

    def term(self, token: str) -> Predicate:
        axis, equals, value = token.partition("=")
        if not equals:
            return self.glob(token)
        if axis not in self.known:
            raise unknown("axis", axis, self.known, f"selection '{self.text}'")
        self.check(axis, value)
        return lambda cell: fnmatchcase(_value(cell, axis), value)

    def check(self, axis: str, value: str) -> None:
        values = self.known[axis]
        if not any(fnmatchcase(candidate, value) for candidate in values):
            raise unknown(f"value of axis {axis}", value, values, f"selection '{self.text}'")

    def glob(self, token: str) -> Predicate:
        if "/" not in token and not WILD.search(token):
            raise InputError(f"selection '{self.text}': '{token}' is neither axis=value nor a cell id.", HELP)
        if not WILD.search(token):
            for axis, value in parse_id(token).items():
                self.check(axis, value)
        return lambda cell: fnmatchcase(cell.id, token) or fnmatchcase(cell.point.id, token)


def _value(cell: Cell, axis: str) -> str:
    if axis in {"release", "environment"}:
        return str(getattr(cell, axis))
    return str(getattr(cell.point, axis))
