"""FlashInfer's version, whole and in pieces: what gives it, and what comparisons with it say."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from matrix.engines.conditions import FALSE, Condition, asked, every, negate, some
from matrix.engines.reading.arguments import called_name, called_on, first_argument, two_arguments
from matrix.engines.reading.dispatch import called
from matrix.engines.reading.options import either, options
from matrix.engines.reading.texts import shorten
from matrix.engines.reading.values import (
    UNKNOWN,
    Asked,
    Constant,
    Container,
    Number,
    Release,
    Row,
    Specifier,
    Split,
    Truth,
    Value,
)

if TYPE_CHECKING:
    from matrix.engines.reading.reader import Reader

SIGNS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
_SWAPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_NAMED_NUMBERS = {"major": 0, "minor": 1, "micro": 2}
_SPECIFIED = re.compile(r"(<=|>=|==|!=|<)\s*([\w.]+)")
_FIRST_NUMBERS = re.compile(r"\^?v?\(\\d\+\)(\\\.\(\\d\+\))*(\.\*|\$)?")
_OPERATORS: dict[str, type[ast.cmpop]] = {
    "lt": ast.Lt,
    "le": ast.LtE,
    "gt": ast.Gt,
    "ge": ast.GtE,
    "eq": ast.Eq,
    "ne": ast.NotEq,
}
NUMBERS = Row((Number(0), Number(1), Number(2)))


def is_version(value: Value) -> bool:
    """Whether a value comes of FlashInfer's version."""
    for _, single in options(value):
        if isinstance(single, Row):
            if any(map(is_version, single.elements)):
                return True
        elif isinstance(single, Container):
            if is_version(single.item):
                return True
        elif isinstance(single, Release | Split | Number | Asked):
            return True
    return False


def version_attribute(release: Release, name: str) -> Value:
    """An attribute of FlashInfer's parsed version."""
    if name == "public":
        return replace(release, parsed=False)
    if name == "base_version":
        return Release((*release.steps, "base"))
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
    if operator in {ast.In, ast.NotIn}:
        inside = _one_of(left, right)
        return negate(inside) if inside and operator is ast.NotIn else inside
    sign = SIGNS.get(operator)
    if sign is None:
        return None
    if not is_version(left):
        left, right, sign = right, left, _SWAPPED.get(sign, sign)
    if isinstance(left, Release) and isinstance(right, Constant) and isinstance(right.value, str):
        return _compared(left, sign, right.value)
    if isinstance(left, Number) and isinstance(right, Constant):
        return _compare_number(left, sign, right.value)
    if isinstance(left, Row) and isinstance(right, Row):
        return _compare_numbers(left.elements, sign, right.elements)
    return None


def _compared(release: Release, sign: str, text: str) -> Condition:
    return ("version", sign, text, *release.steps, *(() if release.parsed else ("text",)))


def _one_of(left: Value, right: Value) -> Condition | None:
    """`version in SpecifierSet(...)`, or in a row of versions."""
    if isinstance(right, Specifier) and isinstance(left, Release):
        return specified(right.text)
    if not isinstance(right, Row) or is_version(right):
        return None
    same = [compare_version(left, ast.Eq, item) for item in right.elements]
    return None if None in same else some(condition for condition in same if condition)


def _compare_number(number: Number, sign: str, limit: object) -> Condition | None:
    """A comparison of one number; one that is still a text can only be told to be the same."""
    if isinstance(limit, str) and limit.isdecimal() and sign in {"==", "!="}:
        limit = int(limit)
    return ("number", number.index, sign, limit) if type(limit) is int else None


def _compare_numbers(have: tuple[Value, ...], sign: str, limit: tuple[Value, ...]) -> Condition | None:
    """A comparison of tuples: a pre-release's numbers are those of its release."""
    numbers = [item.value for item in limit if isinstance(item, Constant) and type(item.value) is int]
    if have != NUMBERS.elements[: len(have)] or not 0 < len(numbers) == len(limit) <= len(have):
        return None
    if sign in {"==", "!="}:
        same = every(("number", index, "==", number) for index, number in enumerate(numbers))
        same = same if len(numbers) == len(have) else FALSE
        return same if sign == "==" else negate(same)
    if sign in {">", "<="}:
        sign = {">": ">=", "<=": "<"}[sign]
        if len(numbers) == len(have):  # else the tuple is greater than its own beginning
            numbers[-1] += 1
    return ("version", sign, f"{'.'.join(str(number) for number in numbers)}.dev0")


def specified(text: str) -> Condition | None:
    """What a specifier asks of FlashInfer's version; None where that is not followed."""
    parts = [_SPECIFIED.fullmatch(part.strip()) for part in text.split(",")]
    if not all(parts):
        return None
    return every(("version", part[1], part[2]) for part in parts if part)


