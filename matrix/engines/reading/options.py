"""Values of which several may be meant, each under its condition: joined, kept small, tested."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matrix.engines.conditions import FALSE, TRUE, Condition, asked, every, negate, opaque, size, some
from matrix.engines.reading.values import (
    UNKNOWN,
    Asked,
    Caught,
    Constant,
    Container,
    Either,
    Function,
    LocalClass,
    Other,
    Own,
    Pairs,
    Partial,
    Row,
    Symbol,
    Truth,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_MAX_OPTIONS = 8
_MAX_WEIGHT = 600


def weight(value: Value, limit: int = _MAX_WEIGHT) -> int:
    """How much there is to a value, counted up to a limit."""
    if type(value) in {Other, Symbol, Constant}:  # most are
        return 1
    total = 1
    parts: Iterable[tuple[Condition, Value]] = ()
    if isinstance(value, Row):
        parts = ((TRUE, item) for item in value.elements)
    elif isinstance(value, Container):
        parts = ((TRUE, value.item),)
    elif isinstance(value, Pairs):
        parts = ((condition, item) for _, condition, item in value.entries)
    elif isinstance(value, Either):
        parts = value.options
    elif isinstance(value, Partial):
        parts = ((TRUE, item) for item in (value.target, *value.positional, value.keywords))
    elif isinstance(value, Truth):
        return size(value.condition)
    for condition, item in parts:
        if total > limit:
            break
        total += size(condition) + weight(item, limit - total)
    return total


def bounded(value: Value) -> Value:
    """The value, or an unknown one where it has grown too large to be carried along."""
    if weight(value) <= _MAX_WEIGHT:
        return value
    return Pairs(unknown="more than can be followed") if isinstance(value, Pairs) else UNKNOWN


def options(value: Value) -> Iterator[tuple[Condition, Value]]:
    """Each value that may be meant, with its condition."""
    if isinstance(value, Either):
        yield from value.options
    else:
        yield TRUE, value


def either(pairs: list[tuple[Condition, Value]]) -> Value:
    """One value for several, equal ones joined."""
    if len(pairs) == 1 and pairs[0][0] == TRUE:
        return pairs[0][1]
    merged: dict[Value, Condition] = {}
    for condition, value in pairs:
        for inner, single in options(value):
            both = every((condition, inner))
            if both != FALSE:
                merged[single] = some((merged[single], both)) if single in merged else both
    if len(merged) == 1 and next(iter(merged.values())) == TRUE:
        return next(iter(merged))
    if len(merged) > _MAX_OPTIONS:
        return _crowd(list(merged))
    if not merged:
        return UNKNOWN
    return Either(tuple((condition, value) for value, condition in merged.items()))


def _crowd(values: list[Value]) -> Value:
    """Too many values to tell when which is meant; what of them leads into FlashInfer is not lost."""
    symbols = [value for value in values if isinstance(value, Symbol)][: _MAX_OPTIONS - 1]
    if not symbols:
        return UNKNOWN
    meant = asked(f"which of {len(values)} values is meant")
    return Either((*((meant, symbol) for symbol in symbols), (TRUE, UNKNOWN)))


def join(condition: Condition, then: Value | None, other: Value | None) -> Value:
    """The value after two branches; None stands for a branch that leaves the name unbound."""
    if then == other and then is not None:
        return then
    if isinstance(then, Pairs) and isinstance(other, Pairs):
        return _join_pairs(condition, then, other)
    if isinstance(then, Container | Row | Pairs) and isinstance(other, Container | Row | Pairs):
        return Container(one_of(item for item in (element(then), element(other)) if item != UNKNOWN))
    branches: list[tuple[Condition, Value]] = []
    if then is not None:
        branches.append((condition, then))
    if other is not None:
        branches.append((negate(condition), other))
    return either(branches)


def _join_pairs(condition: Condition, then: Pairs, other: Pairs) -> Pairs:
    mine, theirs = ({entry[0]: entry for entry in side.entries} for side in (then, other))
    entries: list[tuple[str, Condition, Value]] = []
    for key in {**mine, **theirs}:
        first, second = mine.get(key), theirs.get(key)
        if first is not None and second is not None:
            same = first[1] == second[1]
            presence = (
                first[1]
                if same
                else some((every((condition, first[1])), every((negate(condition), second[1]))))
            )
            entries.append((key, presence, join(condition, first[2], second[2])))
        elif first is not None:
            entries.append((key, every((condition, first[1])), first[2]))
        elif second is not None:
            entries.append((key, every((negate(condition), second[1])), second[2]))
    return Pairs(tuple(entries), then.unknown or other.unknown)


def element(value: Value) -> Value:
    """What an element of a container is, where all are alike."""
    if isinstance(value, Container):
        return value.item
    items: tuple[Value, ...] = ()
    if isinstance(value, Row):
        items = value.elements
    elif isinstance(value, Pairs):
        items = tuple(entry[2] for entry in value.entries)
    return one_of(items)


def one_of(items: Iterable[Value]) -> Value:
    """One of several values, where nothing says which."""
    distinct = list(dict.fromkeys(items))
    if len(distinct) < 2:
        return distinct[0] if distinct else UNKNOWN
    return either([(opaque(f"case {number}"), item) for number, item in enumerate(distinct)])


def truth(value: Value, text: str, *, absent: Callable[[Value], bool | None] | None = None) -> Condition:
    """The condition under which a value counts as true.

    Args:
        value: what is tested.
        text: its source, by which two tests of an unknown value are recognised as the same.
        absent: decides for a single value instead of its truth (`is None` tests).
    """
    return some(every((condition, _truth(single, text, absent))) for condition, single in options(value))


def _truth(value: Value, text: str, absent: Callable[[Value], bool | None] | None) -> Condition:
    if isinstance(value, Truth):
        return value.condition
    if isinstance(value, Asked):
        return asked(text)
    if absent is not None:
        known = absent(value)
        return opaque(text) if known is None else (TRUE if known else FALSE)
    if isinstance(value, Constant):
        return TRUE if value.value else FALSE
    if isinstance(value, Symbol | Function | LocalClass | Caught):
        return TRUE
    if isinstance(value, Row):
        return TRUE if value.elements else FALSE
    return opaque(text)


def is_something(value: Value) -> bool | None:
    """Whether a value is not None; None where that is not known."""
    if isinstance(value, Constant):
        return value.value is not None
    return None if isinstance(value, Other | Own) and not isinstance(value, Caught) else True
