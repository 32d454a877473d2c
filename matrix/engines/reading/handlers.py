"""Handlers of exceptions: how each ends, and what becomes of what it raises itself."""

from __future__ import annotations

import ast
import builtins
from dataclasses import replace
from typing import TYPE_CHECKING

from matrix.engines.conditions import FALSE, TRUE, Condition, every, has, negate, opaque, some
from matrix.engines.reading.texts import shorten
from matrix.engines.reading.values import Function, Other, Row
from matrix.engines.uses import CATCHES, Guard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matrix.engines.reading.reader import Reader

_EXITS = {"sys.exit", "os._exit", "os.abort", "exit", "quit"}
_SAME = ""
"""Stands for the exception that was caught, raised again."""
_GOES_ON = "goes on"
_LEAVES = "leaves"

Ending = tuple[Condition, str]
"""The condition of one way to end, and the exception that is raised then, or one of the words above."""


def guards_of(at: Reader, handlers: Sequence[ast.ExceptHandler]) -> tuple[Guard, ...]:
    """What each handler of a `try` catches, and when the engine does not go on after it."""
    guards: list[Guard] = []
    taken: set[str] = set()
    for handler in handlers:
        guard = _guard(at, handler)
        guards.append(replace(guard, spared=tuple(sorted(filter(guard.takes, taken)))))
        # a name that a module lacks is no missing module: what only catches that one takes nothing away here
        rest = guard.but("ModuleNotFoundError")
        if guard.raises and rest is not None:
            taken |= set(filter(rest.takes, CATCHES))
    return tuple(guards)


def _guard(at: Reader, handler: ast.ExceptHandler) -> Guard:
    endings = [
        ending for ending in _endings(at, handler.body, handler.name) if ending[1] not in {_GOES_ON, _LEAVES}
    ]
    where = some(every((condition, _escapes(at, raised))) for condition, raised in endings)
    return Guard(
        catches=_caught(at, handler),
        raises=where != FALSE,
        does="; ".join(shorten(item, 60) for item in handler.body)[:160],
        line=handler.lineno,
        where=TRUE if where == FALSE else where,
        replaces=bool(at.frames) and where != FALSE and all(raised != _SAME for _, raised in endings),
    )


def is_exit(node: ast.AST) -> bool:
    """Whether an expression ends the program."""
    return isinstance(node, ast.Call) and shorten(node.func) in _EXITS


def _caught(at: Reader, handler: ast.ExceptHandler) -> tuple[str, ...]:
    if handler.type is None:
        return ("*",)
    value = at.value(handler.type)
    texts = [
        single.text if isinstance(single, Other) else ""
        for single in (value.elements if isinstance(value, Row) else (value,))
    ]
    return tuple(text.rpartition(".")[2] or shorten(handler.type).rpartition(".")[2] for text in texts)


def _endings(at: Reader, body: Sequence[ast.stmt], caught: str | None) -> list[Ending]:
    """The ways in which a block ends; what functions inside of it raise is none of them."""
    endings: list[Ending] = []
    here: Condition = TRUE
    for statement in body:
        found = _ending(at, statement, caught)
        endings += [(every((here, condition)), how) for condition, how in found if how != _GOES_ON]
        here = every((here, some(condition for condition, how in found if how == _GOES_ON)))
        if here == FALSE:
            return endings
    return [*endings, (here, _GOES_ON)]


def _ending(at: Reader, node: ast.stmt, caught: str | None) -> list[Ending]:
    if isinstance(node, ast.Raise):
        return [(TRUE, _raised(node.exc, caught))]
    if isinstance(node, ast.Return | ast.Continue | ast.Break):
        return [(TRUE, _LEAVES)]
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return [(TRUE, "SystemExit" if is_exit(node.value) else _by_call(at, node.value))]
    if isinstance(node, ast.If):
        with at.hushed():
            condition = at.test(node.test)
        return _both(condition, _endings(at, node.body, caught), _endings(at, node.orelse, caught))
    if isinstance(node, ast.With | ast.AsyncWith):
        return _endings(at, node.body, caught)
    if isinstance(node, ast.For | ast.AsyncFor | ast.While):
        loops = opaque(f"line {node.lineno} loops")
        left = [
            (condition, _GOES_ON if how == _LEAVES else how)
            for condition, how in _endings(at, node.body, caught)
        ]
        return _both(loops, left, _endings(at, node.orelse, caught))
    if isinstance(node, ast.Try):
        fails = _fails(at, node)
        handled = [ending for handler in node.handlers for ending in _endings(at, handler.body, caught)]
        through = _endings(at, [*node.body, *node.orelse, *node.finalbody], caught)
        return _both(fails, handled or [(TRUE, _GOES_ON)], through)
    return [(TRUE, _GOES_ON)]


def _fails(at: Reader, node: ast.Try) -> Condition:
    """The condition under which what a `try` holds fails, where that is all imported from FlashInfer."""
    paths: list[str] = []
    for statement in node.body:
        if not (
            isinstance(statement, ast.ImportFrom)
            and not statement.level
            and str(statement.module).split(".")[0] == at.engine.provider
        ):
            return opaque(f"what the try in line {node.lineno} holds fails")
        paths += [f"{statement.module}.{alias.name}" for alias in statement.names]
    return negate(every(map(has, paths)))


def _both(condition: Condition, then: list[Ending], other: list[Ending]) -> list[Ending]:
    found = [(every((condition, inner)), how) for inner, how in then]
    found += [(every((negate(condition), inner)), how) for inner, how in other]
    return [ending for ending in found if ending[0] != FALSE]


def _raised(node: ast.expr | None, caught: str | None) -> str:
    """The class that is raised; what is neither a class nor made by one may be any."""
    if node is None or (isinstance(node, ast.Name) and node.id == caught):
        return _SAME
    return shorten(node.func if isinstance(node, ast.Call) else node).rpartition(".")[2]


def _by_call(at: Reader, node: ast.Call) -> str:
    """What a call raises of a function of the file that does nothing but raise."""
    function = at.scope.find(node.func.id) if isinstance(node.func, ast.Name) else None
    definition = at.definitions.get(function.name) if isinstance(function, Function) else None
    last = definition.node.body[-1] if definition is not None else None
    plain = definition is not None and not any(
        isinstance(item, ast.Return | ast.Try | ast.Yield | ast.YieldFrom)
        for item in ast.walk(definition.node)
    )
    return _raised(last.exc, None) if plain and isinstance(last, ast.Raise) else _GOES_ON


def _escapes(at: Reader, raised: str) -> Condition:
    """The condition under which what a handler raises ends the engine: no `try` around it catches that."""
    for frame in reversed(at.frames):
        for guard in frame.guards:
            catches = _catches(guard, raised)
            if raised == _SAME or catches is False:
                continue
            if catches is None:
                return opaque(f"`{raised}` is not caught in line {guard.line}")
            return guard.where if guard.raises else FALSE
    return TRUE


def _catches(guard: Guard, raised: str) -> bool | None:
    """Whether a handler catches an exception; None where a class is not Python's own."""
    answers = [_is_under(raised, name) for name in guard.catches]
    return True if True in answers else None if None in answers else False


def _is_under(raised: str, name: str) -> bool | None:
    if name in {"*", "BaseException", raised}:
        return True
    known = [vars(builtins).get(word) for word in (raised, name)]
    if name == "Exception" and known[0] is None:
        return True
    first, second = known
    if isinstance(first, type) and isinstance(second, type):
        return issubclass(first, second)
    return None
