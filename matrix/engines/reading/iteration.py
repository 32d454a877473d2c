"""What is gone through: `enumerate`, `zip`, `items` and their like, and what a function without arguments makes."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from matrix.engines.conditions import TRUE
from matrix.engines.reading.arguments import called_on, first_argument
from matrix.engines.reading.dispatch import called
from matrix.engines.reading.options import either, element, options
from matrix.engines.reading.values import UNKNOWN, Constant, Container, Function, Pairs, Row, Symbol, Value

if TYPE_CHECKING:
    from matrix.engines.reading.reader import Reader


@called("enumerate")
def _enumerate(at: Reader, node: ast.Call) -> Value | None:
    items = first_argument(at, node)
    if isinstance(items, Row) and len(node.args) == 1 and not node.keywords:
        return Row(tuple(Row((Constant(number), item)) for number, item in enumerate(items.elements)))
    return Container(Row((UNKNOWN, element(items)))) if isinstance(items, Container | Row) else None


@called("zip")
def _zip(at: Reader, node: ast.Call) -> Value | None:
    sides = [at.argument(argument) for argument in node.args]
    if not sides or any(isinstance(argument, ast.Starred) for argument in node.args):
        return None
    if all(isinstance(side, Row) for side in sides):
        return Row(
            tuple(map(Row, zip(*(side.elements for side in sides if isinstance(side, Row)), strict=False)))
        )
    return Container(Row(tuple(map(element, sides))))


@called("items")
def _items(at: Reader, node: ast.Call) -> Value | None:
    target = called_on(at, node)
    if isinstance(target, Container):
        return Container(Row((UNKNOWN, target.item)))
    if not isinstance(target, Pairs):
        return None
    if target.unknown or any(present != TRUE for _, present, _ in target.entries):
        return Container(Row((UNKNOWN, element(target))))
    return Row(tuple(Row((Constant(key), value)) for key, _, value in target.entries))


@called("reversed")
def _reversed(at: Reader, node: ast.Call) -> Value | None:
    items = first_argument(at, node)
    return Row(items.elements[::-1]) if isinstance(items, Row) else _gone_through(items)


@called("iter", "sorted")
def _in_some_order(at: Reader, node: ast.Call) -> Value | None:
    return _gone_through(first_argument(at, node))


@called("next")
def _next(at: Reader, node: ast.Call) -> Value | None:
    items = first_argument(at, node)
    return items.item if isinstance(items, Container) else None


def _gone_through(items: Value) -> Value | None:
    return Container(element(items)) if isinstance(items, Container | Row) else None


@called("field")
def _field(at: Reader, node: ast.Call) -> Value | None:
    """A field of a dataclass, by what its default is."""
    given = {keyword.arg: keyword.value for keyword in node.keywords}
    if "default_factory" in given:
        return _made(at, given["default_factory"])
    return at.argument(given["default"]) if "default" in given else None


@called("defaultdict")
def _defaultdict(at: Reader, node: ast.Call) -> Value | None:
    item = _made(at, node.args[0]) if len(node.args) == 1 else UNKNOWN
    return None if item == UNKNOWN else Container(item)


def _made(at: Reader, factory: ast.expr) -> Value:
    """What a function gives that is called without arguments; a call in it is noted where it is written."""
    made = at.argument(factory)
    if isinstance(factory, ast.Lambda):
        with at.hushed(), at.inner():
            return at.argument(factory.body)
    if isinstance(factory, ast.Name) and factory.id in {"list", "dict"}:
        return Row() if factory.id == "list" else Pairs()
    return either(
        [
            (
                condition,
                Symbol(f"{single.path}()", single.via, single.line)
                if isinstance(single, Symbol)
                else at.found.returned(single.name)
                if isinstance(single, Function)
                else UNKNOWN,
            )
            for condition, single in options(made)
        ]
    )
