"""What a module's `__getattr__` hands out: names from its tables, and where each comes from."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["lazy_names", "modules_in", "strings"]

Target = list[int | str | None]
"""Level, module and attribute of an import; no attribute is the module itself, level 0 without a module is the
very module that asks."""

COLLECTION_CALLS = {"frozenset", "set", "list", "tuple", "sorted", "dict", "MappingProxyType"}


def strings(node: ast.expr, collections: dict[str, ast.expr], depth: int = 0) -> list[str]:
    """The strings of a literal collection: elements, or keys of a dict; names stand for module-level ones."""
    if depth > 8:
        return []
    deeper = depth + 1
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return [text for element in node.elts for text in strings(element, collections, deeper)]
    if isinstance(node, ast.Dict):
        return [
            text
            for key, value in zip(node.keys, node.values, strict=True)
            for text in strings(value if key is None else key, collections, deeper)
        ]
    if isinstance(node, ast.Starred):
        return strings(node.value, collections, deeper)
    if isinstance(node, ast.Name) and node.id in collections:
        return strings(collections[node.id], collections, deeper)
    if isinstance(node, ast.BinOp):
        return [*strings(node.left, collections, deeper), *strings(node.right, collections, deeper)]
    if isinstance(node, ast.Call):
        called = ast.unparse(node.func).rpartition(".")[2]
        if called == "keys" and isinstance(node.func, ast.Attribute):
            return strings(node.func.value, collections, deeper)
        if called in COLLECTION_CALLS and node.args:
            return strings(node.args[0], collections, deeper)
    return []


def lazy_names(
    getter: ast.FunctionDef, collections: dict[str, ast.expr]
) -> tuple[dict[str, list[Target]], list[Target]]:
    """The names that a module's `__getattr__` knows, each with the places it may come from, best first.

    Returns:
        Names to targets, and the modules that every other name is looked up in.
    """
    if not getter.args.args:
        return {}, []
    asked = getter.args.args[0].arg
    found: dict[str, list[Target]] = {}
    for names, block in _cases(getter.body, asked, collections, set()):
        for name in names:
            targets = [*_from_tables(name, block, collections), *_from_block(name, block)]
            found[name] = [*targets, *found.get(name, [])]
    star = [] if found else [[*module, None] for module in modules_in(getter.body)]
    return found, star


def _cases(
    body: list[ast.stmt], asked: str, collections: dict[str, ast.expr], held: set[str]
) -> Iterable[tuple[set[str], list[ast.stmt]]]:
    """Sets of names with the statements that serve them, outer ones before inner ones."""
    names = set(held)
    for node in body:
        for inner in ast.walk(node) if not isinstance(node, (ast.If, ast.Try)) else []:
            names |= _looked_up(inner, asked, collections)
        if isinstance(node, ast.If):
            mine = {text for inner in ast.walk(node.test) for text in _tested(inner, asked, collections)}
            negated = any(isinstance(inner, (ast.NotIn, ast.NotEq)) for inner in ast.walk(node.test))
            if negated:
                names |= mine
            elif mine:
                yield from _cases(node.body, asked, collections, mine)
            else:
                yield from _cases(node.body, asked, collections, names)
            yield from _cases(node.orelse, asked, collections, held)
        elif isinstance(node, ast.Try):
            yield from _cases(node.body, asked, collections, names)
    if names:
        yield names, body


def _tested(node: ast.AST, asked: str, collections: dict[str, ast.expr]) -> list[str]:
    if not isinstance(node, ast.Compare) or len(node.comparators) != 1:
        return []
    sides = [node.left, node.comparators[0]]
    others = [side for side in sides if not (isinstance(side, ast.Name) and side.id == asked)]
    return strings(others[0], collections) if len(others) == 1 else []


def _looked_up(node: ast.AST, asked: str, collections: dict[str, ast.expr]) -> set[str]:
    """Names of a table that is asked with `TABLE[name]` or `TABLE.get(name)`."""
    table: ast.expr | None = None
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Name) and node.slice.id == asked:
        table = node.value
    elif (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"get", "pop"}
        and node.args
        and isinstance(node.args[0], ast.Name)
        and node.args[0].id == asked
    ):
        table = node.func.value
    return set(strings(table, collections)) if isinstance(table, ast.Name) else set()


def _from_tables(name: str, block: list[ast.stmt], collections: dict[str, ast.expr]) -> list[Target]:
    """Targets that dicts of the module give a name: a module, or a module and an attribute."""
    used = {inner.id for node in block for inner in ast.walk(node) if isinstance(inner, ast.Name)}
    targets: list[Target] = []
    for table in (collections[word] for word in sorted(used & collections.keys())):
        if not isinstance(table, ast.Dict):
            continue
        for key, value in zip(table.keys, table.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == name:
                parts = strings(value, collections)
                if parts:
                    attribute = parts[1] if len(parts) > 1 else name
                    targets.append([*_split(parts[0]), attribute])
    return targets


def _from_block(name: str, block: list[ast.stmt]) -> list[Target]:
    """Targets in the statements that serve a name: what they import and return, or look it up in."""
    imported: dict[str, Target] = {}
    targets: list[Target] = []
    for node in (inner for statement in block for inner in ast.walk(statement)):
        if isinstance(node, ast.ImportFrom):
            for one in node.names:
                imported[one.asname or one.name] = [node.level, node.module or "", one.name]
        elif isinstance(node, ast.Return) and isinstance(node.value, ast.Name) and node.value.id != "value":
            targets.append(imported.get(node.value.id, [0, "", node.value.id]))
    for module in imported.values():
        level, path, attribute = module[:3]
        targets.append([level, f"{path}.{attribute}".lstrip("."), name])
        if attribute == name:
            targets.append(module)
    targets += [[*module, name] for module in modules_in(block)]
    return [*targets, *_submodules(name, block)]


def modules_in(block: list[ast.stmt]) -> list[Target]:
    """Modules that `import_module` is called with a literal for."""
    return [
        _split(node.args[0].value)
        for statement in block
        for node in ast.walk(statement)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).rpartition(".")[2] == "import_module"
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    ]


def _submodules(name: str, block: list[ast.stmt]) -> list[Target]:
    """Modules that `import_module` is called with an f-string over the name for."""
    return [
        [
            *_split(
                "".join(str(p.value) if isinstance(p, ast.Constant) else name for p in node.args[0].values)
            ),
            None,
        ]
        for statement in block
        for node in ast.walk(statement)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).rpartition(".")[2] == "import_module"
        and node.args
        and isinstance(node.args[0], ast.JoinedStr)
    ]


def _split(path: str) -> Target:
    """`..a.b` as level and module."""
    bare = path.lstrip(".")
    return [len(path) - len(bare), bare]
