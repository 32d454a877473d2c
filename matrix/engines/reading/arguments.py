"""A call as it is written: what is called, on what, and with which arguments."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from matrix.engines.conditions import every, unfollowed
from matrix.engines.reading.texts import shorten
from matrix.engines.reading.values import NOTHING, UNKNOWN, Either, Other, Pairs, Row, Value

if TYPE_CHECKING:
    from matrix.engines.reading.reader import Reader


@dataclass(frozen=True)
class Given:
    """What a call passes; `unknown` says why there may be more."""

    positional: tuple[Value, ...]
    keywords: Pairs
    unknown: str = ""

    @property
    def values(self) -> tuple[Value, ...]:
        """All of it, by position and by name."""
        return (*self.positional, *(value for _, _, value in self.keywords.entries))


def arguments(at: Reader, node: ast.Call) -> Given:
    """What a call passes."""
    positional: list[Value] = []
    unknown = ""
    for argument in node.args:
        if isinstance(argument, ast.Starred):
            value = at.argument(argument.value)
            if isinstance(value, Row):
                positional += value.elements
            else:
                unknown = f"*{shorten(argument.value)}"
        else:
            positional.append(at.argument(argument))
    keywords = Pairs()
    for keyword in node.keywords:
        value = at.argument(keyword.value)
        if keyword.arg is None:
            keywords = keywords.merge(spread(value, shorten(keyword.value)))
        else:
            keywords = keywords.put(keyword.arg, value)
    return Given(tuple(positional), keywords, unknown)


def first_argument(at: Reader, node: ast.Call) -> Value:
    """The first positional argument; unknown where there is none."""
    return at.argument(node.args[0]) if node.args else UNKNOWN


def two_arguments(at: Reader, node: ast.Call) -> tuple[Value, Value]:
    """The first two positional arguments; both unknown where there are fewer."""
    values = [at.argument(argument) for argument in node.args[:2]]
    return (values[0], values[1]) if len(values) == 2 else (UNKNOWN, UNKNOWN)


def called_on(at: Reader, node: ast.Call) -> Value | None:
    """The value whose method is called; None where no method is."""
    return at.callee(node.func.value) if isinstance(node.func, ast.Attribute) else None


def called_name(at: Reader, node: ast.expr) -> str:
    """The last part of a called name, an imported one as its own module calls it."""
    if isinstance(node, ast.Attribute):
        return node.attr
    if not isinstance(node, ast.Name):
        return ""
    known = at.scope.find(node.id)
    return known.text.rpartition(".")[2] if type(known) is Other and known.text else node.id


def spread(value: Value, text: str) -> Pairs:
    """A value used as `**value`: its keys where they are known."""
    if isinstance(value, Pairs):
        return value
    if isinstance(value, Either):
        result: Pairs | None = None
        for condition, single in value.options:
            part = spread(single, text) if single != NOTHING else Pairs()
            placed = Pairs(tuple((k, every((condition, c)), v) for k, c, v in part.entries), part.unknown)
            result = (
                placed
                if result is None
                else Pairs(result.entries + placed.entries, result.unknown or placed.unknown)
            )
        return result or Pairs()
    return Pairs(unknown=f"**{text}")


def gated(keywords: Pairs) -> str:
    """Keywords that hang on what is not followed, as a reason not to say more of the call."""
    return next(
        (
            f"`{key}` where `{text}`"
            for key, presence, _ in keywords.entries
            if (text := unfollowed(presence))
        ),
        "",
    )
