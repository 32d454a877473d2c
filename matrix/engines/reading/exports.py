"""What a file's names tell other files of the engine, as JSON keeps it."""

from __future__ import annotations

from typing import Any

from matrix.engines.conditions import asks_release, from_json
from matrix.engines.reading.options import options
from matrix.engines.reading.values import (
    UNKNOWN,
    Constant,
    Either,
    Pairs,
    Release,
    Returning,
    Symbol,
    Truth,
    Value,
)


def leads_into_provider(value: Value) -> bool:
    """Whether a name is worth telling other files of the engine about."""
    return any(
        isinstance(single, Symbol | Release)
        or (isinstance(single, Truth) and asks_release(single.condition))
        or (isinstance(single, Constant) and asks_release(condition))
        for condition, single in options(value)
    )


def value_to_json(value: Value) -> Any:
    """An exported value as JSON; what other files cannot use is left out."""
    if isinstance(value, Either):
        return ["either", [[condition, value_to_json(single)] for condition, single in value.options]]
    if isinstance(value, Symbol):
        return ["symbol", value.path, value.via, value.rescue]
    if isinstance(value, Pairs):
        entries = [[key, condition, value_to_json(item)] for key, condition, item in value.entries]
        return ["pairs", entries, value.unknown]
    if isinstance(value, Truth):
        return ["truth", value.condition]
    if isinstance(value, Release):
        return ["release"]
    if isinstance(value, Constant):
        return ["constant", value.value]
    return ["other"]


def value_from_json(data: Any) -> Value:
    """Read back what `value_to_json` wrote."""
    word, *rest = data
    if word == "either":
        return Either(tuple((from_json(condition), value_from_json(single)) for condition, single in rest[0]))
    if word == "symbol":
        return Symbol(rest[0], rest[1], 0, rest[2])
    if word == "pairs":
        entries = tuple(
            (key, from_json(condition), value_from_json(item)) for key, condition, item in rest[0]
        )
        return Pairs(entries, rest[1])
    if word == "returns":
        return Returning(value_from_json(rest[0]))
    if word == "truth":
        return Truth(from_json(rest[0]))
    if word == "release":
        return Release()
    if word == "constant":
        return Constant(rest[0])
    return UNKNOWN
