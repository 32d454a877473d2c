"""Which function reads which kind of node: the modules beside this one enter their functions here.

Each function is given the reader, which knows where in the file it stands, and the node.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from matrix.engines.conditions import Condition
    from matrix.engines.reading.reader import Reader
    from matrix.engines.reading.values import Value

K = TypeVar("K")
F = TypeVar("F")

Evaluator = Callable[["Reader", Any], "Value"]
Decider = Callable[["Reader", Any], "Condition"]
Binder = Callable[["Reader", Any, "Value"], None]
Executor = Callable[["Reader", Any], "bool | None"]
CallReader = Callable[["Reader", ast.Call], "Value | None"]

EVALUATORS: dict[type[ast.expr], Evaluator] = {}
DECIDERS: dict[type[ast.expr], Decider] = {}
BINDERS: dict[type[ast.expr], Binder] = {}
EXECUTORS: dict[type[ast.stmt], Executor] = {}
CALLS: dict[str, CallReader] = {}


def evaluates(*kinds: type[ast.expr]) -> Callable[[Evaluator], Evaluator]:
    """Say what an expression of these kinds stands for; `ast.expr` is for the kinds that nobody names."""
    return _entered(EVALUATORS, kinds)


def decides(*kinds: type[ast.expr]) -> Callable[[Decider], Decider]:
    """Say when an expression of these kinds is true, where its value alone does not tell."""
    return _entered(DECIDERS, kinds)


def binds(*kinds: type[ast.expr]) -> Callable[[Binder], Binder]:
    """Assign a value to targets of these kinds."""
    return _entered(BINDERS, kinds)


def executes(*kinds: type[ast.stmt]) -> Callable[[Executor], Executor]:
    """Read statements of these kinds; False says that the lines after them are not reached.

    `ast.stmt` is for the kinds that nobody names.
    """
    return _entered(EXECUTORS, kinds)


def called(*names: str) -> Callable[[CallReader], CallReader]:
    """Say what a call of a function or method gives; None leaves it to be read as any other call.

    Args:
        names: in small letters, without underscores at either end.
    """
    return _entered(CALLS, names)


def executor(node: ast.stmt) -> Executor:
    """What reads a statement."""
    return EXECUTORS.get(type(node), EXECUTORS[ast.stmt])


def call_reader(name: str) -> CallReader | None:
    """What reads the calls of a name, if anything does."""
    return CALLS.get(name.strip("_").lower())


def _entered(registry: dict[K, F], keys: tuple[K, ...]) -> Callable[[F], F]:
    def enter(function: F) -> F:
        registry.update(dict.fromkeys(keys, function))
        return function

    return enter
