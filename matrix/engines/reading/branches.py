"""Branches and loops: what the names stand for after them."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

from matrix.engines.conditions import FALSE, TRUE, Condition, negate, opaque
from matrix.engines.reading.dispatch import executes, executor
from matrix.engines.reading.instances import narrow
from matrix.engines.reading.options import bounded, element, join, weight
from matrix.engines.reading.texts import shorten
from matrix.engines.reading.values import Row, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matrix.engines.reading.reader import Reader

_MAX_UNROLL = 24
_MAX_NESTED = 96


class Branch(NamedTuple):
    """A branch that was read: the names at its end, and whether that is reached."""

    names: dict[str, Value]
    goes_on: bool


def branch(
    at: Reader,
    condition: Condition,
    body: Sequence[ast.stmt],
    test: ast.expr | None = None,
    *,
    positive: bool = True,
) -> Branch:
    """Read a branch; the names before it stay in force.

    Args:
        at: where it is read.
        condition: what must hold for it.
        body: its statements.
        test: what was asked, by which values are narrowed.
        positive: whether the branch is for the answer yes.
    """
    before = dict(at.scope.names)
    at.path.append(condition)
    if test is not None:
        narrow(at, test, positive=positive)
    goes_on = at.run(body)
    at.path.pop()
    after, at.scope.names = at.scope.names, before
    return Branch(after, goes_on)


def _merge(at: Reader, condition: Condition, then: Branch, other: Branch) -> bool:
    """Go on after two branches; False where neither does."""
    if then.goes_on and other.goes_on:
        at.scope.names = joined(at, condition, then.names, other.names)
        return True
    if then.goes_on or other.goes_on:
        at.scope.names = then.names if then.goes_on else other.names
        at.path.append(condition if then.goes_on else negate(condition))
        return True
    return False


def joined(
    at: Reader, condition: Condition, then: dict[str, Value], other: dict[str, Value]
) -> dict[str, Value]:
    """The names after two branches that both go on."""
    names: dict[str, Value] = {}
    made: dict[tuple[int, int], Value] = {}
    for name in {**then, **other}:
        first, second = then.get(name), other.get(name)
        if first is second and first:
            names[name] = first
        else:
            both = id(first), id(second)  # two names of one dictionary stay so
            if both not in made:
                made[both] = bounded(join(condition, first, second))
                at.steps += weight(made[both])
            names[name] = made[both]
    return names


@executes(ast.If)
def _if(at: Reader, node: ast.If) -> bool:
    if shorten(node.test).rpartition(".")[2] == "TYPE_CHECKING":
        with at.hushed():
            at.run(node.body)
        return at.run(node.orelse) if node.orelse else True
    condition = at.test(node.test)
    then = (
        Branch(at.scope.names, goes_on=False)
        if condition == FALSE
        else branch(at, condition, node.body, node.test)
    )
    other = (
        Branch(at.scope.names, goes_on=False)
        if condition == TRUE
        else branch(at, negate(condition), node.orelse, node.test, positive=False)
    )
    return _merge(at, condition, then, other)


@executes(ast.For, ast.AsyncFor)
def _for(at: Reader, node: ast.For | ast.AsyncFor) -> bool:
    items = at.value(node.iter)
    if (
        isinstance(items, Row)
        and 0 < len(items.elements) <= _MAX_UNROLL
        and at.repeats * len(items.elements) <= _MAX_NESTED
        and not node.orelse
    ):
        _unroll(at, node, items)
        return True
    at.bind(node.target, element(items))
    return _loop(at, node)


def _unroll(at: Reader, node: ast.For | ast.AsyncFor, items: Row) -> None:
    outer = at.repeats
    at.repeats *= len(items.elements)
    for item in items.elements:
        at.bind(node.target, item)
        for statement in node.body:  # unlike after a block, what an item left by still holds for the next
            if executor(statement)(at, statement) is False:
                break
    at.repeats = outer


@executes(ast.While)
def _while(at: Reader, node: ast.While) -> bool:
    at.test(node.test)
    return _loop(at, node)


def _loop(at: Reader, node: ast.For | ast.AsyncFor | ast.While) -> bool:
    condition = opaque(f"line {node.lineno} loops")
    at.loops += 1
    after = branch(at, condition, node.body)
    at.loops -= 1
    at.scope.names = joined(at, condition, after.names, at.scope.names)
    return at.run(node.orelse) if node.orelse else True
