"""Plain statements: what leaves a block, what is asserted, and all that merely holds expressions."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from matrix.engines.conditions import every
from matrix.engines.reading.dispatch import executes
from matrix.engines.reading.handlers import is_exit
from matrix.engines.reading.instances import narrow
from matrix.engines.reading.values import NOTHING

if TYPE_CHECKING:
    from matrix.engines.reading.reader import Reader


@executes(ast.stmt)
def _other(at: Reader, node: ast.stmt) -> None:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            at.value(child)


@executes(ast.Expr)
def _expression(at: Reader, node: ast.Expr) -> bool:
    at.value(node.value)
    return not is_exit(node.value)


@executes(ast.Return)
def _return(at: Reader, node: ast.Return) -> bool:
    value = at.value(node.value) if node.value else NOTHING
    if at.scope.qualname:
        at.found.returns.setdefault(at.scope.qualname, []).append((at.reached(), value))
    return False


@executes(ast.Raise)
def _raise(at: Reader, node: ast.Raise) -> bool:
    _other(at, node)
    info = at.found.classes.get(at.scope.cls)
    if info is not None and at.scope.qualname == f"{at.scope.cls}.__init__" and not at.frames:
        info.refuse(every(at.path))
    return False


@executes(ast.Continue, ast.Break)
def _leave(_: Reader, __: ast.Continue | ast.Break) -> bool:
    return False


@executes(ast.Assert)
def _assert(at: Reader, node: ast.Assert) -> None:
    at.path.append(at.test(node.test))
    narrow(at, node.test, positive=True)


@executes(ast.Global)
def _global(at: Reader, node: ast.Global) -> None:
    at.scope.declared_global.update(node.names)
