"""Tests: when an expression is true."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from matrix.engines.conditions import (
    FALSE,
    TRUE,
    Condition,
    accepts,
    asked,
    every,
    has,
    negate,
    opaque,
    some,
)
from matrix.engines.reading.dispatch import decides, evaluates
from matrix.engines.reading.options import is_something, one_of, options, truth
from matrix.engines.reading.texts import shorten
from matrix.engines.reading.values import (
    NOTHING,
    UNKNOWN,
    Constant,
    Other,
    Pairs,
    Parameters,
    Row,
    Symbol,
    Truth,
    Value,
)
from matrix.engines.reading.versions import SIGNS, compare_version, is_version

if TYPE_CHECKING:
    from matrix.engines.reading.reader import Reader


@decides(ast.BoolOp)
def _all_or_any(at: Reader, node: ast.BoolOp) -> Condition:
    parts: list[Condition] = []
    depth = len(at.path)
    for operand in node.values:
        part = at.test(operand)
        parts.append(part)
        at.path.append(part if isinstance(node.op, ast.And) else negate(part))
    del at.path[depth:]
    return every(parts) if isinstance(node.op, ast.And) else some(parts)


@evaluates(ast.BoolOp)
def _first_or_others(at: Reader, node: ast.BoolOp) -> Value:
    first = at.value(node.values[0])
    if isinstance(node.op, ast.Or) and not isinstance(first, Truth):
        others = [at.value(item) for item in node.values[1:]]
        return one_of(UNKNOWN if type(item) is Other else item for item in (first, *others))
    return Truth(at.test(node))


@decides(ast.UnaryOp)
def _negation(at: Reader, node: ast.UnaryOp) -> Condition:
    if isinstance(node.op, ast.Not):
        return negate(at.test(node.operand))
    return truth(at.value(node), shorten(node))


@evaluates(ast.Compare)
def _answer(at: Reader, node: ast.Compare) -> Value:
    return Truth(at.test(node))


@decides(ast.Compare)
def _chain(at: Reader, node: ast.Compare) -> Condition:
    if len(node.ops) == 1:
        return _comparison(at, node)
    sides = [node.left, *node.comparators]
    return every(
        [
            _comparison(
                at, ast.copy_location(ast.Compare(left=left, ops=[operator], comparators=[right]), node)
            )
            for left, operator, right in zip(sides, node.ops, sides[1:], strict=False)
        ]
    )


def _comparison(at: Reader, node: ast.Compare) -> Condition:
    left, right = at.value(node.left), at.value(node.comparators[0])
    operator, text = node.ops[0], shorten(node)
    if isinstance(operator, ast.Is | ast.IsNot | ast.Eq | ast.NotEq) and right == NOTHING:
        base = shorten(node.left)
        present = truth(left, f"{base} is not None", absent=is_something)
        return present if isinstance(operator, ast.IsNot | ast.NotEq) else negate(present)
    if is_version(left) or is_version(right):
        return some(
            every((mine, theirs, compare_version(one, type(operator), other) or asked(text)))
            for mine, one in options(left)
            for theirs, other in options(right)
            if NOTHING not in {one, other}
        )
    if isinstance(operator, ast.In | ast.NotIn):
        if shorten(node.comparators[0]) == "sys.modules":
            loaded = _loaded(at, left, text.replace(" not in ", " in ", 1))
            return loaded if isinstance(operator, ast.In) else negate(loaded)
        return _membership(left, right, text, inside=isinstance(operator, ast.In))
    if any(isinstance(single, Parameters) for side in (left, right) for _, single in options(side)):
        return _subset(left, operator, right, text)
    sign = SIGNS.get(type(operator))
    if isinstance(left, Constant) and isinstance(right, Constant) and sign in {"==", "!="}:
        return TRUE if (left.value == right.value) == (sign == "==") else FALSE
    if isinstance(operator, ast.Is | ast.IsNot) and isinstance(right, Constant):
        same = truth(left, shorten(node.left))
        wanted = same if right.value else negate(same)
        return wanted if isinstance(operator, ast.Is) else negate(wanted)
    if isinstance(operator, ast.NotEq):
        return negate(opaque(text.replace(" != ", " == ", 1)))
    return opaque(text)


def _loaded(at: Reader, name: Value, text: str) -> Condition:
    """A module that was imported is there; one that was not may be there too."""
    path = str(name.value) if isinstance(name, Constant) else ""
    there = has(path) if path.partition(".")[0] == at.engine.provider else TRUE
    return every((there, opaque(text)))


def _subset(left: Value, operator: ast.cmpop, right: Value, text: str) -> Condition:
    """`{"a", "b"} <= set(signature(f).parameters)`, or the other way round; else it is not followed."""
    if isinstance(operator, ast.GtE):
        left, right = right, left
    if not (
        isinstance(operator, ast.LtE | ast.GtE)
        and isinstance(left, Row)
        and isinstance(right, Parameters)
        and all(isinstance(item, Constant) for item in left.elements)
    ):
        return asked(text)
    return every(accepts(right.path, str(item.value)) for item in left.elements if isinstance(item, Constant))


def _membership(left: Value, right: Value, text: str, *, inside: bool) -> Condition:
    answers = []
    for condition, single in options(right):
        if isinstance(single, Parameters):
            word = accepts(single.path, str(left.value)) if isinstance(left, Constant) else asked(text)
            answers.append(every((condition, word)))
        elif isinstance(single, Symbol) and isinstance(left, Constant) and isinstance(left.value, str):
            base, _, names = single.path.rpartition(".")
            answers.append(
                every((condition, has(f"{base}.{left.value}") if names == "__dict__" else asked(text)))
            )
        elif isinstance(single, Pairs) and isinstance(left, Constant) and not single.unknown:
            presence = some(entry[1] for entry in single.entries if entry[0] == left.value)
            answers.append(every((condition, presence)))
        else:
            answers.append(every((condition, opaque(text.replace(" not in ", " in ", 1)))))
    answer = some(answers)
    return answer if inside else negate(answer)
