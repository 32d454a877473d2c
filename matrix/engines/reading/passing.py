"""Where a member of a copied enum goes straight into a call."""

from __future__ import annotations

import ast
import warnings
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


class Passed(NamedTuple):
    """One member in one call.

    Attributes:
        line: of the call.
        called: the last part of what is called.
        key: the keyword, or the position as `#0`.
        member: `Enum.Member`.
    """

    line: int
    called: str
    key: str
    member: str


def passed(source: bytes, members: Collection[str]) -> list[Passed]:
    """Calls that are given one of the members itself, its value, or an integer made of it.

    Args:
        source: a file that parses.
        members: `Enum.Member` of the copied enums.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [
        Passed(call.lineno, _end(call.func), key, member)
        for call in calls
        for key, argument in _arguments(call)
        if (member := _member(argument)) in members
    ]


def _arguments(call: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    for number, argument in enumerate(call.args):
        if isinstance(argument, ast.Starred):
            break
        yield f"#{number}", argument
    yield from ((keyword.arg, keyword.value) for keyword in call.keywords if keyword.arg)


def _member(node: ast.expr) -> str:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "int" and node.args:
        return _member(node.args[0])
    if isinstance(node, ast.Attribute) and node.attr == "value":
        return _member(node.value)
    return f"{_end(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else ""


def _end(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
