"""Instances and classes: what `isinstance` answers and leaves, and what `super` gives."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from matrix.engines.conditions import FALSE, TRUE, every, opaque, some
from matrix.engines.reading.arguments import two_arguments
from matrix.engines.reading.dispatch import called
from matrix.engines.reading.findings import ClassInfo
from matrix.engines.reading.options import either, one_of, options
from matrix.engines.reading.texts import shorten
from matrix.engines.reading.values import (
    NOTHING,
    UNKNOWN,
    Local,
    LocalClass,
    Other,
    Pairs,
    Partial,
    Symbol,
    Truth,
    Value,
)

if TYPE_CHECKING:
    from matrix.engines.reading.reader import Reader


@called("isinstance")
def _isinstance(at: Reader, node: ast.Call) -> Value | None:
    value, kind = two_arguments(at, node)
    answers = [(condition, _is_instance(at, single, kind)) for condition, single in options(value)]
    if all(answer is None for _, answer in answers):
        return None
    text = opaque(shorten(node))
    return Truth(
        some(
            every((condition, text if answer is None else TRUE if answer else FALSE))
            for condition, answer in answers
        )
    )


def _is_instance(at: Reader, value: Value, kind: Value) -> bool | None:
    """Whether a value is an instance of a class, where both are known."""
    if isinstance(kind, LocalClass):
        if isinstance(value, Local):
            inherits = _inherits(at, value.name, kind.name)
            # what is declared as a base may be an instance of a class under it
            may_be = inherits is False and _inherits(at, kind.name, value.name) is not False
            return None if may_be else inherits
        return False if isinstance(value, Symbol) and value.path.endswith("()") else None
    if isinstance(kind, Symbol) and isinstance(value, Symbol) and value.path.endswith("()"):
        return True if value.path == f"{kind.path}()" else None
    return None


def _inherits(at: Reader, cls: str, other: str) -> bool | None:
    if cls == other:
        return True
    answers = [
        _inherits(at, base.name, other) if isinstance(base, LocalClass) and base.name != cls else None
        for base in at.found.classes.get(cls, ClassInfo()).bases
    ]
    if True in answers:
        return True
    return None if None in answers else False


def narrow(at: Reader, test: ast.expr, *, positive: bool) -> None:
    """Keep what `isinstance` leaves of the values that a name may have, where a test is true or false."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        narrow(at, test.operand, positive=not positive)
    elif isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) == positive:
        for part in test.values:
            narrow(at, part, positive=positive)
    elif (
        isinstance(test, ast.Call)
        and shorten(test.func) == "isinstance"
        and len(test.args) == 2
        and isinstance(test.args[0], ast.Name | ast.Attribute)
    ):
        value, kind = at.value(test.args[0]), at.value(test.args[1])
        left = [
            single
            for _, single in options(value)
            if single != NOTHING and _is_instance(at, single, kind) is not (not positive)
        ]
        name = shorten(test.args[0])
        if left and not isinstance(value, Other):
            at.scope.names[name] = one_of(left)
        elif positive and isinstance(kind, Symbol):
            at.scope.names[name] = Symbol(f"{kind.path}()", kind.via, kind.line)
        elif positive and isinstance(kind, LocalClass):
            at.scope.names[name] = Local(kind.name)


def as_held(value: Value) -> Value:
    """What a class gives its instances of a value that its body assigns."""
    return either(
        [
            (condition, replace(single, held=True) if isinstance(single, Symbol) else single)
            for condition, single in options(value)
        ]
    )


def as_static(value: Value) -> Value:
    """A value that stays what it is where a class holds it."""
    return either(
        [
            (
                condition,
                Partial(single, (), Pairs())
                if isinstance(single, Symbol) and not single.path.endswith("()")
                else single,
            )
            for condition, single in options(value)
        ]
    )


def as_declared(at: Reader, value: Value) -> Value:
    """What a class holds that declares an attribute with a value: a field's goes to each instance itself."""
    info = at.found.classes[at.scope.cls]
    if any("dataclass" in text or "define" in text for text in info.decorators):
        return as_static(value)
    return UNKNOWN if info.bases or info.decorators else value


@called("staticmethod")
def _staticmethod(at: Reader, node: ast.Call) -> Value | None:
    return as_static(at.argument(node.args[0])) if len(node.args) == 1 else None


@called("super")
def _super(at: Reader, node: ast.Call) -> Value | None:
    bases = [
        Symbol(f"{base.path}()", "attribute", base.line)
        for base in at.found.classes.get(at.scope.cls, ClassInfo()).bases
        if isinstance(base, Symbol)
    ]
    return one_of(bases) if bases and not node.args else None
