"""Calls of Python's own functions that ask something: what they are told decides between paths."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from matrix.engines.conditions import Condition, every, has, negate, opaque, some
from matrix.engines.reading.arguments import first_argument, two_arguments
from matrix.engines.reading.attributes import attribute
from matrix.engines.reading.dispatch import called
from matrix.engines.reading.options import either, options, truth
from matrix.engines.reading.texts import shorten
from matrix.engines.reading.values import (
    NOTHING,
    Asked,
    Constant,
    Other,
    Parameters,
    Row,
    Symbol,
    Truth,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from matrix.engines.reading.reader import Reader


@called("hasattr")
def _hasattr(at: Reader, node: ast.Call) -> Value | None:
    base, name = two_arguments(at, node)
    if not isinstance(name, Constant):
        return _unnamed(node, base)
    conditions = []
    for condition, single in options(base):
        if isinstance(single, Symbol):
            conditions.append(every((condition, has(f"{single.path}.{name.value}"))))
        elif single != NOTHING:
            conditions.append(every((condition, opaque(shorten(node)))))
    return Truth(some(conditions)) if conditions else None


@called("getattr")
def _getattr(at: Reader, node: ast.Call) -> Value | None:
    base, name = two_arguments(at, node)
    if not (isinstance(name, Constant) and isinstance(name.value, str)):
        return _unnamed(node, base)
    value = attribute(at, node.args[0], base, name.value)
    symbols = [single for _, single in options(value) if isinstance(single, Symbol)]
    if len(node.args) < 3:
        for symbol in symbols:
            at.need(has(symbol.path), "AttributeError")
            at.note(node, symbol, kind="import", form="attribute")
        return value
    default = at.argument(node.args[2])
    if not symbols:
        return value
    found: list[tuple[Condition, Value]] = []
    for condition, single in options(value):
        if isinstance(single, Symbol):
            there = has(single.path)
            found += [(every((condition, there)), single), (every((condition, negate(there))), default)]
        else:
            found.append((condition, single))
    return either(found)


def _unnamed(node: ast.Call, base: Value) -> Value | None:
    """FlashInfer is asked for a name that is not seen."""
    of_symbol = any(isinstance(single, Symbol) for _, single in options(base))
    return Asked(shorten(node)) if of_symbol else None


@called("callable")
def _callable(at: Reader, node: ast.Call) -> Value | None:
    return Truth(truth(at.argument(node.args[0]), shorten(node))) if len(node.args) == 1 else None


@called("bool")
def _bool(at: Reader, node: ast.Call) -> Value | None:
    return Truth(at.test(node.args[0])) if len(node.args) == 1 else None


@called("all")
def _all(at: Reader, node: ast.Call) -> Value | None:
    return _quantified(at, node, every)


@called("any")
def _any(at: Reader, node: ast.Call) -> Value | None:
    return _quantified(at, node, some)


def _quantified(
    at: Reader, node: ast.Call, combine: Callable[[Iterable[Condition]], Condition]
) -> Value | None:
    """`all(hasattr(m, n) for n in (...))`, unrolled over literal elements."""
    argument = node.args[0] if len(node.args) == 1 else None
    if not isinstance(argument, ast.GeneratorExp | ast.ListComp) or len(argument.generators) != 1:
        return None
    items = at.argument(argument.generators[0].iter)
    if isinstance(items, Parameters | Asked):
        return Asked(shorten(node))
    if not isinstance(items, Row):
        return None
    parts = []
    with at.inner():
        for item in items.elements:
            at.bind(argument.generators[0].target, item)
            parts.append(at.test(argument.elt))
    return Truth(combine(parts))


@called("find_spec")
def _find_spec(at: Reader, node: ast.Call) -> Value | None:
    name = first_argument(at, node)
    if not (isinstance(name, Constant) and isinstance(name.value, str)):
        return None
    if name.value.split(".")[0] != at.engine.provider:
        return None
    return either([(has(name.value), Other(name.value)), (negate(has(name.value)), NOTHING)])


@called("dir", "vars")
def _names(at: Reader, node: ast.Call) -> Value | None:
    """What a module or class of FlashInfer holds, by name."""
    found: list[tuple[Condition, Value]] = [
        (condition, Symbol(f"{single.path}.__dict__"))
        for condition, single in options(first_argument(at, node))
        if isinstance(single, Symbol) and "()" not in single.path
    ]
    return either(found) if found else None


@called("set", "frozenset", "sorted")
def _collected(at: Reader, node: ast.Call) -> Value | None:
    value = first_argument(at, node)
    known = all(isinstance(single, Parameters | Asked) for _, single in options(value))
    return value if known else None


@called("issubset", "issuperset", "isdisjoint", "intersection", "difference")
def _of_sets(at: Reader, node: ast.Call) -> Value | None:
    known = [single for argument in node.args for _, single in options(at.argument(argument))]
    return Asked(shorten(node)) if any(isinstance(single, Parameters | Asked) for single in known) else None


@called("signature", "getfullargspec")
def _signature(at: Reader, node: ast.Call) -> Value | None:
    found: list[tuple[Condition, Value]] = [
        (condition, Parameters(single.path))
        for condition, single in options(first_argument(at, node))
        if isinstance(single, Symbol)
    ]
    return either(found) if found else None
