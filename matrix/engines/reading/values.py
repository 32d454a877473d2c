"""What a name of the engine's source may stand for, as far as the source tells.

Only what leads to a call into FlashInfer is kept apart; everything else is `Other`.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from matrix.engines.conditions import FALSE, TRUE, Condition, asked, every, negate, opaque, size, some

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_MAX_OPTIONS = 8
_MAX_WEIGHT = 600


@dataclass(frozen=True)
class Other:
    """Anything that does not matter here; `text` is its source, for messages and correlated tests."""

    text: str = ""


@dataclass(frozen=True)
class Asked(Other):
    """Worked out of FlashInfer's version, or of a question asked of it, in a way that is not followed."""


@dataclass(frozen=True)
class Constant:
    """A literal."""

    value: str | int | float | bool | None


@dataclass(frozen=True)
class Symbol:
    """A dotted path into FlashInfer; `()` after a part stands for an instance or a result of it.

    Attributes:
        path: for example `flashinfer.decode.BatchDecodeWithPagedKVCacheWrapper().plan`.
        via: how the engine got at it: `import`, `attribute`, or `lazy` (a helper that imports at first call).
        line: where it was imported, 0 where it was not by name.
        rescue: what a lazy helper does where the symbol is missing; empty where it raises.
    """

    path: str
    via: str = "attribute"
    line: int = 0
    rescue: str = ""


@dataclass(frozen=True)
class Truth:
    """The answer of a test."""

    condition: Condition


@dataclass(frozen=True)
class Parameters:
    """The parameters of a symbol's signature, as `inspect` gives them."""

    path: str


@dataclass(frozen=True)
class Release:
    """FlashInfer's version, as a string or parsed."""


@dataclass(frozen=True)
class Split:
    """The pieces between the dots of FlashInfer's version."""


@dataclass(frozen=True)
class Number:
    """One of the numbers of FlashInfer's version, the first one being 0."""

    index: int


@dataclass(frozen=True)
class Specifier:
    """A `SpecifierSet`."""

    text: str


@dataclass(frozen=True)
class Pairs:
    """A dictionary whose keys are known: each with the condition under which it is there, and its value."""

    entries: tuple[tuple[str, Condition, Value], ...] = ()
    unknown: str = ""

    def put(self, key: str, value: Value) -> Pairs:
        """The dictionary after `d[key] = value`."""
        kept = tuple(entry for entry in self.entries if entry[0] != key)
        return replace(self, entries=(*kept, (key, TRUE, value)))

    def drop(self, key: str) -> Pairs:
        """The dictionary after `del d[key]`."""
        return replace(self, entries=tuple(entry for entry in self.entries if entry[0] != key))

    def merge(self, other: Pairs) -> Pairs:
        """The dictionary after `d.update(other)`."""
        certain = {key for key, condition, _ in other.entries if condition == TRUE}
        kept = tuple(entry for entry in self.entries if entry[0] not in certain)
        return Pairs((*kept, *other.entries), self.unknown or other.unknown)


@dataclass(frozen=True)
class Row:
    """A tuple or list whose elements are known one by one."""

    elements: tuple[Value, ...] = ()


@dataclass(frozen=True)
class Container:
    """A list or dictionary whose elements are all of one kind."""

    item: Value


@dataclass(frozen=True)
class Local:
    """An instance of a class that the file itself defines."""

    name: str


@dataclass(frozen=True)
class LocalClass:
    """A class that the file itself defines."""

    name: str


@dataclass(frozen=True)
class Function:
    """A function of the file, by its qualified name."""

    name: str


@dataclass(frozen=True)
class Own:
    """Something of the engine that another file defines: `package.module` or `package.module:name`."""

    path: str


@dataclass(frozen=True)
class Returning:
    """A function of another file of the engine, by what it gives back."""

    value: Value
    path: str = ""


@dataclass(frozen=True)
class Mirror:
    """The engine's own copy of one of FlashInfer's enums."""

    enum: str


@dataclass(frozen=True)
class Member:
    """A member of such a copy."""

    enum: str
    name: str


@dataclass(frozen=True)
class Partial:
    """`functools.partial` of a symbol."""

    target: Value
    positional: tuple[Value, ...]
    keywords: Pairs


@dataclass(frozen=True)
class Either:
    """One of several values, each under its condition."""

    options: tuple[tuple[Condition, Value], ...]


