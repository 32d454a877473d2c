"""`try` and `with`: what is caught, and what the names stand for after it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from matrix.engines.conditions import TRUE, Condition, every, negate, opaque
from matrix.engines.reading.branches import Branch, branch, joined
from matrix.engines.reading.dispatch import executes
from matrix.engines.reading.handlers import guards_of
from matrix.engines.reading.scopes import Frame
from matrix.engines.reading.texts import shorten
from matrix.engines.reading.values import Caught, Value
from matrix.engines.uses import Guard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matrix.engines.reading.reader import Reader


@executes(ast.With, ast.AsyncWith)
def _with(at: Reader, node: ast.With | ast.AsyncWith) -> bool:
    guards: tuple[Guard, ...] = ()
    for item in node.items:
        call = item.context_expr
        if isinstance(call, ast.Call) and shorten(call.func).rpartition(".")[2] == "suppress":
            names = tuple(shorten(argument).rpartition(".")[2] for argument in call.args)
            guards = (Guard(catches=names, raises=False, does="suppressed", line=node.lineno),)
            continue
        value = at.value(call)
        if item.optional_vars is not None:
            at.bind(item.optional_vars, value)
    if not guards:
        return at.run(node.body)
    _guarded(at, node.body, guards)
    return True


@executes(ast.Try, getattr(ast, "TryStar", ast.Try))
def _try(at: Reader, node: ast.Try) -> bool:
    guards = guards_of(at, node.handlers)
    before = dict(at.scope.names)
    through, body = _guarded(at, node.body, guards, node.orelse)
    goes_on = (
        _handled(at, list(zip(node.handlers, guards, strict=True)), through, before, body) if guards else True
    )
    return at.run(node.finalbody) and goes_on if node.finalbody else goes_on


def _guarded(
    at: Reader, body: Sequence[ast.stmt], guards: tuple[Guard, ...], orelse: Sequence[ast.stmt] = ()
) -> tuple[Condition, Branch]:
    """Read what is guarded; gives the condition under which nothing is caught, and what is then."""
    frame = Frame(guards)
    at.frames.append(frame)
    goes_on = at.run(body)
    at.frames.pop()
    line = guards[0].line if guards else 0
    through = every([*frame.caught(), opaque(f"the try before line {line} goes through")])
    if goes_on and orelse:
        at.path.append(through)
        goes_on = at.run(orelse)
        at.path.pop()
    return through, Branch(at.scope.names, goes_on)


def _handled(
    at: Reader,
    handlers: Sequence[tuple[ast.ExceptHandler, Guard]],
    through: Condition,
    before: dict[str, Value],
    after: Branch,
) -> bool:
    """Read the handlers, each with the names as before the `try`; False where nothing goes on after it."""
    leaves = after.goes_on
    for handler, guard in handlers:
        at.scope.names = dict(before)
        if handler.name:
            at.scope.names[handler.name] = Caught(handler.name)
        caught = branch(at, negate(through), handler.body)
        leaves = leaves and not caught.goes_on and not (guard.raises and guard.where == TRUE)
        if caught.goes_on and after.goes_on:
            after = Branch(joined(at, through, after.names, caught.names), goes_on=True)
        elif caught.goes_on:
            after = caught
    at.scope.names = after.names
    if leaves:
        at.path.append(through)
    return after.goes_on
