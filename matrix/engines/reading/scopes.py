"""Where names live while a file is read: modules, classes, functions, and what was found in them."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from matrix.engines.conditions import TRUE, Condition, every, opaque, release_part
from matrix.engines.reading.values import (
    UNKNOWN,
    Container,
    LocalClass,
    Other,
    Pairs,
    Row,
    Symbol,
    Value,
    either,
    one_of,
)

if TYPE_CHECKING:
    from matrix.engines.uses import Guard, Use


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


@dataclass
class ClassInfo:
    """A class of the file: what its attributes may hold, gathered over all its methods."""

    bases: tuple[Value, ...] = ()
    attributes: dict[str, list[tuple[Condition, Value]]] = field(default_factory=dict)
    methods: set[str] = field(default_factory=set)

    def learn(self, name: str, condition: Condition, value: Value) -> None:
        """Note one assignment to an attribute."""
        known = self.attributes.setdefault(name, [])
        if (condition, value) not in known and len(known) < 12:
            known.append((condition, value))


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

    def find(self, name: str) -> Value | None:
        """The value of a name, here or in an enclosing scope."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.parent
        return None


@dataclass
class Findings:
    """What reading a file gathers; the second reading keeps what the first one learned of classes."""

    uses: dict[tuple[object, ...], Use] = field(default_factory=dict)
    classes: dict[str, ClassInfo] = field(default_factory=dict)
    returns: dict[str, list[tuple[Condition, Value]]] = field(default_factory=dict)
    returned_before: dict[str, list[tuple[Condition, Value]]] = field(default_factory=dict)
    globals: dict[str, list[tuple[Condition, Value]]] = field(default_factory=dict)
    mirrors: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)
    passed: set[tuple[str, str]] = field(default_factory=set)
    own_imports: set[str] = field(default_factory=set)
    named: set[tuple[str, str]] = field(default_factory=set)
    operators: set[tuple[str, str]] = field(default_factory=set)
    patched: set[str] = field(default_factory=set)
    pins: list[tuple[str, int]] = field(default_factory=list)

    def returned(self, function: str) -> Value:
        """What a function of the file gives back; its returns exclude each other by their conditions."""
        found = self.returns.get(function) or self.returned_before.get(function)
        return either(found) if found else UNKNOWN

    def attribute(self, cls: str, name: str) -> Value | None:
        """What an attribute of a class of the file may hold, its own or a base's."""
        info = self.classes.get(cls)
        if info is None:
            return None
        if name in info.attributes:
            return gathered(info.attributes[name], f"{cls}.{name}")
        for base in info.bases:
            if isinstance(base, LocalClass) and base.name != cls:
                found = self.attribute(base.name, name)
                if found is not None:
                    return found
        return None


def gathered(assignments: list[tuple[Condition, Value]], what: str) -> Value:
    """What a place holds that several lines assign, each possibly under a condition on the release."""
    if any(isinstance(value, Container) for _, value in assignments):
        assignments = [pair for pair in assignments if pair[1] not in {Row(), Pairs()}]
    useful = [pair for pair in assignments if not isinstance(pair[1], Other)]
    if not useful:
        return UNKNOWN
    if len(useful) < len(assignments):
        useful = [*useful, (TRUE, UNKNOWN)]
    if len({value for _, value in useful}) == 1:
        return one_of(value for _, value in useful)
    return either(
        [
            (every((opaque(f"{what} as assigned by its line {number}"), release_part(condition))), value)
            for number, (condition, value) in enumerate(useful)
        ]
    )


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
