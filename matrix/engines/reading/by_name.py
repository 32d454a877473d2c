"""Calls that are given the name of a module or function, as text: helpers that import, and operators."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from matrix.engines.conditions import has, negate
from matrix.engines.reading.arguments import called_name, first_argument
from matrix.engines.reading.dispatch import called
from matrix.engines.reading.findings import ClassInfo
from matrix.engines.reading.options import either
from matrix.engines.reading.texts import shorten
from matrix.engines.reading.values import NOTHING, Constant, Function, Symbol, Value
from matrix.engines.uses import NO_MODULE

if TYPE_CHECKING:
    from matrix.engines.config import Lazy
    from matrix.engines.reading.arguments import Given
    from matrix.engines.reading.reader import Reader

_MODULE = re.compile(r"[a-z_]\w*(\.[A-Za-z_]\w*)*")
_READERS = {
    *("getLogger", "get_logger", "startswith", "endswith", "debug", "info", "warning", "error", "print"),
    *("get", "pop", "setdefault", "replace", "split", "version", "distribution", "requires", "append", "add"),
}
"""Functions that are given a dotted name without importing it."""


@called("import")
def _import(at: Reader, node: ast.Call) -> Value | None:
    """`__import__("flashinfer.x")` gives the package, with a `fromlist` the module."""
    path = first_argument(at, node)
    if called_name(at, node.func) != "__import__" or not isinstance(path, Constant):
        return None
    root = str(path.value).partition(".")[0]
    if root != at.engine.provider:
        return None
    symbol = _imported(at, node, str(path.value))
    chosen = len(node.args) > 3 or any(keyword.arg == "fromlist" for keyword in node.keywords)
    return symbol if chosen else Symbol(root, "import", node.lineno)


@called("import_module")
def _import_module(at: Reader, node: ast.Call) -> Value | None:
    """A name relative to a package; an absolute one is for the lazy helpers."""
    given = [at.argument(argument) for argument in node.args]
    given += [at.argument(keyword.value) for keyword in node.keywords if keyword.arg == "package"]
    if len(given) != 2:
        return None
    name, package = (str(value.value) if isinstance(value, Constant) else "" for value in given)
    if not name.startswith(".") or package.partition(".")[0] != at.engine.provider:
        return None
    above = len(name) - len(name.lstrip(".")) - 1
    parts = package.split(".")
    path = ".".join([*parts[: len(parts) - above], name.lstrip(".")])
    return _imported(at, node, path)


def lazy(at: Reader, node: ast.Call, helper: Lazy) -> Value | None:
    """What one of the engine's own helpers gives that imports by name."""
    words = [at.argument(argument) for argument in node.args]
    texts = [
        value.value if isinstance(value, Constant) and isinstance(value.value, str) else None
        for value in words
    ]
    module = texts[helper.module] if helper.module < len(texts) else None
    if module is None or module.split(".")[0] != at.engine.provider:
        return None
    path = module
    if helper.attribute is not None:
        name = texts[helper.attribute] if helper.attribute < len(texts) else None
        if name is None:
            return None
        path = f"{module}.{name}"
    if helper.missing == "import":
        return _imported(at, node, path)
    if helper.missing == "none":
        return either([(has(path), Symbol(path, "import", node.lineno)), (negate(has(path)), NOTHING)])
    rescue = next(
        (
            shorten(keyword.value)
            for keyword in node.keywords
            if keyword.arg == helper.missing and isinstance(keyword.value, ast.Lambda)
        ),
        "",
    )
    symbol = Symbol(path, "lazy", node.lineno, rescue)
    at.note(node, symbol, kind="import", form="lazy")
    return symbol


def _imported(at: Reader, node: ast.Call, path: str) -> Symbol:
    """Note an import of a module."""
    symbol = Symbol(path, "import", node.lineno)
    at.need(has(path), NO_MODULE)
    at.note(node, symbol, kind="import", form="module")
    return symbol


def modules(at: Reader, given: Given) -> list[str]:
    """The modules of FlashInfer that a call passes by name."""
    return [
        value.value
        for value in given.values
        if isinstance(value, Constant)
        and isinstance(value.value, str)
        and _MODULE.fullmatch(value.value)
        and value.value.partition(".")[0] == at.engine.provider
    ]


def loader(at: Reader, node: ast.Call, cls: str, given: Given) -> Value | None:
    """An instance that stands for a module: its class imports what it is told, and looks names up there."""
    names = modules(at, given)
    info = at.found.classes.get(cls, ClassInfo())
    if cls not in at.importers or not names:
        return None
    if len(names) > 1 or "__getattr__" not in info.methods or "__call__" in info.methods:
        by_name(at, node, given)
        return None
    symbol = Symbol(names[0], "lazy", node.lineno)
    at.note(node, symbol, kind="import", form="lazy")
    return symbol


def by_name(at: Reader, node: ast.Call, given: Given) -> None:
    """Note that other code is given the name of a module to import, or so it looks."""
    name = called_name(at, node.func)
    imports = any(word in name.lower() for word in ("import", "lazy", "load"))
    if name in _READERS:
        return
    for module in modules(at, given):
        if imports or "." in module:
            at.uncertain(node, Symbol(module, "lazy", node.lineno), f"through `{shorten(node.func, 40)}`")


def operator(at: Reader, node: ast.expr, function: Value | None = None) -> bool:
    """Note a function that is registered as an operator, by a call or as a decorator."""
    if not (isinstance(node, ast.Call) and "custom_op" in shorten(node.func)):
        return False
    given = {keyword.arg: keyword.value for keyword in node.keywords}
    target = node.args[1] if len(node.args) > 1 else given.get("op_func")
    with at.hushed():
        name = at.value(node.args[0] if node.args else given.get("op_name"))
        function = function or at.value(target)
    if not (isinstance(name, Constant) and isinstance(name.value, str) and isinstance(function, Function)):
        return False
    at.found.operators.add((name.value.rpartition(":")[2], f"{at.module}:{function.name.partition('.')[0]}"))
    return True
