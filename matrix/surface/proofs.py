"""Ways to show a finding: the witness that each break class names, proved before the finding is given."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from matrix.surface.calls import DIFFERS, RAISES, every_call, required
from matrix.surface.signatures import parameters_of
from matrix.surface.witness import MAY_RAISE, Witness, choose, default, given, omit, positional

if TYPE_CHECKING:
    from matrix.surface.model import Entry, Surface
    from matrix.surface.subjects import Subject

__all__ = ["BY_CALL", "WITNESSES", "prove"]


def prove(kind: str, subject: Subject, old: Surface, new: Surface) -> Witness | None:
    """The witness of a subject, run through both surfaces; nothing where it shows no difference."""
    return WITNESSES[kind](subject, old, new)


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
    return bool(entry) and path.rpartition(".")[2] in {*entry["methods"], *entry["attributes"]}  # type: ignore[index]  # not None: bool() came first


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
        found = choose(subject, calls, [(RAISES, True), (RAISES, False)])
        if found or kinds != ("function", "class"):
            return found
    if kinds not in ASKED:
        kinds = ("base", "other") if "base" in subject.words else ("class", kinds[1])
    ask, before, after = ASKED[kinds]
    text = ask.format(path=path, base=subject.words.get("base", ""))
    becomes = RAISES if "Error" in after else DIFFERS
    run = {"kind": "ask", "path": path, "ask": ask, "base": subject.words.get("base", "")}
    return Witness(text=text, before=before, after=after, effect=becomes, run=run)


CALLED_AS = {"constant": "'{}' object is not callable", "module": "'module' object is not callable"}
NO_TYPE = (
    "isinstance(0, {path})",
    "False",
    "TypeError: isinstance() arg 2 must be a type, a tuple of types, or a union",
)
ASKED = {
    ("function", "class"): ("inspect.isclass({path})", "False", "True"),
    ("function", "functools.partial"): ("inspect.isfunction({path})", "True", "False"),
    ("class", "function"): NO_TYPE,
    ("class", "constant"): NO_TYPE,
    ("class", "module"): NO_TYPE,
    ("class", "functools.partial"): NO_TYPE,
    ("class", "enum"): ("isinstance({path}, enum.EnumMeta)", "False", "True"),
    ("enum", "class"): ("list({path})", "its members", "TypeError: 'type' object is not iterable"),
    ("method", "property"): ("callable({path})", "True", "False"),
    ("property", "method"): ("callable({path})", "False", "True"),
    ("base", "other"): ("issubclass({path}, {base})", "True", "False"),
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
    "given": given,
    "keyword": given,
    "positional": positional,
    "omit": omit,
    "default": default,
    "returns": _returns,
    "member": _member,
    "value": _value,
}
"""Ways to show a finding; a break class names one, or none."""
