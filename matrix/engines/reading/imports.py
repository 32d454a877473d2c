"""Import statements."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from matrix.engines.conditions import has
from matrix.engines.reading.dispatch import executes
from matrix.engines.reading.patches import is_there
from matrix.engines.reading.values import Other, Own, Release, Symbol
from matrix.engines.uses import NO_MODULE, NO_NAME

if TYPE_CHECKING:
    from matrix.engines.reading.reader import Reader


@executes(ast.Import)
def _import(at: Reader, node: ast.Import) -> None:
    for alias in node.names:
        root = alias.name.split(".")[0]
        name = alias.asname or root
        if root == at.engine.provider and alias.asname is None and is_there(at, alias.name):
            at.scope.names[name] = Symbol(root, "import", node.lineno)
        elif root == at.engine.provider and is_there(at, alias.name):
            at.scope.names[name] = Other(name)
        elif root == at.engine.provider:
            symbol = Symbol(alias.name, "import", node.lineno)
            at.need(has(alias.name), NO_MODULE)
            at.note(node, symbol, kind="import", form="module")
            at.scope.names[name] = symbol if alias.asname else Symbol(root, "import", node.lineno)
        elif root == at.module.split(".")[0]:
            at.scope.names[name] = Own(alias.name if alias.asname else root)
        else:
            at.scope.names[name] = Other(name)


@executes(ast.ImportFrom)
def _import_from(at: Reader, node: ast.ImportFrom) -> None:
    module = _absolute(at, node)
    root = module.split(".")[0]
    provided = root == at.engine.provider and not node.level
    for alias in node.names:
        name = alias.asname or alias.name
        if alias.name == "*":
            if provided:
                at.note(node, Symbol(module, "import", node.lineno), kind="import", form="star")
            for exported, value in at.exports.get(module, {}).items():
                at.scope.names[exported] = value
                at.found.own_imports.add(f"{module}:{exported}")
        elif provided and is_there(at, f"{module}.{alias.name}"):
            at.scope.names[name] = at.scope.find(f"={module}.{alias.name}") or Other(name)
        elif provided:
            at.need(has(module), NO_MODULE)
            at.scope.names[name] = (
                Release()
                if alias.name == "__version__"
                else _from_provider(at, node, f"{module}.{alias.name}")
            )
        elif root == at.module.split(".")[0]:
            at.scope.names[name] = at.own(module, alias.name)
        else:
            at.scope.names[name] = Other(f"{module}.{alias.name}")


def _from_provider(at: Reader, node: ast.ImportFrom, path: str) -> Symbol:
    symbol = Symbol(path, "import", node.lineno)
    at.need(has(path), NO_NAME)
    at.note(node, symbol, kind="import", form="from")
    return symbol


def _absolute(at: Reader, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = at.package.split(".")
    parts = parts[: len(parts) - node.level + 1]
    return ".".join([*parts, *([node.module] if node.module else [])])
