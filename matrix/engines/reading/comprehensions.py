"""Comprehensions and lambdas, which have names of their own."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from matrix.engines.conditions import accepts, every
from matrix.engines.reading.dispatch import evaluates
from matrix.engines.reading.options import element
from matrix.engines.reading.texts import shorten
from matrix.engines.reading.values import (
    UNKNOWN,
    Asked,
    Constant,
    Container,
    Other,
    Pairs,
    Parameters,
    Row,
    Value,
)
from matrix.engines.reading.versions import is_version

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matrix.engines.reading.reader import Reader


_MAX_UNROLLED = 24


@evaluates(ast.ListComp, ast.SetComp, ast.GeneratorExp)
def _elements(at: Reader, node: ast.ListComp | ast.SetComp | ast.GeneratorExp) -> Value:
    with at.inner():
        if len(node.generators) == 1:
            known = _of_answer(at, node, node.generators[0])
            if known is not None:
                return known
        one_by_one = _known_items(at, node.generators)
        if one_by_one is not None:
            return Row(tuple(_each(at, node, one_by_one)))
        _generators(at, node.generators)
        return Container(at.value(node.elt))


def _each(at: Reader, node: ast.ListComp | ast.SetComp | ast.GeneratorExp, items: Row) -> Iterator[Value]:
    for item in items.elements:
        at.bind(node.generators[0].target, item)
        yield at.value(node.elt)


def _of_answer(
    at: Reader, node: ast.ListComp | ast.SetComp | ast.GeneratorExp, part: ast.comprehension
) -> Value | None:
    """What is made of FlashInfer's version, or of the names of parameters; None where it is of neither."""
    items = at.value(part.iter)
    if isinstance(items, Parameters) and not part.ifs and shorten(node.elt) == shorten(part.target):
        return items
    if isinstance(items, Row) and is_version(items) and not part.ifs:
        return Row(tuple(_each(at, node, items)))
    return Asked(shorten(node)) if isinstance(items, Parameters) or is_version(items) else None


@evaluates(ast.DictComp)
def _pairs(at: Reader, node: ast.DictComp) -> Value:
    with at.inner():
        items = _known_items(at, node.generators)
        if items is not None:
            pairs = Pairs()
            for known in items.elements:
                at.bind(node.generators[0].target, known)
                key, item = at.value(node.key), at.value(node.value)
                named = isinstance(key, Constant) and isinstance(key.value, str)
                pairs = (
                    pairs.put(str(key.value), item)
                    if isinstance(key, Constant) and named
                    else Pairs(pairs.entries, "keys that are not literal")
                )
            return pairs
        _generators(at, node.generators)
        at.value(node.key)
        item = at.value(node.value)
    filtered = _filtered(at, node)
    return Container(item) if filtered is None else filtered


def _known_items(at: Reader, generators: list[ast.comprehension]) -> Row | None:
    """What a comprehension goes through one by one; None where that is not known."""
    items = at.value(generators[0].iter) if len(generators) == 1 and not generators[0].ifs else None
    return items if isinstance(items, Row) and 0 < len(items.elements) <= _MAX_UNROLLED else None


def _generators(at: Reader, generators: list[ast.comprehension]) -> None:
    for part in generators:
        at.bind(part.target, element(at.value(part.iter)))
        for condition in part.ifs:
            at.test(condition)


def _filtered(at: Reader, node: ast.DictComp) -> Value | None:
    """`{k: v for k, v in d.items() if k in signature(f).parameters}` keeps what `f` accepts."""
    part = node.generators[0]
    source = part.iter
    if not (
        len(node.generators) == 1
        and isinstance(source, ast.Call)
        and isinstance(source.func, ast.Attribute)
        and source.func.attr == "items"
        and isinstance(node.key, ast.Name)
    ):
        return None
    pairs = at.value(source.func.value)
    if not isinstance(pairs, Pairs):
        return None
    for condition in part.ifs:
        gate = (
            at.value(condition.comparators[0])
            if isinstance(condition, ast.Compare) and isinstance(condition.ops[0], ast.In)
            else UNKNOWN
        )
        if not isinstance(gate, Parameters):
            return Pairs(pairs.entries, f"a filter: {shorten(condition)}")
        pairs = Pairs(
            tuple((key, every((c, accepts(gate.path, key))), v) for key, c, v in pairs.entries),
            pairs.unknown,
        )
    return pairs


@evaluates(ast.Lambda)
def _lambda(at: Reader, node: ast.Lambda) -> Value:
    frames, at.frames = at.frames, []
    with at.inner():
        for argument in node.args.args:
            at.scope.names[argument.arg] = UNKNOWN
        at.value(node.body)
    at.frames = frames
    return Other(shorten(node))
