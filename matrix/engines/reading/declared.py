"""Annotations: what a name may hold that is declared and not assigned."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from matrix.engines.reading.dispatch import called
from matrix.engines.reading.options import either, one_of, options
from matrix.engines.reading.texts import shorten
from matrix.engines.reading.values import UNKNOWN, Container, Local, LocalClass, Symbol, Value

if TYPE_CHECKING:
    from matrix.engines.conditions import Condition
    from matrix.engines.reading.reader import Reader

_MAPPINGS = {"Dict", "dict", "Mapping"}
_CONTAINERS = {"List", "list", "Sequence", "Iterable", "Tuple", "tuple", "Set"} | _MAPPINGS
_TRANSPARENT = {"Optional", "Union", "Annotated", "Final", "ClassVar"}


def annotated(at: Reader, node: ast.expr | None) -> Value:
    """An instance of what an annotation names, where that is certain."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            node = ast.parse(node.value, mode="eval").body
        except SyntaxError:
            return UNKNOWN
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _union(at, [node.left, node.right])
    if isinstance(node, ast.Subscript):
        name = shorten(node.value).rpartition(".")[2]
        inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if name in _CONTAINERS and inner:
            item = annotated(at, inner[-1] if name in _MAPPINGS else inner[0])
            return UNKNOWN if item == UNKNOWN else Container(item)
        return _union(at, inner) if name in _TRANSPARENT else UNKNOWN
    return _instance(at, node) if isinstance(node, ast.Name | ast.Attribute) else UNKNOWN


def evaluated(at: Reader, node: ast.expr | None) -> None:
    """Look up what an annotation names, where Python does."""
    if node is not None and not at.postponed and any(isinstance(i, ast.Attribute) for i in ast.walk(node)):
        at.value(node)


def _union(at: Reader, members: list[ast.expr]) -> Value:
    found = [
        annotated(at, member)
        for member in members
        if not (isinstance(member, ast.Constant) and member.value is None)
    ]
    return UNKNOWN if UNKNOWN in found else one_of(found)


def _instance(at: Reader, node: ast.Name | ast.Attribute) -> Value:
    with at.hushed():
        value = at.value(node)
    results: list[tuple[Condition, Value]] = []
    for condition, single in options(value):
        if isinstance(single, Symbol) and "()" not in single.path:
            results.append((condition, Symbol(f"{single.path}()", single.via, single.line)))
        elif isinstance(single, LocalClass):
            results.append((condition, Local(single.name)))
    return either(results) if results else UNKNOWN


@called("cast")
def _cast(at: Reader, node: ast.Call) -> Value | None:
    if len(node.args) != 2:
        return None
    value = at.argument(node.args[1])
    return annotated(at, node.args[0]) if value == UNKNOWN else value