@called("version", "parse", "parse_version", "torchversion", "looseversion", "strictversion")
def _version(at: Reader, node: ast.Call) -> Value | None:
    """`Version(x)` of FlashInfer's version, or `importlib.metadata.version("flashinfer-python")`."""
    value = first_argument(at, node)
    names = {name.replace("-", "_") for name in at.engine.provider_distributions}
    if isinstance(value, Constant) and str(value.value).replace("-", "_") in names:
        return Release()
    loose = ("loose",) if called_name(at, node.func) in {"LooseVersion", "StrictVersion"} else ()
    parsed: list[tuple[Condition, Value]] = [
        (condition, replace(single, steps=(*single.steps, *loose), parsed=True))
        for condition, single in options(value)
        if isinstance(single, Release)
    ]
    if parsed:
        return parsed[0][1] if len(parsed) == 1 else either(parsed)
    return value if isinstance(value, Constant) and isinstance(value.value, str) else None


@called("str")
def _str(at: Reader, node: ast.Call) -> Value | None:
    value = first_argument(at, node)
    return replace(value, parsed=False) if isinstance(value, Release) else None


@called("strip", "lstrip", "removeprefix", "lower")
def _stripped(at: Reader, node: ast.Call) -> Value | None:
    """What leaves a version as it is."""
    value = called_on(at, node)
    plain = not node.args or first_argument(at, node) == Constant("v")
    return value if isinstance(value, Release) and plain else None


@called("split", "partition")
def _split(at: Reader, node: ast.Call) -> Value | None:
    value = called_on(at, node)
    if not isinstance(value, Release):
        return None
    separator = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
    if separator == "." and len(node.args) == 1 and called_name(at, node.func) == "split":
        return Split()
    rest = Asked(shorten(node))
    if not isinstance(separator, str) or separator == ".":
        return rest
    return Row((Release((*value.steps, separator)), rest))


@called("startswith")
def _startswith(at: Reader, node: ast.Call) -> Value | None:
    value, start = called_on(at, node), first_argument(at, node)
    if not (isinstance(value, Release) and isinstance(start, Constant) and isinstance(start.value, str)):
        return None
    return Truth(_compared(value, "starts", start.value))


@called("match", "search", "fullmatch")
def _match(at: Reader, node: ast.Call) -> Value | None:
    r"""`re.match(r"(\d+)\.(\d+)", version)`: the first numbers."""
    pattern, value = two_arguments(at, node)
    if not (isinstance(pattern, Constant) and isinstance(value, Release)):
        return None
    found = _FIRST_NUMBERS.fullmatch(str(pattern.value))
    count = str(pattern.value).count("(") if found else 0
    return Row(NUMBERS.elements[:count]) if 0 < count <= len(NUMBERS.elements) else Asked(shorten(node))


@called("groups", "group")
def _groups(at: Reader, node: ast.Call) -> Value | None:
    value = called_on(at, node)
    if not isinstance(value, Row) or not is_version(value):
        return None
    if not node.args:
        return value if called_name(at, node.func) == "groups" else None
    wanted = [at.argument(argument) for argument in node.args]
    numbers = [
        value.elements[index.value - 1]
        for index in wanted
        if isinstance(index, Constant)
        and isinstance(index.value, int)
        and 0 < index.value <= len(value.elements)
    ]
    if len(numbers) < len(wanted):
        return Asked(shorten(node))
    return numbers[0] if len(numbers) == 1 else Row(tuple(numbers))


@called("lt", "le", "gt", "ge", "eq", "ne")
def _operator(at: Reader, node: ast.Call) -> Value | None:
    left, right = two_arguments(at, node)
    if len(node.args) != 2 or not (is_version(left) or is_version(right)):
        return None
    said = compare_version(left, _OPERATORS[called_name(at, node.func).strip("_")], right)
    return Truth(said or asked(shorten(node)))


@called("map")
def _map(at: Reader, node: ast.Call) -> Value | None:
    value = at.argument(node.args[1]) if len(node.args) == 2 else UNKNOWN
    if not is_version(value):
        return None
    return value if shorten(node.args[0]) == "int" else Asked(shorten(node))


@called("specifierset")
def _specifier_set(at: Reader, node: ast.Call) -> Value | None:
    text = at.argument(node.args[0]) if len(node.args) == 1 else UNKNOWN
    return Specifier(str(text.value)) if isinstance(text, Constant) else None


@called("contains")
def _contains(at: Reader, node: ast.Call) -> Value | None:
    specifier, version = called_on(at, node), first_argument(at, node)
    if not isinstance(specifier, Specifier) or not isinstance(version, Release):
        return None
    inside = specified(specifier.text)
    return Truth(inside) if inside else Asked(shorten(node))
