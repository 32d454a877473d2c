"""Witnesses: a call, import or value that worked on the older release and fails or differs on the newer one.

Every witness is run through both surfaces before a finding is given, so that a finding which cannot be shown is
none; and what it does there is what the finding's severity follows.
"""

from __future__ import annotations

import ast
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matrix.surface.calls import (
    DIFFERS,
    RAISES,
    SWALLOWED,
    Call,
    bind,
    effect,
    every_call,
    land,
    required,
    signature,
)
from matrix.surface.signatures import POSITIONAL, default_value, is_static, parameters_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from matrix.surface.calls import Landing
    from matrix.surface.model import Entry, Surface
    from matrix.surface.subjects import Subject

__all__ = ["BY_CALL", "WITNESSES", "Witness", "prove", "prove_call"]

MADE = {"__init__", "__new__"}
MAY_RAISE = "may raise"


@dataclass(frozen=True, kw_only=True)
class Witness:
    """Code that shows a finding, with what it does on both releases.

    `effect` is what becomes of it: `raises`, `may raise`, `differs` or `swallowed`. `focus` is the part of the text
    that matters. `run` is the same in data, for whoever runs it for real: `kind`, `path` and, for a call, `args` and
    `kwargs` as the names of the parameters that the older release gives them to.
    """

    text: str
    before: str
    after: str
    effect: str
    run: dict[str, Any]
    focus: str = ""


def prove(kind: str, subject: Subject, old: Surface, new: Surface) -> Witness | None:
    """The witness of a subject, run through both surfaces; nothing where it shows no difference."""
    return WITNESSES[kind](subject, old, new)


def prove_call(subject: Subject, call: Call) -> Witness | None:
    """A call as a witness, run through both real signatures; nothing where it goes on as before."""
    assert subject.call
    was, now = (bind(signature(entry), call) for entry in subject.call)
    if isinstance(was, str):
        return None
    rows = (subject.call[0]["parameters"], subject.call[1]["parameters"])
    becomes = effect(was, now, rows)
    if becomes is None:
        return None
    if isinstance(now, str):
        after = now
        focus = subject.name if subject.name in {*call.args, *call.kwargs} else "".join(call.args[-1:])
    else:
        moved = [given for given in was if effect({given: was[given]}, now, rows) == becomes]
        own = [given for given in moved if subject.name in (given, was[given], now[given])]
        focus = (own or moved)[0]
        taken = f"binds, and {now[focus]} takes the value for '{was[focus]}'"
        after = taken if becomes == SWALLOWED else f"binds the value for '{was[focus]}' to '{now[focus]}'"
    return Witness(
        text=call.text(_target(subject)),
        before="binds",
        after=after,
        effect=becomes,
        focus=focus,
        run={"kind": "call", "path": subject.symbol, "args": call.args, "kwargs": call.kwargs},
    )


def _target(subject: Subject) -> str:
    """What is called: the function, or the method of an instance."""
    name = subject.qualnames[0].partition(":")[2] if subject.qualnames else ""
    owner, _, method = subject.symbol.rpartition(".")
    if "." not in name or name.rpartition(".")[2] in MADE or (subject.call and is_static(subject.call[0])):
        return subject.symbol
    return f"{owner}(...)" if method == "__call__" else f"{owner}(...).{method}"


def _choose(subject: Subject, calls: Iterable[Call], order: Sequence[tuple[str, bool]]) -> Witness | None:
    """The call that shows the subject best: by what becomes of it, and whether the subject itself is why."""
    assert subject.call
    rows = (subject.call[0]["parameters"], subject.call[1]["parameters"])
    best: tuple[int, Call] | None = None
    for call in calls:
        was = land(rows[0], call)
        if isinstance(was, str):
            continue
        now = land(rows[1], call)
        own = True
        becomes = effect(was, now, rows, subject.name)
        if isinstance(now, str):
            own = _blames(now, subject.name, call)
        elif becomes is None:
            becomes, own = effect(was, now, rows), False
        if becomes and (becomes, own) in order:
            rank = order.index((becomes, own))
            if best is None or rank < best[0]:
                best = (rank, call)
            if rank == 0:
                break
    return prove_call(subject, best[1]) if best else None


def _blames(error: str, name: str, call: Call) -> bool:
    return f"'{name}'" in error or ("too many" in error and name in call.args)


GIVEN = [(RAISES, True), (DIFFERS, True), (SWALLOWED, True), (RAISES, False)]
PLACED = [(DIFFERS, True), (RAISES, True), (RAISES, False), (DIFFERS, False)]
OMITTED = [(RAISES, True), (RAISES, False)]


def _given(subject: Subject, _old: Surface, _new: Surface) -> Witness | None:
    """Passing the parameter, by keyword or by position, whichever shows the difference."""
    assert subject.call
    return _choose(subject, _passing(subject.name, *subject.call), GIVEN)


