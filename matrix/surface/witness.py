"""Witnesses: a call, import or value that worked on the older release and fails or differs on the newer one.

Every witness is run through both surfaces before a finding is given, so that a finding which cannot be shown is
none.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from matrix.surface.signatures import POSITIONAL, default_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matrix.surface.model import Entry, Surface
    from matrix.surface.subjects import Subject

__all__ = ["WITNESSES", "Call", "Witness", "bind", "prove", "signature"]


@dataclass(frozen=True, kw_only=True)
class Witness:
    """Code that shows a finding, with what it does on both releases.

    `run` is the same in data, for whoever runs it for real: `kind`, `path` and, for a call, `args` and `kwargs`
    as the names of the parameters that the older release gives them to.
    """

    text: str
    before: str
    after: str
    run: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Call:
    """Arguments, each one the name of the parameter that it is meant for."""

    args: list[str] = field(default_factory=list)
    kwargs: dict[str, str] = field(default_factory=dict)

    def text(self, path: str) -> str:
        """The call as a line of Python."""
        given = [*self.args, *(f"{key}={value}" for key, value in self.kwargs.items())]
        return f"{path}({', '.join(given)})"


def signature(entry: Entry) -> inspect.Signature:
    """A real signature from a surface's entry; defaults are what tells them apart, as text."""
    return inspect.Signature(
        [
            inspect.Parameter(
                name,
                getattr(inspect.Parameter, kind),
                default=inspect.Parameter.empty if default is None else default_value(entry, name, default),
            )
            for name, kind, default in entry["parameters"]
        ]
    )


def bind(shape: inspect.Signature, call: Call) -> dict[str, str] | str:
    """Where a call's arguments go: argument to parameter name; or why it does not bind."""
    try:
        bound = shape.bind(*call.args, **call.kwargs)
    except TypeError as error:
        return f"TypeError: {error}"
    landed: dict[str, str] = {}
    for name, value in bound.arguments.items():
        kind = bound.signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_KEYWORD:
            landed |= {given: key for key, given in value.items()}
        elif kind is inspect.Parameter.VAR_POSITIONAL:
            landed |= dict.fromkeys(value, f"*{name}")
        else:
            landed[value] = name
    return landed


def prove(kind: str, subject: Subject, old: Surface, new: Surface) -> Witness | None:
    """The witness of a subject, run through both surfaces; nothing where it shows no difference."""
    return WITNESSES[kind](subject, old, new)


def _given(subject: Subject, _old: Surface, _new: Surface) -> Witness | None:
    """Passing the parameter, by keyword or by position, whichever shows the difference."""
    assert subject.call
    rows = subject.call[0]["parameters"]
    kind = next(row[1] for row in rows if row[0] == subject.name)
    if kind == "VAR_KEYWORD":
        return _call(subject, [_required(rows, {"anything_else"})])
    if kind == "VAR_POSITIONAL":
        return _call(subject, [Call(args=[*(row[0] for row in rows if row[1] in POSITIONAL), "one_more"])])
    return _call(subject, [*_by_keyword(rows, subject.name), *_by_position(rows, subject.name)])


def _keyword(subject: Subject, _old: Surface, _new: Surface) -> Witness | None:
    assert subject.call
    rows = subject.call[0]["parameters"]
    return _call(subject, [*_by_keyword(rows, subject.name), *_by_position(rows, subject.name)])


def _positional(subject: Subject, _old: Surface, _new: Surface) -> Witness | None:
    """Everything by position, up to the first parameter that then goes elsewhere."""
    assert subject.call
    rows, after = (entry["parameters"] for entry in subject.call)
    places = [row[0] for row in after if row[1] in POSITIONAL]
    slots = [row[0] for row in rows if row[1] in POSITIONAL]
    shifted = [name for place, name in enumerate(slots) if places[place : place + 1] != [name]]
    return _call(subject, [call for name in shifted[:1] for call in _by_position(rows, name)])


def _omit(subject: Subject, _old: Surface, _new: Surface) -> Witness | None:
    assert subject.call
    return _call(subject, [_required(subject.call[0]["parameters"], set())])


def _default(subject: Subject, _old: Surface, _new: Surface) -> Witness | None:
    """Leaving the parameter out."""
    assert subject.call
    entries = subject.call
    call = _required(entries[0]["parameters"], set())
    values = []
    for entry in entries:
        text = next(row[2] for row in entry["parameters"] if row[0] == subject.name)
        values.append(default_value(entry, subject.name, text))
    if values[0] == values[1] or isinstance(bind(signature(entries[0]), call), str):
        return None
    return Witness(
        text=call.text(subject.symbol),
        before=f"{subject.name} is {values[0]}",
        after=f"{subject.name} is {values[1]}",
        run={"kind": "default", "path": subject.symbol, "name": subject.name, "values": values},
    )


def _call(subject: Subject, calls: list[Call]) -> Witness | None:
    assert subject.call
    before, after = (signature(entry) for entry in subject.call)
    for call in calls:
        was = bind(before, call)
        if isinstance(was, str):
            continue
        now = bind(after, call)
        if was != now:
            return Witness(
                text=call.text(subject.symbol),
                before="binds",
                after=now if isinstance(now, str) else f"binds {_landing(was, now)}",
                run={"kind": "call", "path": subject.symbol, "args": call.args, "kwargs": call.kwargs},
            )
    return None


def _landing(was: dict[str, str], now: dict[str, str]) -> str:
    given = next(given for given, name in was.items() if now.get(given) != name)
    return f"the value for '{was[given]}' to '{now.get(given)}'"


