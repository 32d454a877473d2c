"""When a symbol, its parameters, defaults and members came, moved and went, in ranges of releases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matrix.surface.diff import no_symbol
from matrix.surface.signatures import default_value, parameters_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matrix.surface.model import Surface

__all__ = ["History", "Span", "history"]

ABSENT = None


@dataclass(frozen=True, kw_only=True)
class Span:
    """Neighbouring releases, oldest and newest included, in which something had one value."""

    first: str
    last: str
    value: str | None
    count: int

    def text(self) -> str:
        """`0.6.8` or `0.6.8 to 0.6.12`."""
        return self.first if self.first == self.last else f"{self.first} to {self.last}"


@dataclass(frozen=True, kw_only=True)
class History:
    """One symbol over many releases.

    `traits` holds spans by what they are about: `presence` (function, class, enum, module, value), `elsewhere` (the
    path of the same name where this one is absent), `defined in`, `needs`, `returns`, `parameter X` (position, kind
    and default), `member X`, `method X`.
    """

    symbol: str
    releases: tuple[str, ...]
    traits: dict[str, list[Span]]

    def to_json(self) -> dict[str, Any]:
        """The document that `kernel-matrix history --json` prints."""
        traits = [
            {
                "trait": name,
                "spans": [
                    {"first": span.first, "last": span.last, "releases": span.count, "value": span.value}
                    for span in spans
                ],
            }
            for name, spans in self.traits.items()
        ]
        return {"symbol": self.symbol, "releases": list(self.releases), "traits": traits}

    def rows(self) -> list[tuple[str, str, str]]:
        """Trait, releases and value of every span; absence only between spans in which there is something."""
        found = []
        for name, spans in self.traits.items():
            known = [number for number, span in enumerate(spans) if span.value is not ABSENT]
            for span in spans[known[0] : known[-1] + 1]:
                newest = ", the newest" if span.last == self.releases[-1] else ""
                found.append((name, span.text() + newest, "absent" if span.value is ABSENT else span.value))
        return found

    def lines(self) -> list[str]:
        """The history as text, a line a span."""
        found = [f"{self.symbol}, {len(self.releases)} releases, {self.releases[0]} to {self.releases[-1]}"]
        before = ""
        for name, releases, value in self.rows():
            found.append(f"  {'' if name == before else name:<32} {releases:<36} {value}")
            before = name
        return found

    def markdown(self) -> str:
        """The history as a table that fits a pull request."""
        found = [f"### `{self.symbol}`, {self.releases[0]} to {self.releases[-1]}", ""]
        found += ["| what | releases | value |", "|---|---|---|"]
        for name, releases, value in self.rows():
            cell = value.replace("|", "\\|")
            found.append(f"| {name} | {releases} | `{cell}` |")
        return "\n".join(found) + "\n"


def history(surfaces: Sequence[Surface], symbol: str) -> History:
    """The history of an import path (function, class, enum, method, constant or module).

    Args:
        surfaces: releases, oldest first.
        symbol: the path, as a caller writes it.

    Raises:
        InputError: no release has it; names the nearest.
    """
    rows = [_traits(surface, symbol) for surface in surfaces]
    if not any("presence" in row for row in rows):
        raise no_symbol(symbol, *surfaces[-1:], *surfaces[:1])
    _note_taken(rows)
    names = list(dict.fromkeys(name for row in rows for name in row))
    releases = tuple(surface.release for surface in surfaces)
    traits = {name: _spans(releases, [row.get(name) for row in rows]) for name in _ordered(names)}
    return History(symbol=symbol, releases=releases, traits=traits)


def _note_taken(rows: Sequence[dict[str, str]]) -> None:
    """Say of a parameter that has no place of its own any more that the function's `**kwargs` takes it."""
    known: dict[str, None] = {}
    for row in rows:
        keywords = next((name for name in row if name.startswith("parameter **")), None)
        if keywords:
            taken = f"taken by {keywords.removeprefix('parameter ')}"
            row.update({name: taken for name in known if name not in row})
        known |= dict.fromkeys(name for name in row if name.startswith("parameter ") and "*" not in name)


def _ordered(names: list[str]) -> list[str]:
    order = ("presence", "elsewhere", "defined in", "needs", "returns", "parameter", "member", "method")
    rank: Callable[[str], int] = lambda name: next(i for i, head in enumerate(order) if name.startswith(head))  # noqa: E731
    return sorted(names, key=rank)


def _spans(releases: Sequence[str], values: Sequence[str | None]) -> list[Span]:
    """Neighbouring releases with the same value joined."""
    found: list[Span] = []
    for release, value in zip(releases, values, strict=True):
        if found and found[-1].value == value:
            found[-1] = Span(first=found[-1].first, last=release, value=value, count=found[-1].count + 1)
        else:
            found.append(Span(first=release, last=release, value=value, count=1))
    return found


def _traits(surface: Surface, symbol: str) -> dict[str, str]:
    """What one release says of a symbol; nothing where it does not have it."""
    if symbol in surface.modules:
        needs = ", ".join(surface.modules[symbol]["needs"])
        return {"presence": "module"} | ({"needs": needs} if needs else {})
    qualname = surface.qualname(symbol)
    if qualname is None:
        value = surface.value(symbol)
        if value:
            return {"presence": f"value {value['text']}" if value.get("text") else "value"}
        return _elsewhere(surface, symbol.rpartition(".")[2])
    found = {"defined in": qualname.partition(":")[0]}
    condition = surface.conditional(symbol)
    if condition:
        found["needs"] = ", ".join(condition["needs"]) or condition["when"]
    function = surface.function(qualname)
    if function:
        return found | {"presence": "function"} | _function_traits(function, qualname)
    entry = surface.cls(qualname) or {}
    members = surface.enum(qualname)
    found["presence"] = "class" if members is None else "enum"
    for name, number in (members or {}).items():
        found[f"member {name}"] = "computed" if number is None else repr(number)
    made = surface.constructor(qualname) if members is None else None
    constructor = surface.function(made) if made else None
    if made and constructor:
        found |= _function_traits(constructor, made)
    for name in entry["methods"] if members is None else ():
        if not name.startswith("_"):
            found[f"method {name}"] = "there"
    return found


def _elsewhere(surface: Surface, name: str) -> dict[str, str]:
    """Where a release that lacks the path has something of the same name, if it is one thing only."""
    paths = {
        str(entry["path"])
        for qualname in surface.named(name)
        if (entry := surface.function(qualname) or surface.cls(qualname)) and "path" in entry
    }
    return {"elsewhere": paths.pop()} if len(paths) == 1 else {}


def _function_traits(entry: dict[str, Any], qualname: str) -> dict[str, str]:
    found = {"returns": entry["returns"]} if "returns" in entry else {}
    for position, (name, kind, default) in enumerate(parameters_of(entry, qualname)):
        place = "keyword-only" if kind == "KEYWORD_ONLY" else f"position {position}"
        if kind == "POSITIONAL_ONLY":
            place += ", positional-only"
        stars = {"VAR_POSITIONAL": "*", "VAR_KEYWORD": "**"}.get(kind, "")
        value = "" if default is None else f", default {default}"
        known = default_value(entry, name, default) if default is not None else default
        if known is not None and default is not None and known not in (default, default.replace('"', "'")):
            value += f" = {known}"
        found[f"parameter {stars}{name}"] = place if stars == "" else "there"
        found[f"parameter {stars}{name}"] += value
    return found
