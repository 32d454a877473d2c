"""Where a line stands: the names that it sees, the `try` around it, the call that it is read for."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from matrix.engines.conditions import TRUE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matrix.engines.conditions import Condition
    from matrix.engines.reading.values import Symbol, Value
    from matrix.engines.uses import Guard

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Following:
    """A function of the file that is read once more for one call of it, with what that call passes.

    Attributes:
        function: its qualified name.
        node: the call, where uses are noted.
        scope: qualified name of the function that calls.
        forwards: inner functions that hand all of their arguments on, and to what.
    """

    function: str
    node: ast.AST
    scope: str
    forwards: dict[str, Symbol] = field(default_factory=dict)


@dataclass
class Frame:
    """A `try` that is being read: its handlers, and what its body needs of the release."""

    guards: tuple[Guard, ...]
    needs: list[tuple[Condition, str]] = field(default_factory=list)

    def caught(self) -> list[Condition]:
        """What its body has needed up to here, where a handler takes what is raised without it."""
        return self._needed(self.guards)

    def rescued(self) -> list[Condition]:
        """The same where a handler also goes on then."""
        return self._needed(guard for guard in self.guards if not guard.raises or guard.where != TRUE)

    def _needed(self, guards: Iterable[Guard]) -> list[Condition]:
        handlers = tuple(guards)
        needed = dict.fromkeys(
            need for need, exception in self.needs if any(guard.takes(exception) for guard in handlers)
        )
        packages = {need[1].rpartition(".")[0] for need in needed if need[0] == "has"}
        return [need for need in needed if need[0] != "has" or need[1] not in packages]


@dataclass
class Scope:
    """The names of one module or function, as they stand at the line that is being read."""

    names: dict[str, Value] = field(default_factory=dict)
    parent: Scope | None = None
    qualname: str = ""
    cls: str = ""
    self_name: str = ""
    declared_global: set[str] = field(default_factory=set)
    rest: tuple[str, ...] = ()

    def inner(self) -> Scope:
        """A scope of its own for the names of a comprehension or a lambda."""
        return Scope(parent=self, qualname=self.qualname, cls=self.cls, self_name=self.self_name)

    def find(self, name: str) -> Value | None:
        """The value of a name, here or in an enclosing scope."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.parent
        return None


@dataclass(frozen=True)
class Definition:
    """A function of the file.

    Attributes:
        node: as it is written.
        qualname: its qualified name.
        outer: the names around it.
        path: the conditions under which it is defined.
        is_method: whether it belongs to a class.
    """

    node: FunctionNode
    qualname: str
    outer: Scope
    path: tuple[Condition, ...]
    is_method: bool
