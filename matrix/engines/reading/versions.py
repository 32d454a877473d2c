"""FlashInfer's version, whole and in pieces: what gives it, and what comparisons with it say."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from matrix.engines.conditions import Condition, every, negate
from matrix.engines.reading.arguments import called_on, first_argument
from matrix.engines.reading.dispatch import called
from matrix.engines.reading.options import options
from matrix.engines.reading.texts import shorten
from matrix.engines.reading.values import (
    UNKNOWN,
    Asked,
    Constant,
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
NUMBERS = Row((Number(0), Number(1), Number(2)))


def is_version(value: Value) -> bool:
    """Whether a value comes of FlashInfer's version."""
    if isinstance(value, Row):
        return any(is_version(item) for item in value.elements)
    return any(isinstance(single, Release | Split | Number | Asked) for _, single in options(value))


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


@called("version", "parse")
def _version(at: Reader, node: ast.Call) -> Value | None:
    """`Version(x)` of FlashInfer's version, or `importlib.metadata.version("flashinfer-python")`."""
    value = first_argument(at, node)
    names = {name.replace("-", "_") for name in at.engine.provider_distributions}
    if isinstance(value, Constant) and str(value.value).replace("-", "_") in names:
        return Release()
    if any(isinstance(single, Release) for _, single in options(value)):
        return Release()
    return value if isinstance(value, Constant) and isinstance(value.value, str) else None


@called("split")
def _split(at: Reader, node: ast.Call) -> Value | None:
    if not isinstance(called_on(at, node), Release):
        return None
    separator = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
    if separator == "." and len(node.args) == 1:
        return Split()
    return Row((Release(),)) if separator == "+" else Asked(shorten(node))


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
