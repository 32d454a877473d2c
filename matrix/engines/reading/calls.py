"""Calls: of what FlashInfer gives, of functions and classes of the file, and of what is not seen."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from matrix.engines.conditions import Condition, consistent, unfollowed
from matrix.engines.reading.arguments import Given, arguments, called_name
from matrix.engines.reading.by_name import by_name, lazy, loader, modules, operator
from matrix.engines.reading.changes import left_open
from matrix.engines.reading.dispatch import call_reader, called, evaluates
from matrix.engines.reading.exports import leads_into_provider
from matrix.engines.reading.functions import follow, hand
from matrix.engines.reading.options import either, options
from matrix.engines.reading.provided import Place, call_symbol, meant
from matrix.engines.reading.texts import mentions, shorten
from matrix.engines.reading.values import (
    NOTHING,
    UNKNOWN,
    Asked,
    Constant,
    Function,
    Local,
    LocalClass,
    Other,
    Own,
    Pairs,
    Parameters,
    Partial,
    Returning,
    Row,
    Symbol,
    Truth,
    Value,
)
from matrix.engines.reading.versions import is_version

if TYPE_CHECKING:
    from matrix.engines.reading.reader import Reader

_KEEPING = {"len", "print", "str", "sorted"}
"""Functions that leave a dictionary as it is."""
_QUESTIONS = {"hasattr", "getattr", "signature", "getfullargspec", "dir", "vars"}


@evaluates(ast.Call)
def _call(at: Reader, node: ast.Call) -> Value:
    name = called_name(at, node.func)
    read = call_reader(name)
    if read is not None and (known := read(at, node)) is not None:
        return known
    helper = at.engine.helpers.get(name)
    if helper is not None and (imported := lazy(at, node, helper)) is not None:
        return imported
    if "custom_op" in name and operator(at, node):
        return UNKNOWN
    return _apply(at, node, at.callee(node.func))


def _apply(at: Reader, node: ast.Call, function: Value) -> Value:
    given = arguments(at, node)
    alive = [
        (condition, single)
        for condition, single in options(function)
        if type(single) is Other or (single != NOTHING and consistent([*at.path, condition]))
    ]
    others = [single for _, single in alive if not isinstance(single, Symbol | Partial)]
    results: list[tuple[Condition, Value]] = []
    for option, single in alive:
        if len(alive) == 1 and isinstance(single, Symbol) and _is_place(at, node.func):
            symbol, place = meant(at, node, function, option, single)
            results.append((place.condition, call_symbol(at, node, symbol, given, place=place)))
            continue
        doubt = ""
        if others and not isinstance(single, Other):
            doubt = f"`{shorten(node.func, 60)}` may also be something else here"
        results.append((option, _invoke(at, node, single, given, condition=option, doubt=doubt)))
    if len(others) == len(alive):
        _escape(at, node)
    result = either(results) if results else UNKNOWN
    if type(result) is Other and (_is_asked(given) or any(isinstance(single, Asked) for single in others)):
        return Asked(shorten(node))
    return result


def _is_asked(given: Given) -> bool:
    """Whether what a call gives may be an answer about FlashInfer: it passes its version, or a thing and a name."""
    if any(is_version(value) or isinstance(value, Parameters) for value in given.positional):
        return True
    named = any(isinstance(value, Constant) and isinstance(value.value, str) for value in given.positional)
    return named and any(_is_thing(value) for value in given.positional)


def _is_thing(value: Value) -> bool:
    """Whether it may be something that FlashInfer defines, a method too, and not an object made of it."""
    return any(isinstance(single, Symbol) and not single.path.endswith("()") for _, single in options(value))


def _is_place(at: Reader, node: ast.expr) -> bool:
    """Whether what is called is a name, or an attribute of the object itself."""
    if isinstance(node, ast.Attribute):
        return isinstance(node.value, ast.Name) and node.value.id == at.scope.self_name
    return isinstance(node, ast.Name)


def _invoke(
    at: Reader, node: ast.Call, function: Value, given: Given, *, condition: Condition, doubt: str
) -> Value:
    if isinstance(function, Partial):
        more = Given(
            (*function.positional, *given.positional), function.keywords.merge(given.keywords), given.unknown
        )
        return _invoke(at, node, function.target, more, condition=condition, doubt=doubt)
    if isinstance(function, Symbol):
        return call_symbol(at, node, function, given, place=Place(condition), doubt=doubt)
    if isinstance(function, LocalClass):
        loaded = loader(at, node, function.name, given)
        return Local(function.name) if loaded is None else loaded
    if isinstance(function, Function):
        return _call_function(at, node, function.name, given)
    if isinstance(function, Returning):
        return function.value
    if isinstance(function, Parameters):
        return function
    by_name(at, node, given)
    if isinstance(function, Own):
        about = _is_asked(given) or modules(at, given)
        return Asked(shorten(node)) if about else Truth(("own", function.path))
    return UNKNOWN


def _call_function(at: Reader, node: ast.Call, name: str, given: Given) -> Value:
    plain = at.found.returned(name)
    hand(at, name, given)
    if isinstance(plain, Pairs | Row):
        plain = replace(plain)  # each call makes a new one
    imports = name.rpartition(".")[2] in at.importers
    gates = any(is_version(value) for value in given.values) or any(
        is_version(single) or (isinstance(single, Truth) and unfollowed(single.condition))
        for _, single in options(plain)
    )
    function = at.definitions.get(name)
    asks = any(_is_thing(value) for value in given.values) and (
        function is not None and mentions(function.node, _QUESTIONS)
    )
    wraps = any(isinstance(single, Function) for _, single in options(plain)) and any(
        isinstance(value, Symbol) for value in given.values
    )
    if not given.values or not (gates or asks or wraps or (imports and modules(at, given))):
        return plain
    followed = follow(at, node, name, given)
    result = plain if followed is None else followed
    if imports and not gates and not leads_into_provider(result):
        by_name(at, node, given)
    return result


def _escape(at: Reader, node: ast.Call) -> None:
    """A dictionary handed to other code may come back with further keys."""
    for argument in node.args:
        if isinstance(argument, ast.Name):
            value = at.scope.names.get(argument.id)
            if isinstance(value, Pairs) and shorten(node.func) not in _KEEPING:
                left_open(at, argument, value, f"what {shorten(node.func, 40)} adds")


def _partly(target: Symbol | Partial, positional: tuple[Value, ...], keywords: Pairs) -> Partial:
    if isinstance(target, Symbol):
        return Partial(target, positional, keywords)
    return Partial(target.target, (*target.positional, *positional), target.keywords.merge(keywords))


@called("partial")
def _partial(at: Reader, node: ast.Call) -> Value | None:
    given = arguments(at, node)
    if not given.positional or given.unknown:
        return None
    found: list[tuple[Condition, Value]] = [
        (condition, _partly(single, given.positional[1:], given.keywords))
        for condition, single in options(given.positional[0])
        if isinstance(single, Symbol | Partial)
    ]
    return either(found) if found else None
