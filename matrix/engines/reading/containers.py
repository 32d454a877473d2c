"""Dictionaries and lists: how they are made, filled, read and emptied."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from matrix.engines.conditions import accepts
from matrix.engines.reading.arguments import arguments, called_name, called_on, first_argument, spread
from matrix.engines.reading.changes import change, without
from matrix.engines.reading.dispatch import called
from matrix.engines.reading.options import element, one_of
from matrix.engines.reading.texts import shorten
from matrix.engines.reading.values import (
    NOTHING,
    UNKNOWN,
    Constant,
    Container,
    Pairs,
    Parameters,
    Row,
    Truth,
    Value,
)

if TYPE_CHECKING:
    from matrix.engines.reading.reader import Reader


@called("dict")
def _dict(at: Reader, node: ast.Call) -> Value | None:
    given = arguments(at, node)
    if given.unknown or len(given.positional) > 1:
        return UNKNOWN
    start = spread(given.positional[0], shorten(node.args[0])) if given.positional else Pairs()
    return start.merge(given.keywords)


@called("int", "tuple", "list")
def _converted(at: Reader, node: ast.Call) -> Value | None:
    value = at.argument(node.args[0]) if len(node.args) == 1 else None
    return replace(value) if isinstance(value, Row | Container) else value


@called("copy")
def _copy(at: Reader, node: ast.Call) -> Value | None:
    value = None if node.args else called_on(at, node)
    return replace(value) if isinstance(value, Pairs | Container | Row) else None


def _rebind(at: Reader, node: ast.Call, known: Value, value: Value) -> None:
    """Assign to what a method was called on, as the method leaves it."""
    assert isinstance(node.func, ast.Attribute)
    change(at, node.func.value, known, value)


@called("append")
def _append(at: Reader, node: ast.Call) -> Value | None:
    target = called_on(at, node)
    if len(node.args) != 1 or not isinstance(target, Container | Row):
        return None
    item = at.argument(node.args[0])
    named = isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)
    if isinstance(target, Row) and named and not at.loops:
        _rebind(at, node, target, Row((*target.elements, item)))
        return NOTHING
    known = element(target)
    _rebind(at, node, target, Container(item if known == UNKNOWN else one_of((known, item))))
    return NOTHING


@called("extend", "insert", "remove", "reverse", "sort")
def _rearranged(at: Reader, node: ast.Call) -> Value | None:
    """A list that is changed otherwise: what is in it is known, where it stands only after `extend`."""
    target = called_on(at, node)
    if not isinstance(target, Row):
        return None
    added = [at.argument(argument) for argument in node.args]
    more = added[0] if called_name(at, node.func) == "extend" and len(added) == 1 else None
    if isinstance(more, Row) and not at.loops:
        _rebind(at, node, target, Row((*target.elements, *more.elements)))
    else:
        _rebind(at, node, target, Container(UNKNOWN))
    return NOTHING


@called("update")
def _update(at: Reader, node: ast.Call) -> Value | None:
    target = called_on(at, node)
    if not isinstance(target, Pairs):
        return None
    added = _dict(at, node)
    merged = target.merge(added) if isinstance(added, Pairs) else Pairs(target.entries, "an update")
    _rebind(at, node, target, merged)
    return NOTHING


@called("setdefault")
def _setdefault(at: Reader, node: ast.Call) -> Value | None:
    target = called_on(at, node)
    if not isinstance(target, Pairs | Container) or len(node.args) != 2:
        return None
    key, default = _literal_key(node), at.argument(node.args[1])
    if isinstance(target, Pairs) and key is not None:
        known = [value for name, _, value in target.entries if name == key]
        _rebind(at, node, target, target if known else target.put(key, default))
        return one_of([*known, UNKNOWN]) if known or target.unknown else default
    at.argument(node.args[0])
    item = element(target)
    item = default if item == UNKNOWN else one_of((item, default))
    if isinstance(target, Container) or not (target.entries or target.unknown):
        _rebind(at, node, target, Container(item))
        return item
    _rebind(at, node, target, Pairs(target.entries, "keys that are not literal"))
    return one_of((item, UNKNOWN))


@called("pop")
def _pop(at: Reader, node: ast.Call) -> Value | None:
    target = called_on(at, node)
    if isinstance(target, Container):
        return target.item
    if isinstance(target, Row):
        last = bool(target.elements) and not node.args and not at.loops
        _rebind(at, node, target, Row(target.elements[:-1]) if last else Container(element(target)))
        return target.elements[-1] if last else element(target)
    if not isinstance(target, Pairs):
        return None
    _rebind(at, node, target, without(target, first_argument(at, node), shorten(node)))
    return UNKNOWN


@called("popitem")
def _popitem(at: Reader, node: ast.Call) -> Value | None:
    target = called_on(at, node)
    if not isinstance(target, Pairs):
        return None
    _rebind(at, node, target, without(target, UNKNOWN, shorten(node)))
    return UNKNOWN


@called("clear")
def _clear(at: Reader, node: ast.Call) -> Value | None:
    target = called_on(at, node)
    if not isinstance(target, Pairs | Row | Container):
        return None
    _rebind(at, node, target, Row() if isinstance(target, Row) else Pairs())
    return NOTHING


def _literal_key(node: ast.Call) -> str | None:
    key = node.args[0] if node.args else None
    return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else None


@called("get")
def _get(at: Reader, node: ast.Call) -> Value | None:
    target = called_on(at, node)
    if target is None or not node.args:
        return None
    key = at.argument(node.args[0])
    if isinstance(target, Parameters) and isinstance(key, Constant):
        return Truth(accepts(target.path, str(key.value)))
    if isinstance(target, Container):
        return one_of((target.item, NOTHING))
    if isinstance(target, Pairs) and isinstance(key, Constant):
        return one_of([entry[2] for entry in target.entries if entry[0] == key.value] or [UNKNOWN])
    if isinstance(target, Pairs):
        other = at.argument(node.args[1]) if len(node.args) > 1 else NOTHING
        unseen = (UNKNOWN,) if target.unknown else ()
        return one_of((*(value for _, _, value in target.entries), other, *unseen))
    return None


@called("values")
def _values(at: Reader, node: ast.Call) -> Value | None:
    target = called_on(at, node)
    return Container(element(target)) if isinstance(target, Container | Pairs) else None
