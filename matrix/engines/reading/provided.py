"""Calls into FlashInfer: what each passes, and what speaks against its being reached."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from matrix.engines.conditions import (
    TRUE,
    Condition,
    asks_release,
    consistent,
    every,
    implied,
    negate,
    terms,
    unfollowed,
)
from matrix.engines.reading.arguments import Given, gated
from matrix.engines.reading.options import options
from matrix.engines.reading.texts import shorten
from matrix.engines.reading.values import NOTHING, UNKNOWN, Constant, Member, Symbol, Truth, Value
from matrix.engines.uses import Arguments

if TYPE_CHECKING:
    from matrix.engines.reading.reader import Reader

_MAX_PATH = 2


class Place(NamedTuple):
    """Where something is called.

    Attributes:
        condition: of the call.
        named: the condition under which the name that is called is FlashInfer's, where nothing asks for that.
        unasked: why the line may not be reached where it is not; empty where it surely is.
    """

    condition: Condition = TRUE
    named: Condition = TRUE
    unasked: str = ""


def call_symbol(
    at: Reader,
    node: ast.Call,
    symbol: Symbol,
    given: Given,
    *,
    place: Place,
    doubt: str = "",
) -> Value:
    """Note a call of a symbol; gives what stands for its result."""
    if at.following and _hands_on(at, node, given):
        at.following[-1].forwards[at.scope.qualname] = Symbol(symbol.path, "lazy", symbol.line)
    for value in given.values:
        at.found.passed |= {
            (single.enum, single.name) for _, single in options(value) if isinstance(single, Member)
        }
    at.note(
        node,
        symbol,
        kind="call",
        form="call",
        condition=place.condition,
        arguments=replace(_noted(given, [*at.path, place.condition]), held=symbol.held),
        doubt=doubt or _patched(at, symbol),
        named=place.named,
        unasked=place.unasked,
    )
    if symbol.path.count("()") >= _MAX_PATH:
        return UNKNOWN
    return Symbol(f"{symbol.path}()", symbol.via, symbol.line)


def _hands_on(at: Reader, node: ast.Call, given: Given) -> bool:
    """Whether a function passes all of its own arguments and nothing else."""
    if not given.unknown or given.positional or given.keywords.entries:
        return False
    rest = {shorten(item.value) for item in node.args if isinstance(item, ast.Starred)}
    return rest | {shorten(item.value) for item in node.keywords if item.arg is None} == set(at.scope.rest)


def _noted(given: Given, here: list[Condition]) -> Arguments:
    named = ((key, value) for key, _, value in given.keywords.entries)
    by_position = ((f"#{number}", value) for number, value in enumerate(given.positional))
    return Arguments(
        positional=len(given.positional),
        keywords=tuple(
            (key, presence)
            for key, presence, _ in given.keywords.entries
            if consistent([*here, presence]) and not unfollowed(presence)
        ),
        unknown=given.unknown or given.keywords.unknown or gated(given.keywords),
        integers=tuple(
            (key, value.value)
            for key, value in (*by_position, *named)
            if isinstance(value, Constant)
            and isinstance(value.value, int)
            and not isinstance(value.value, bool)
        ),
    )


def _patched(at: Reader, symbol: Symbol) -> str:
    method = symbol.path.rpartition(".")[2]
    patched = "()." in symbol.path and method in at.found.patched
    return f"`.{method}` is replaced elsewhere in the file" if patched else ""


def meant(
    at: Reader, node: ast.Call, function: Value, condition: Condition, symbol: Symbol
) -> tuple[Symbol, Place]:
    """A call through a name that may be None or unset: the symbol, and what is known where nothing before it asks."""
    lacking = [term for term in terms(condition) if asks_release(term) and not implied(term, at.path)]
    nothing = [option for option, single in options(function) if single == NOTHING]
    asked = bool(nothing) and not any(consistent([*at.path, option]) for option in nothing)
    if at.following or asked or not lacking or not consistent([*at.path, negate(every(lacking))]):
        return symbol, Place(condition)
    reached = isinstance(node.func, ast.Name) and _is_reached(at, lacking)
    return replace(symbol, via=_lacked(at, node.func, function)), Place(
        every(term for term in terms(condition) if term not in lacking),
        every(lacking),
        ""
        if reached
        else f"whether this is reached where `{shorten(node.func)}` is None or unset is not seen",
    )


def _lacked(at: Reader, node: ast.expr, function: Value) -> str:
    """How a call fails there, see `values.Symbol`."""
    if any(single == NOTHING for _, single in options(function)):
        return "none"
    if isinstance(node, ast.Attribute):
        return "attribute"
    return "unbound" if at.scope.qualname and shorten(node) in at.scope.names else "unset"


def _is_reached(at: Reader, lacking: list[Condition]) -> bool:
    """Whether a public function, or the file itself, gets to this line with nothing asked on the way."""
    if at.scope.cls or at.scope.qualname.startswith("_") or "." in at.scope.qualname:
        return False
    if any(term != TRUE for condition in at.path for term in terms(condition)):
        return False
    top = at.scope
    while top.parent is not None:
        top = top.parent
    return not any(
        isinstance(single, Constant | Truth) and single != NOTHING and set(lacking) & set(terms(condition))
        for value in top.names.values()
        for condition, single in options(value)
    )
