"""What reading a file gathers: uses, and what classes, functions and globals of the file may hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from matrix.engines.conditions import TRUE, Condition, asks_release, every, negate, opaque, release_part, some
from matrix.engines.reading.options import either, one_of
from matrix.engines.reading.values import (
    UNKNOWN,
    Constant,
    Container,
    LocalClass,
    Other,
    Pairs,
    Row,
    Truth,
    Value,
)

if TYPE_CHECKING:
    from matrix.engines.uses import Use


@dataclass
class ClassInfo:
    """A class of the file: what its attributes may hold, gathered over all its methods.

    `free` are the methods that are given no instance, `refused` the conditions under which making one raises.
    """

    bases: tuple[Value, ...] = ()
    attributes: dict[str, list[tuple[Condition, Value]]] = field(default_factory=dict)
    methods: set[str] = field(default_factory=set)
    properties: set[str] = field(default_factory=set)
    free: set[str] = field(default_factory=set)
    refused: list[Condition] = field(default_factory=list)
    decorators: tuple[str, ...] = ()

    def learn(self, name: str, condition: Condition, value: Value) -> None:
        """Note one assignment to an attribute."""
        known = self.attributes.setdefault(name, [])
        if (condition, value) not in known and len(known) < 12:
            known.append((condition, value))

    def refuse(self, condition: Condition) -> None:
        """Note that no instance is made where a condition holds."""
        if asks_release(condition) and condition not in self.refused:
            self.refused.append(condition)


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
    handed: dict[tuple[str, str], list[tuple[Condition, Value]]] = field(default_factory=dict)
    patched: set[str] = field(default_factory=set)
    sets: dict[tuple[str, str], int] = field(default_factory=dict)

    def returned(self, function: str) -> Value:
        """What a function of the file gives back; its returns exclude each other by their conditions."""
        found = self.returns.get(function) or self.returned_before.get(function)
        return either(found) if found else UNKNOWN

    def is_free(self, method: str) -> bool:
        """Whether a method is called on its class as it is on an instance."""
        cls, _, name = method.rpartition(".")
        return cls in self.classes and name in self.classes[cls].free

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
    useful = [pair for pair in assignments if type(pair[1]) is not Other]
    if not useful:
        return UNKNOWN
    if len(useful) < len(assignments):
        useful = [*useful, (TRUE, UNKNOWN)]
    if len({value for _, value in useful}) == 1:
        return one_of(value for _, value in useful)
    tagged = [
        (every((opaque(f"{what} as assigned by its line {number}"), release_part(condition))), value)
        for number, (condition, value) in enumerate(useful)
    ]
    return _flag(tagged) or either(tagged)


def _flag(tagged: list[tuple[Condition, Value]]) -> Truth | None:
    """A place that holds True or False, by the lines of which the release decides whether they are reached."""
    true: list[Condition] = []
    false: list[Condition] = []
    for condition, value in tagged:
        if isinstance(value, Truth):
            true.append(every((condition, value.condition)))
            false.append(every((condition, negate(value.condition))))
        elif isinstance(value, Constant) and isinstance(value.value, bool):
            (true if value.value else false).append(condition)
        else:
            return None
    decides = all(asks_release(condition) for condition in false)
    return Truth(negate(some(false)) if decides else some(true))
