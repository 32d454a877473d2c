"""Literals, subscripts and the other expressions that are neither names, tests nor calls."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from matrix.engines.conditions import every, negate
from matrix.engines.reading.arguments import spread
from matrix.engines.reading.dispatch import evaluates
from matrix.engines.reading.options import either, element, join, options
from matrix.engines.reading.patches import module_named
from matrix.engines.reading.texts import shorten
from matrix.engines.reading.values import (
    UNKNOWN,
    Asked,
    Constant,
    Container,
    Number,
    Pairs,
    Row,
    Split,
    Symbol,
    Truth,
    Value,
)
from matrix.engines.reading.versions import NUMBERS, is_version, sliced

if TYPE_CHECKING:
    from matrix.engines.conditions import Condition
    from matrix.engines.reading.reader import Reader


@evaluates(ast.expr)
def _plain(at: Reader, node: ast.expr) -> Value:
    parts = [at.value(child) for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
    return Asked(shorten(node)) if any(is_version(part) for part in parts) else UNKNOWN


@evaluates(ast.Constant)
def _constant(_: Reader, node: ast.Constant) -> Value:
    value = node.value
    return Constant(value) if value is None or isinstance(value, str | int | float | bool) else UNKNOWN


@evaluates(ast.Tuple, ast.List, ast.Set)
def _row(at: Reader, node: ast.Tuple | ast.List | ast.Set) -> Value:
    items = tuple(at.value(item) for item in node.elts)
    return Container(UNKNOWN) if any(isinstance(item, ast.Starred) for item in node.elts) else Row(items)


@evaluates(ast.Dict)
def _dict(at: Reader, node: ast.Dict) -> Value:
    pairs = Pairs()
    for key, item in zip(node.keys, node.values, strict=True):
        value = at.value(item)
        if key is None:
            pairs = pairs.merge(spread(value, shorten(item)))
        elif isinstance(key, ast.Constant) and isinstance(key.value, str):
            pairs = pairs.put(key.value, value)
        else:
            at.value(key)
            pairs = Pairs(pairs.entries, "keys that are not literal")
    return pairs


@evaluates(ast.JoinedStr)
def _joined_str(at: Reader, node: ast.JoinedStr) -> Value:
    """A text put together of constants is one."""
    texts = []
    for part in node.values:
        plain = not isinstance(part, ast.FormattedValue) or (part.conversion < 0 and part.format_spec is None)
        value = at.value(part.value if isinstance(part, ast.FormattedValue) and plain else part)
        known = plain and isinstance(value, Constant) and type(value.value) in {str, int}
        texts.append(str(value.value) if known and isinstance(value, Constant) else None)
    return UNKNOWN if None in texts else Constant("".join(filter(None, texts)))


@evaluates(ast.Starred)
def _starred(at: Reader, node: ast.Starred) -> Value:
    at.value(node.value)
    return UNKNOWN


@evaluates(ast.UnaryOp)
def _unary_op(at: Reader, node: ast.UnaryOp) -> Value:
    return Truth(at.test(node)) if isinstance(node.op, ast.Not) else _plain(at, node)


@evaluates(ast.BinOp)
def _bin_op(at: Reader, node: ast.BinOp) -> Value:
    """Dictionaries or rows joined, and rows of one kind; anything else is not followed."""
    left, right = at.value(node.left), at.value(node.right)
    if isinstance(node.op, ast.BitOr) and (isinstance(left, Pairs) or isinstance(right, Pairs)):
        return spread(left, shorten(node.left)).merge(spread(right, shorten(node.right)))
    if isinstance(node.op, ast.Add) and isinstance(left, Row) and isinstance(right, Row):
        return Row((*left.elements, *right.elements))
    if isinstance(node.op, ast.Mult) and isinstance(node.left, ast.List) and isinstance(left, Row):
        return Container(element(left)) if left.elements else UNKNOWN
    return Asked(shorten(node)) if is_version(left) or is_version(right) else UNKNOWN


@evaluates(ast.IfExp)
def _if_exp(at: Reader, node: ast.IfExp) -> Value:
    condition = at.test(node.test)
    at.path.append(condition)
    then = at.value(node.body)
    at.path[-1] = negate(condition)
    other = at.value(node.orelse)
    at.path.pop()
    return join(condition, then, other)


@evaluates(ast.NamedExpr)
def _named_expr(at: Reader, node: ast.NamedExpr) -> Value:
    value = at.value(node.value)
    at.scope.names[node.target.id] = value
    return value


@evaluates(ast.Subscript)
def _subscript(at: Reader, node: ast.Subscript) -> Value:
    base, index = at.value(node.value), at.value(node.slice)
    if module := module_named(at, node.value, index):
        return at.scope.find(f"={module}") or Symbol(module, "import", node.lineno)
    results: list[tuple[Condition, Value]] = []
    for condition, single in options(base):
        if isinstance(single, Pairs) and isinstance(index, Constant):
            results += [
                (every((condition, present)), value)
                for key, present, value in single.entries
                if key == index.value
            ] or [(condition, UNKNOWN)]
        else:
            results.append((condition, _element_at(node, single, index)))
    return either(results)


def _element_at(node: ast.Subscript, base: Value, index: Value) -> Value:
    if isinstance(node.slice, ast.Slice) and (piece := sliced(base, node.slice)) is not None:
        return piece
    number = index.value if isinstance(index, Constant) and isinstance(index.value, int) else None
    if isinstance(base, Split):
        if number is not None and 0 <= number < len(NUMBERS.elements):
            return Number(number)
        return Asked(shorten(node))
    if is_version(base) and not isinstance(base, Row):
        return Asked(shorten(node))
    if isinstance(base, Row) and number is not None:
        inside = -len(base.elements) <= number < len(base.elements)
        return base.elements[number] if inside else UNKNOWN
    return UNKNOWN if isinstance(base, Symbol) else element(base)