def _positional(subject: Subject, _old: Surface, _new: Surface) -> Witness | None:
    """Everything by position, up to the first parameter that then goes elsewhere."""
    assert subject.call
    places = [[row[0] for row in entry["parameters"] if row[1] in POSITIONAL] for entry in subject.call]
    least = min(names.index(subject.name) for names in places if subject.name in names) + 1
    return _choose(subject, every_call(subject.call[0]["parameters"], least=least), PLACED)


def _omit(subject: Subject, _old: Surface, _new: Surface) -> Witness | None:
    """What was enough before, by keyword where it can be."""
    assert subject.call
    rows = subject.call[0]["parameters"]
    return _choose(subject, itertools.chain([_by_keyword(rows, [])], every_call(rows)), OMITTED)


def _default(subject: Subject, _old: Surface, _new: Surface) -> Witness | None:
    """Leaving the parameter out, in a call that binds on both sides."""
    assert subject.call
    entries = subject.call
    values = []
    for entry in entries:
        text = next(row[2] for row in entry["parameters"] if row[0] == subject.name)
        values.append(default_value(entry, subject.name, text))
    if values[0] == values[1]:
        return None
    rows = entries[0]["parameters"]
    known = {row[0] for row in rows}
    more = [row[0] for row in entries[1]["parameters"] if row[2] is None and row[0] in known]
    for call in itertools.chain([required(rows), _by_keyword(rows, more)], every_call(rows)):
        if all(_leaves_out(bind(signature(entry), call), subject.name) for entry in entries):
            return Witness(
                text=call.text(_target(subject)),
                before=f"{subject.name} is {values[0]}",
                after=f"{subject.name} is {values[1]}",
                effect=DIFFERS,
                run={
                    "kind": "default",
                    "path": subject.symbol,
                    "name": subject.name,
                    "values": values,
                    "args": call.args,
                    "kwargs": call.kwargs,
                },
            )
    return None


def _leaves_out(landed: Landing | str, name: str) -> bool:
    return not isinstance(landed, str) and name not in landed.values()


def _passing(name: str, before: Entry, after: Entry) -> Iterator[Call]:
    """Calls that pass a parameter: by keyword alone, then by position and further ones behind it."""
    rows = before["parameters"]
    kinds = {row[0]: row[1] for row in rows}
    if kinds[name] == "VAR_KEYWORD":
        yield required(rows, ["anything_else"])
    elif kinds[name] == "VAR_POSITIONAL":
        yield from (call for call in every_call(rows) if "one_more" in call.args)
    elif kinds[name] != "POSITIONAL_ONLY":
        yield _by_keyword(rows, [name])
        if "VAR_KEYWORD" in kinds.values():
            new = [row[0] for row in after["parameters"] if row[2] is None and not row[1].startswith("VAR_")]
            yield _by_keyword(rows, [name, *(one for one in new if kinds.get(one) != "POSITIONAL_ONLY")])
    if kinds[name] in POSITIONAL:
        yield from (call for call in every_call(rows) if name in call.args)
    if kinds[name] == "POSITIONAL_ONLY" and "VAR_KEYWORD" in kinds.values():
        yield from every_call(rows, name)


def _by_keyword(rows: list[list[Any]], names: list[str]) -> Call:
    """Some parameters and the required ones, all by keyword that can be, these first."""
    slots = [row[0] for row in rows if row[1] == "POSITIONAL_ONLY"]
    needed = [row[0] for row in rows if row[1] == "POSITIONAL_ONLY" and (row[2] is None or row[0] in names)]
    args = slots[: slots.index(needed[-1]) + 1] if needed else []
    behind = [row[0] for row in rows if row[2] is None and not row[1].startswith("VAR_")]
    return Call(args=args, kwargs={one: one for one in dict.fromkeys([*names, *behind]) if one not in args})


def _import(subject: Subject, old: Surface, new: Surface) -> Witness | None:
    path = subject.symbol
    module, name, rest = old.locate(path)
    lost = _lost_module(path if subject.kind == "module" else module, new)
    becomes = RAISES
    if lost and not rest:
        shown = f"import {path}" if subject.kind == "module" else f"from {module} import {name}"
        error = f"ModuleNotFoundError: No module named '{lost}'"
    elif rest:
        shown, error = path, f"AttributeError: no attribute '{rest}'"
        outside = subject.words.get("outside")
        if outside:
            error, becomes = f"{error}, unless {outside} brings it", MAY_RAISE
    else:
        shown = f"from {module} import {name}"
        error = f"ImportError: cannot import name '{name}' from '{module}'"
    if not _there(old, path) or _there(new, path):
        return None
    return Witness(
        text=shown, before="works", after=error, effect=becomes, run={"kind": "import", "path": path}
    )


def _lost_module(path: str, new: Surface) -> str | None:
    """The first part of a module's path that is no module any more."""
    parts = path.split(".")
    paths = [".".join(parts[:end]) for end in range(1, len(parts) + 1)]
    return next((one for one in paths if one not in new.modules), None) if path not in new.modules else None


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
        effect=DIFFERS,
        run={"kind": "origin", "path": subject.symbol},
    )


