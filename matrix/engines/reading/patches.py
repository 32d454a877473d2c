"""Names of FlashInfer that the engine sets itself, and `sys.modules`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from matrix.engines.conditions import FALSE, has, negate, some, terms
from matrix.engines.reading.arguments import two_arguments
from matrix.engines.reading.dispatch import called
from matrix.engines.reading.options import either, options
from matrix.engines.reading.texts import dotted
from matrix.engines.reading.values import NOTHING, Constant, Either, Symbol, Value

if TYPE_CHECKING:
    from matrix.engines.reading.reader import Reader

ANY = "*"
"""Stands for a name that is not seen."""


def put(at: Reader, path: str, value: Value, line: int) -> None:
    """Note that the engine sets a name of FlashInfer."""
    at.scope.names[f"={path}"] = value
    at.found.sets.setdefault((path, at.scope.qualname), line)


def set_name(at: Reader, base: Symbol, name: str) -> Value | None:
    """What the engine has set a name of FlashInfer to, as far as it is certain to; None where it has not."""
    symbol = Symbol(f"{base.path}.{name}", "attribute", base.line)
    found = at.scope.find(f"={symbol.path}")
    if found is None:
        return None
    left = negate(some(condition for condition, _ in options(found)))
    if left == FALSE or has(symbol.path) in terms(left):
        return found
    return either([*options(found), (left, symbol)])


def is_there(at: Reader, path: str) -> bool:
    """Whether the engine has put a module there, or one on the way to it."""
    parts = path.split(".")
    found = [at.scope.find(f"={'.'.join(parts[:end])}") for end in range(1, len(parts) + 1)]
    return any(value is not None and not isinstance(value, Either) for value in found)


def module_named(at: Reader, node: ast.expr, key: Value) -> str:
    """The module of FlashInfer that `sys.modules` is asked for; empty for anything else."""
    name = key.value if isinstance(key, Constant) and dotted(node) == "sys.modules" else None
    return name if isinstance(name, str) and name.partition(".")[0] == at.engine.provider else ""


@called("setattr")
def _setattr(at: Reader, node: ast.Call) -> Value | None:
    base, name = two_arguments(at, node)
    if len(node.args) != 3:
        return None
    value = at.argument(node.args[2])
    if isinstance(name, Constant) and isinstance(name.value, str) and name.value.isidentifier():
        target = ast.Attribute(value=node.args[0], attr=name.value, ctx=ast.Store())
        at.bind(ast.copy_location(target, node), value)
        return NOTHING
    for _, single in options(base):
        if isinstance(single, Symbol) and "()" not in single.path:
            at.found.sets.setdefault((f"{single.path}.{ANY}", ANY), node.lineno)
    return NOTHING