Value = (
    Other
    | Constant
    | Symbol
    | Truth
    | Parameters
    | Release
    | Split
    | Number
    | Specifier
    | Pairs
    | Row
    | Container
    | Local
    | LocalClass
    | Function
    | Own
    | Returning
    | Mirror
    | Member
    | Partial
    | Either
)

NOTHING = Constant(None)
UNKNOWN = Other()


def is_version(value: Value) -> bool:
    """Whether a value comes of FlashInfer's version."""
    if isinstance(value, Row):
        return any(is_version(item) for item in value.elements)
    return any(isinstance(single, Release | Split | Number | Asked) for _, single in options(value))


def weight(value: Value, limit: int = _MAX_WEIGHT) -> int:
    """How much there is to a value, counted up to a limit."""
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
    if isinstance(value, Symbol | Function | LocalClass):
        return TRUE
    if isinstance(value, Row):
        return TRUE if value.elements else FALSE
    return opaque(text)


def is_something(value: Value) -> bool | None:
    """Whether a value is not None; None where that is not known."""
    if isinstance(value, Constant):
        return value.value is not None
    return None if isinstance(value, Other | Own) else True


# --- FlashInfer's version

SIGNS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
_SWAPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_NAMED_NUMBERS = {"major": 0, "minor": 1, "micro": 2}
_SPECIFIED = re.compile(r"(<=|>=|==|!=|<)\s*([\w.]+)")
NUMBERS = Row((Number(0), Number(1), Number(2)))


def version_attribute(name: str) -> Value:
    """An attribute of FlashInfer's parsed version."""
    if name in {"base_version", "public"}:
        return Release()
    if name == "release":
        return NUMBERS
    return Number(_NAMED_NUMBERS[name]) if name in _NAMED_NUMBERS else Asked(name)


def sliced(value: Value, part: ast.Slice) -> Value | None:
    """The first elements of a row or of the pieces of the version, `value[:n]`; None for any other slice."""
    upper = part.upper.value if isinstance(part.upper, ast.Constant) else None
    if part.lower is not None or part.step is not None or not isinstance(upper, int) or upper < 1:
        return None
    if isinstance(value, Split):
        return Row(NUMBERS.elements[:upper]) if upper <= len(NUMBERS.elements) else None
    return Row(value.elements[:upper]) if isinstance(value, Row) else None


def compare_version(left: Value, operator: type[ast.cmpop], right: Value) -> Condition | None:
    """What a comparison with FlashInfer's version says; None where that is not followed."""
    if isinstance(right, Specifier) and isinstance(left, Release) and operator in {ast.In, ast.NotIn}:
        inside = specified(right.text)
        return negate(inside) if inside and operator is ast.NotIn else inside
    sign = SIGNS.get(operator)
    if sign is None:
        return None
    if not is_version(left):
        left, right, sign = right, left, _SWAPPED.get(sign, sign)
    if isinstance(left, Release) and isinstance(right, Constant) and isinstance(right.value, str):
        return ("version", sign, right.value)
    if isinstance(left, Number):
        left, right = Row((left,)), Row((right,))
    if isinstance(left, Row) and isinstance(right, Row):
        return _compare_numbers(left.elements, sign, right.elements)
    return None


def _compare_numbers(have: tuple[Value, ...], sign: str, limit: tuple[Value, ...]) -> Condition | None:
    """A comparison of tuples: a pre-release's numbers are those of its release."""
    numbers = [item.value for item in limit if isinstance(item, Constant) and type(item.value) is int]
    if have != NUMBERS.elements[: len(have)] or not 0 < len(numbers) == len(limit) <= len(have):
        return None
    if sign in {">", "<="}:
        sign = {">": ">=", "<=": "<"}[sign]
        if len(numbers) == len(have):  # else the tuple is greater than its own beginning
            numbers[-1] += 1
    if sign not in {">=", "<"}:
        return None
    return ("version", sign, f"{'.'.join(str(number) for number in numbers)}.dev0")


def specified(text: str) -> Condition | None:
    """What a specifier asks of FlashInfer's version; None where that is not followed."""
    parts = [_SPECIFIED.fullmatch(part.strip()) for part in text.split(",")]
    if not all(parts):
        return None
    return every(("version", part[1], part[2]) for part in parts if part)