def _kind(subject: Subject, old: Surface, _new: Surface) -> Witness | None:
    """What callers do with the old kind, on the new one."""
    path = subject.symbol
    kinds = (subject.words["old"], subject.words["new"])
    callee = _callee(subject, old)
    if callee and kinds[1] in CALLED_AS:
        error = CALLED_AS[kinds[1]].format(_type_of(subject))
        call = required(callee["parameters"])
        return Witness(
            text=call.text(path),
            before="binds",
            after=f"TypeError: {error}",
            effect=RAISES,
            run={"kind": "call", "path": path, "args": call.args, "kwargs": call.kwargs},
        )
    if subject.call:
        calls = [required(subject.call[0]["parameters"]), *every_call(subject.call[0]["parameters"])]
        found = _choose(subject, calls, [(RAISES, True), (RAISES, False)])
        if found or kinds != ("function", "class"):
            return found
    if kinds not in ASKED:
        kinds = ("base", "other") if "base" in subject.words else ("any", kinds[1])
    ask, before, after = ASKED[kinds]
    text = ask.format(path=path, base=subject.words.get("base", ""))
    becomes = RAISES if "Error" in after else DIFFERS
    run = {"kind": "ask", "path": path, "ask": ask.partition("(")[0], "base": subject.words.get("base", "")}
    return Witness(text=text, before=before, after=after, effect=becomes, run=run)


CALLED_AS = {"constant": "'{}' object is not callable", "module": "'module' object is not callable"}
ASKED = {
    ("function", "class"): ("inspect.isclass({path})", "False", "True"),
    ("class", "function"): (
        "isinstance(0, {path})",
        "False",
        "TypeError: isinstance() arg 2 must be a type, a tuple of types, or a union",
    ),
    ("enum", "class"): ("list({path})", "its members", "TypeError: 'type' object is not iterable"),
    ("class", "enum"): ("inspect.isclass({path}) and issubclass({path}, enum.Enum)", "False", "True"),
    ("method", "property"): ("callable({path})", "True", "False"),
    ("property", "method"): ("callable({path})", "False", "True"),
    ("base", "other"): ("issubclass({path}, {base})", "True", "False"),
    ("any", "constant"): (
        "isinstance(0, {path})",
        "False",
        "TypeError: isinstance() arg 2 must be a type, a tuple of types, or a union",
    ),
    ("any", "module"): ("callable({path})", "True", "False"),
    ("any", "functools.partial"): ("inspect.isfunction({path})", "True", "False"),
}
"""What is asked of a name that was one kind and is another, and the answers before and after."""


def _callee(subject: Subject, old: Surface) -> Entry | None:
    """The function that a call of the old name fills, where a call is what the kind was for."""
    qualname = subject.qualnames[0]
    made = old.constructor(qualname) if old.cls(qualname) and old.enum(qualname) is None else None
    entry = old.function(made or qualname)
    return {**entry, "parameters": parameters_of(entry, made or qualname)} if entry else None


def _type_of(subject: Subject) -> str:
    try:
        return type(ast.literal_eval(subject.new.text if subject.new else "")).__name__
    except (ValueError, SyntaxError):
        return "module"


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
        effect=MAY_RAISE,
        run={"kind": "package", "path": path, "packages": more},
    )


def _returns(subject: Subject, _old: Surface, _new: Surface) -> Witness | None:
    return Witness(
        text=f"inspect.signature({subject.symbol}).return_annotation",
        before=subject.words["old"],
        after=subject.words["new"],
        effect=DIFFERS,
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
        effect=RAISES,
        run={"kind": "member", "path": subject.symbol, "name": subject.name},
    )


def _value(subject: Subject, old: Surface, _new: Surface) -> Witness | None:
    """What an integer, written down for the older release, stands for; or what a member is written as."""
    assert subject.call
    before, after = subject.call
    value = before.get(subject.name, after.get(subject.name))
    if value is None and old.enum(subject.qualnames[0]) is not None:
        return Witness(
            text=f"{subject.symbol}.{subject.name}.value",
            before=f"made of {subject.words['old']}",
            after=f"made of {subject.words['new']}",
            effect=DIFFERS,
            run={"kind": "member", "path": subject.symbol, "name": subject.name},
        )
    names = [next((name for name, one in side.items() if one == value), None) for side in (before, after)]
    if names[0] is None or names[0] == names[1]:
        return None
    if names[1] is None and None in after.values():
        return None  # a member whose value is not known may have it
    return Witness(
        text=f"{subject.symbol}({value!r})",
        before=names[0],
        after=names[1] or f"ValueError: {value!r} is not a valid {subject.symbol.rpartition('.')[2]}",
        effect=DIFFERS if names[1] else RAISES,
        run={"kind": "value", "path": subject.symbol, "value": value, "names": names},
    )


BY_CALL = {"given", "keyword", "positional", "omit"}
"""Those that are a call of a function on both sides."""
WITNESSES = {
    "import": _import,
    "origin": _origin,
    "kind": _kind,
    "package": _package,
    "given": _given,
    "keyword": _given,
    "positional": _positional,
    "omit": _omit,
    "default": _default,
    "returns": _returns,
    "member": _member,
    "value": _value,
}
"""Ways to show a finding; a break class names one, or none."""