def _required(rows: list[list[Any]], extra: set[str]) -> Call:
    """A call with what must be given, by position where it can be, and some keywords."""
    args = [name for name, kind, default in rows if kind in POSITIONAL and default is None]
    names = [name for name, kind, default in rows if kind == "KEYWORD_ONLY" and default is None]
    return Call(args=args, kwargs={name: name for name in [*names, *sorted(extra)]})


def _by_keyword(rows: list[list[Any]], name: str) -> Iterator[Call]:
    """The required parameters and one more, all by keyword that can be."""
    first = [row[0] for row in rows if row[1] == "POSITIONAL_ONLY" and row[2] is None]
    rest = [row[0] for row in rows if row[1] in {"POSITIONAL_OR_KEYWORD", "KEYWORD_ONLY"} and row[2] is None]
    if name not in first:
        yield Call(args=first, kwargs={one: one for one in dict.fromkeys([*rest, name])})


def _by_position(rows: list[list[Any]], name: str) -> Iterator[Call]:
    """Everything by position up to one parameter, what else is required by keyword."""
    slots = [row[0] for row in rows if row[1] in POSITIONAL]
    if name not in slots:
        return
    end = slots.index(name) + 1
    behind = [
        row[0]
        for row in rows
        if row[2] is None and row[0] not in slots[:end] and not row[1].startswith("VAR_")
    ]
    yield Call(args=slots[:end], kwargs={one: one for one in behind})


def _import(subject: Subject, old: Surface, new: Surface) -> Witness | None:
    path = subject.symbol
    if subject.kind == "module":
        shown, error = f"import {path}", f"ModuleNotFoundError: No module named '{path}'"
    elif old.locate(path)[2]:
        shown, error = path, f"AttributeError: no attribute '{path.rpartition('.')[2]}'"
    else:
        module, _, name = path.rpartition(".")
        shown, error = (
            f"from {module} import {name}",
            f"ImportError: cannot import name '{name}' from '{module}'",
        )
    if not _there(old, path) or _there(new, path):
        return None
    return Witness(text=shown, before="works", after=error, run={"kind": "import", "path": path})


def _there(surface: Surface, path: str) -> bool:
    if path in surface.modules or surface.value(path) or surface.qualname(path):
        return True
    owner = surface.qualname(path.rpartition(".")[0])
    entry = surface.cls(owner) if owner else None
    return bool(entry) and path.rpartition(".")[2] in {*entry["methods"], *entry["attributes"]}  # type: ignore[index]


def _origin(subject: Subject, old: Surface, new: Surface) -> Witness | None:
    was, now = old.qualname(subject.symbol), new.qualname(subject.symbol)
    if not was or not now or was.partition(":")[0] == now.partition(":")[0]:
        return None
    return Witness(
        text=f"{subject.symbol}.__module__",
        before=was.partition(":")[0],
        after=now.partition(":")[0],
        run={"kind": "origin", "path": subject.symbol},
    )


def _kind(subject: Subject, _old: Surface, _new: Surface) -> Witness | None:
    return Witness(
        text=f"inspect.isclass({subject.symbol})",
        before=f"a {subject.words['old']}",
        after=f"a {subject.words['new']}",
        run={"kind": "kind", "path": subject.symbol},
    )


def _package(subject: Subject, old: Surface, new: Surface) -> Witness | None:
    path = subject.symbol
    if subject.kind == "module":
        before, after = (
            {*surface.modules[path]["needs"], *surface.modules[path].get("requires", ())}
            for surface in (old, new)
        )
        shown = f"import {path}"
    else:
        before = set((old.conditional(path) or {}).get("needs", ()))
        after = set((new.conditional(path) or {}).get("needs", ()))
        shown = f"from {path.rpartition('.')[0]} import {path.rpartition('.')[2]}"
    more = sorted(after - before)
    if not more:
        return None
    return Witness(
        text=shown,
        before="works without " + ", ".join(more),
        after=f"ImportError where {' or '.join(more)} is not installed",
        run={"kind": "package", "path": path, "packages": more},
    )


def _returns(subject: Subject, _old: Surface, _new: Surface) -> Witness | None:
    return Witness(
        text=f"inspect.signature({subject.symbol}).return_annotation",
        before=subject.words["old"],
        after=subject.words["new"],
        run={"kind": "returns", "path": subject.symbol},
    )


def _member(subject: Subject, _old: Surface, _new: Surface) -> Witness | None:
    assert subject.call
    before, after = subject.call
    if subject.name not in before or subject.name in after:
        return None
    return Witness(
        text=f"{subject.symbol}.{subject.name}",
        before=str(before[subject.name]),
        after=f"AttributeError: {subject.name}",
        run={"kind": "member", "path": subject.symbol, "name": subject.name},
    )


def _value(subject: Subject, _old: Surface, _new: Surface) -> Witness | None:
    """What an integer, written down for the older release, stands for."""
    assert subject.call
    before, after = subject.call
    value = before.get(subject.name, after.get(subject.name))
    names = [next((name for name, one in side.items() if one == value), None) for side in (before, after)]
    if names[0] is None or names[0] == names[1]:
        return None
    return Witness(
        text=f"{subject.symbol}({value!r})",
        before=names[0],
        after=names[1] or f"ValueError: {value!r} is not a valid {subject.symbol.rpartition('.')[2]}",
        run={"kind": "value", "path": subject.symbol, "value": value, "names": names},
    )


WITNESSES = {
    "import": _import,
    "origin": _origin,
    "kind": _kind,
    "package": _package,
    "given": _given,
    "keyword": _keyword,
    "positional": _positional,
    "omit": _omit,
    "default": _default,
    "returns": _returns,
    "member": _member,
    "value": _value,
}
"""Ways to show a finding; a break class names one, or none."""
