"""Dictionaries and lists that are changed in place: every name that holds one sees it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from matrix.engines.conditions import asked, every
from matrix.engines.reading.options import bounded
from matrix.engines.reading.values import Constant, Pairs, Value

if TYPE_CHECKING:
    from matrix.engines.reading.reader import Reader
    from matrix.engines.reading.scopes import Scope


def change(at: Reader, target: ast.expr, known: Value, value: Value) -> None:
    """Let a target, and whatever else holds the same object, stand for what it has become.

    Args:
        at: where it is read.
        target: what was changed, as it is written.
        known: its value before.
        value: the value after.
    """
    value = bounded(value)
    at.bind(target, value)
    scope: Scope | None = at.scope
    while scope is not None:
        here = scope.qualname == at.scope.qualname
        for name in [name for name, held in scope.names.items() if held is known]:
            if not here:
                scope.names[name] = _left_open(known, f"what {at.scope.qualname} makes of it")
            elif "." in name and not name.startswith("="):
                at.bind(ast.parse(name, mode="eval").body, value)
            else:
                scope.names[name] = value
        scope = scope.parent


def _left_open(value: Value, why: str) -> Value:
    """A dictionary that may have further keys; anything else stays what it is."""
    return Pairs(value.entries, value.unknown or why) if isinstance(value, Pairs) else value


def left_open(at: Reader, target: ast.expr, known: Pairs, why: str) -> None:
    """Other code may have put further keys into a dictionary."""
    change(at, target, known, _left_open(known, why))


def without(value: Pairs, key: Value, text: str) -> Pairs:
    """A dictionary after a key was taken out; where that is not seen, any of its keys may be the one."""
    if isinstance(key, Constant):
        return value.drop(str(key.value))
    doubt = asked(f"what `{text}` takes out")
    return Pairs(
        tuple((name, every((presence, doubt)), item) for name, presence, item in value.entries),
        value.unknown,
    )
