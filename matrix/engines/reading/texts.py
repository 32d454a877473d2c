"""A node of the source as text, and the names in it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


def shorten(node: ast.AST, length: int = 100) -> str:
    """The source of a node on one line; kept on the node, as the same tests are read again and again."""
    known: dict[int, str] = node.__dict__.setdefault("texts", {})
    if length not in known:
        text = dotted(node) or " ".join(ast.unparse(node).split())
        known[length] = text if len(text) <= length else text[: length - 3] + "..."
    return known[length]


def dotted(node: ast.AST) -> str:
    """`a.b.c` as it stands; empty for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def mentions(node: ast.AST, names: Collection[str]) -> bool:
    """Whether one of the names stands anywhere in a node."""
    return bool(names) and any(
        (isinstance(inner, ast.Name) and inner.id in names)
        or (isinstance(inner, ast.Attribute) and inner.attr in names)
        for inner in ast.walk(node)
    )
