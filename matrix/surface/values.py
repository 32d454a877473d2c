"""Values written in source, worked out without running it: defaults, constants and enum members."""

from __future__ import annotations

import ast
import operator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Unknown", "enum_members", "evaluate", "functional_enum", "is_literal", "lambda_function"]

BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_,
    ast.BitXor: operator.xor,
}
UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
    ast.Not: operator.not_,
}
LARGEST_SHIFT = 256


class Unknown(Exception):  # noqa: N818 - an answer, not a failure
    """The value depends on something that only running the code would tell."""


def evaluate(text: str, lookup: Callable[[str], Any]) -> Any:
    """The value of an expression made of literals, operators and dotted names.

    Args:
        text: the expression.
        lookup: the value of a dotted name; raises `Unknown`.

    Raises:
        Unknown: it is more than that.
    """
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        raise Unknown(text) from error
    return _value(tree, lookup)


def _value(node: ast.expr, lookup: Callable[[str], Any]) -> Any:
    try:
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, (ast.Tuple, ast.List)):
            items = [_value(element, lookup) for element in node.elts]
            return tuple(items) if isinstance(node, ast.Tuple) else items
        if isinstance(node, ast.UnaryOp):
            return UNARY[type(node.op)](_value(node.operand, lookup))
        if isinstance(node, ast.BinOp):
            left, right = _value(node.left, lookup), _value(node.right, lookup)
            if isinstance(node.op, ast.LShift) and right > LARGEST_SHIFT:
                raise Unknown(ast.unparse(node))
            return BINARY[type(node.op)](left, right)
        if isinstance(node, (ast.Name, ast.Attribute)):
            return lookup(ast.unparse(node))
    except (TypeError, KeyError, ValueError, ArithmeticError) as error:
        raise Unknown(ast.unparse(node)) from error
    raise Unknown(ast.unparse(node))


def is_literal(text: str) -> bool:
    """Whether an expression's text says its value by itself."""
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False
    return True


def enum_members(
    fields: list[list[Any]], kind: str, lookup: Callable[[str], Any], *, computed: bool
) -> dict[str, Any]:
    """Members of an enum with their values; null where only running the code would tell.

    Args:
        fields: name, annotation, value text and line of what stands in the class body.
        kind: the enum's nature: `int`, `str` or `any`.
        lookup: values of names outside the class.
        computed: whether the class makes its values itself, in a `__new__`.
    """
    members: dict[str, Any] = {}

    def known(name: str) -> Any:
        head, _, rest = name.partition(".")
        if head in members and rest in ("", "value") and members[head] is not None:
            return members[head]
        return lookup(name)

    for name, _, text, _ in fields:
        if text is None or name.startswith("_"):
            continue
        try:
            members[name] = None if computed else _member(name, text, kind, members, known)
        except Unknown:
            members[name] = None
    return members


def functional_enum(text: str, line: int) -> dict[str, Any] | None:
    """The class that `Enum("Name", ["A", "B"], start=0)` makes, as a class's record; nothing for other calls."""
    head = text.partition("(")[0]
    if head.rpartition(".")[2] not in {"Enum", "IntEnum", "Flag", "IntFlag"}:
        return None
    try:
        call = ast.parse(text, mode="eval").body
        if not isinstance(call, ast.Call):
            return None
        names = ast.literal_eval(call.args[1])
        options = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
    except (SyntaxError, ValueError, IndexError):
        return None
    if isinstance(names, str):
        names = names.replace(",", " ").split()
    pairs = names.items() if isinstance(names, dict) else enumerate(names, options.get("start", 1))
    values = pairs if isinstance(names, dict) else ((name, number) for number, name in pairs)
    fields = [[str(name), None, repr(value), line] for name, value in values]
    return {"bases": [head], "decorators": [], "members": {}, "fields": fields}


def lambda_function(text: str) -> dict[str, Any] | None:
    """The function that `lambda a, *, b=1: ...` makes, as a function's record; nothing for other expressions."""
    if not text.startswith("lambda"):
        return None
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        return None
    if not isinstance(tree, ast.Lambda):
        return None
    shape = tree.args
    slots = [*shape.posonlyargs, *shape.args]
    behind = [*[None] * (len(slots) - len(shape.defaults)), *shape.defaults]
    rows: list[tuple[ast.arg, str, ast.expr | None]] = [
        (one, "POSITIONAL_ONLY" if one in shape.posonlyargs else "POSITIONAL_OR_KEYWORD", default)
        for one, default in zip(slots, behind, strict=True)
    ]
    rows += [(shape.vararg, "VAR_POSITIONAL", None)] if shape.vararg else []
    rows += [
        (one, "KEYWORD_ONLY", default)
        for one, default in zip(shape.kwonlyargs, shape.kw_defaults, strict=True)
    ]
    rows += [(shape.kwarg, "VAR_KEYWORD", None)] if shape.kwarg else []
    parameters = [[one.arg, kind, default and ast.unparse(default)] for one, kind, default in rows]
    return {"parameters": parameters, "annotations": {}, "returns": None, "decorators": []}


def _member(name: str, text: str, kind: str, before: dict[str, Any], lookup: Callable[[str], Any]) -> Any:
    if text.rpartition(".")[2] == "auto()":
        if kind == "str":
            return name.lower()
        numbers = [value for value in before.values() if isinstance(value, int)]
        if kind == "flag":
            return 1 << max(numbers).bit_length() if numbers else 1
        return max(numbers) + 1 if numbers else 1
    value = evaluate(text, lookup)
    if kind in {"int", "flag"} and isinstance(value, tuple):
        return int(*value)
    if kind == "str" and isinstance(value, tuple):
        return str(*value)
    if kind in {"int", "flag"} and isinstance(value, bool):
        return int(value)
    return value
