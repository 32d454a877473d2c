"""What a file's names tell other files of the engine, as JSON keeps it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from matrix.engines.conditions import (
    TRUE,
    asked,
    asks_release,
    every,
    from_json,
    opaque,
    release_part,
    size,
)
from matrix.engines.reading.findings import gathered
from matrix.engines.reading.options import either, element, options
from matrix.engines.reading.values import (
    NOTHING,
    UNKNOWN,
    Asked,
    Constant,
    Container,
    Either,
    Holder,
    Local,
    LocalClass,
    Number,
    Pairs,
    Partial,
    Release,
    Returning,
    Row,
    Symbol,
    Truth,
    Value,
)

if TYPE_CHECKING:
    from matrix.engines.conditions import Condition
    from matrix.engines.reading.findings import Findings


_LASTING = re.compile(r"[^()]*|[^()]*\.[A-Z]\w*\(\)")
"""What is worth keeping: a class or function, or an instance; not what a call computed."""
_MAX_CONDITION = 24


class Exports:
    """What a file can tell of its values.

    Args:
        found: what reading it gathered.
        module: its dotted name.
        is_package: whether it passes on what it imports, as a package does.
    """

    def __init__(self, found: Findings, module: str, *, is_package: bool) -> None:
        self.found, self.module, self.is_package = found, module, is_package
        self.known: dict[str, dict[str, Value]] = {}

    def lead(self, value: Value) -> bool:
        """Whether a value is worth telling other files of the engine about, as it leads into FlashInfer."""
        return any(self._leads(condition, single) for condition, single in options(value))

    def hands_on(self, cls: str) -> bool:
        """Whether a class is worth telling other files about."""
        return (":" not in cls or self.is_package) and bool(self.held(cls))

    def held(self, cls: str) -> dict[str, Value]:
        """What instances of a class hold and give that leads into FlashInfer, by the attribute's name."""
        if cls not in self.known:
            self.known[cls] = {}  # while it is asked for, an instance of it in itself tells nothing
            plain = {name: self._plain(value) for name, value in self._members(cls).items()}
            self.known[cls] = {name: value for name, value in plain.items() if self._holds(value)}
        return self.known[cls]

    def _holds(self, value: Value) -> bool:
        """Whether a plain value has anything of FlashInfer's."""
        inner = value.value if isinstance(value, Returning) else value
        return any(
            self._holds(single.item)
            if isinstance(single, Container)
            else isinstance(single, Symbol | Partial)
            or (isinstance(single, Local) and self._is_kept(single.name))
            for _, single in options(inner)
        )

    def _plain(self, value: Value) -> Value:
        """What a member holds, of which only classes and functions of FlashInfer and instances matter."""
        if isinstance(value, Returning):
            return Returning(self._plain(value.value))
        if isinstance(value, Row):
            value = Container(element(value))
        if isinstance(value, Container):
            return Container(self._plain(value.item))
        found: list[tuple[Condition, Value]] = []
        for number, (condition, single) in enumerate(options(value)):
            asks = release_part(condition)
            asks = asks if size(asks) <= _MAX_CONDITION else asked("which of several is meant")
            inner = self._plain(single) if isinstance(single, Row | Container) else single
            if not isinstance(inner, Container | Local) and inner != NOTHING and not _lasts(inner):
                inner, asks = UNKNOWN, TRUE
            found.append((every((opaque(f"case {number}"), asks)), inner))
        return either(found) if len(found) > 1 else found[0][1]

    def _members(self, cls: str) -> dict[str, Value]:
        info = self.found.classes.get(cls)
        if info is None:
            return {}
        members: dict[str, Value] = {}
        for base in info.bases:
            if isinstance(base, LocalClass) and base.name != cls:
                members = self.held(base.name) | members
        for name in sorted(info.methods):
            given = self.found.returned(f"{cls}.{name}")
            members[name] = given if name in info.properties else Returning(given)
        for name, assigned in info.attributes.items():
            members[name] = gathered(assigned, f"{cls}.{name}")
        return members

    def _is_kept(self, cls: str) -> bool:
        """Whether an instance of a class is: one of the file's own, as else a chain of them had no end."""
        return ":" not in cls and bool(self.held(cls))

    def _leads(self, condition: Condition, value: Value) -> bool:
        if _is_of_provider(condition, value):
            return True
        if isinstance(value, Local):
            return self._is_kept(value.name)
        if isinstance(value, Partial):
            return self.lead(value.target)
        if isinstance(value, Container):
            return self.lead(value.item)
        if isinstance(value, Returning):
            return self.lead(value.value)
        return isinstance(value, Row) and any(map(self.lead, value.elements))

    def to_json(self, value: Value) -> Any:
        """An exported value as JSON; what other files cannot use is left out."""
        if isinstance(value, Either):
            return ["either", [[condition, self.to_json(single)] for condition, single in value.options]]
        if isinstance(value, Symbol):
            return ["symbol", value.path, value.via, value.rescue, value.held]
        if isinstance(value, Pairs):
            entries = [[key, condition, self.to_json(item)] for key, condition, item in value.entries]
            return ["pairs", entries, value.unknown]
        if isinstance(value, Truth):
            return ["truth", value.condition]
        if isinstance(value, Release):
            return ["release", value.steps, value.parsed]
        if isinstance(value, Number):
            return ["number", value.index]
        if isinstance(value, Asked):
            return ["asked", value.text]
        if isinstance(value, Constant):
            return ["constant", value.value]
        return self._held_to_json(value)

    def _held_to_json(self, value: Value) -> Any:
        if isinstance(value, Container):
            return ["container", self.to_json(value.item)]
        if isinstance(value, Row):
            return ["row", [self.to_json(item) for item in value.elements]]
        if isinstance(value, Partial):
            given = [self.to_json(item) for item in value.positional]
            return ["partial", self.to_json(value.target), given, self.to_json(value.keywords)]
        if isinstance(value, Returning):
            return ["returns", self.to_json(value.value)]
        if isinstance(value, Local):
            return ["instance", value.name if ":" in value.name else f"{self.module}:{value.name}"]
        if isinstance(value, LocalClass) and (held := self.held(value.name)):
            return ["class", {name: self.to_json(item) for name, item in held.items()}]
        return ["other"]


def leads_into_provider(value: Value) -> bool:
    """Whether a value is of FlashInfer, or an answer that it gave."""
    return any(_is_of_provider(condition, single) for condition, single in options(value))


def _is_of_provider(condition: Condition, value: Value) -> bool:
    return (
        isinstance(value, Symbol | Release | Number | Asked)
        or (isinstance(value, Truth) and asks_release(value.condition))
        or (isinstance(value, Constant) and asks_release(condition))
    )


def _lasts(value: Value) -> bool:
    if isinstance(value, Partial):
        return _lasts(value.target)
    return isinstance(value, Symbol) and _LASTING.fullmatch(value.path) is not None


def value_from_json(data: Any) -> Value:
    """Read back what `Exports.to_json` wrote."""
    word, *rest = data
    if word == "either":
        return Either(tuple((from_json(condition), value_from_json(single)) for condition, single in rest[0]))
    if word == "symbol":
        return Symbol(rest[0], rest[1], 0, *rest[2:])
    if word == "pairs":
        entries = tuple(
            (key, from_json(condition), value_from_json(item)) for key, condition, item in rest[0]
        )
        return Pairs(entries, rest[1])
    if word == "truth":
        return Truth(from_json(rest[0]))
    if word == "release":
        return Release(tuple(rest[0]), rest[1])
    if word == "number":
        return Number(rest[0])
    if word == "asked":
        return Asked(rest[0])
    return Constant(rest[0]) if word == "constant" else _held_from_json(word, rest)


def _held_from_json(word: str, rest: list[Any]) -> Value:
    if word == "container":
        return Container(value_from_json(rest[0]))
    if word == "row":
        return Row(tuple(map(value_from_json, rest[0])))
    if word == "partial":
        keywords = value_from_json(rest[2])
        assert isinstance(keywords, Pairs)
        return Partial(value_from_json(rest[0]), tuple(map(value_from_json, rest[1])), keywords)
    if word == "returns":
        return Returning(value_from_json(rest[0]))
    if word == "instance":
        return Local(rest[0])
    if word == "class":
        return Holder(tuple((name, value_from_json(item)) for name, item in rest[0].items()))
    return UNKNOWN
