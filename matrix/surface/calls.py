"""Calls of a function: which ones its parameters take, where each value lands, and what a change does to them."""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from matrix.surface.signatures import POSITIONAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from matrix.surface.model import Entry

__all__ = [
    "DIFFERS",
    "RAISES",
    "SWALLOWED",
    "Call",
    "bind",
    "effect",
    "every_call",
    "land",
    "required",
    "signature",
]

RAISES, DIFFERS, SWALLOWED = "raises", "differs", "swallowed"
"""What a call that bound before does after, worst first: it raises; a value lands on another parameter; `*args` or
`**kwargs` takes a value that had a parameter of its own."""
AGAIN = "_again"
"""Behind a keyword's value where a positional-only parameter of the same name has one too."""
Landing = dict[str, str]
Rows = list[list[Any]]


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
    """A real signature from a surface's entry; defaults are their text."""
    return inspect.Signature([_parameter(*row) for row in entry["parameters"]])


@functools.cache
def _parameter(name: str, kind: str, default: str | None) -> inspect.Parameter:
    given = inspect.Parameter.empty if default is None else default
    return inspect.Parameter(name, getattr(inspect.Parameter, kind), default=given)


def bind(shape: inspect.Signature, call: Call) -> Landing | str:
    """Where a call's arguments go: argument to parameter name, with its stars; or why it does not bind."""
    try:
        bound = shape.bind(*call.args, **call.kwargs)
    except TypeError as error:
        rows = [
            [one.name, one.kind.name, None if one.default is one.empty else ""]
            for one in shape.parameters.values()
        ]
        return _missing(rows, call) if "missing" in str(error) else f"TypeError: {error}"
    landed: Landing = {}
    for name, value in bound.arguments.items():
        kind = bound.signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_KEYWORD:
            landed |= dict.fromkeys(value.values(), f"**{name}")
        elif kind is inspect.Parameter.VAR_POSITIONAL:
            landed |= dict.fromkeys(value, f"*{name}")
        else:
            landed[value] = name
    return landed


def land(rows: Rows, call: Call) -> Landing | str:
    """What `bind` says, without the signature that it takes: for the many calls that are tried."""
    landed: Landing = {}
    left = dict(call.kwargs)
    given = len(call.args)
    place = 0
    rest = None
    for name, kind, default in rows:
        if kind in POSITIONAL:
            keyed = kind != "POSITIONAL_ONLY" and name in left
            if place < given:
                if keyed:
                    return f"TypeError: multiple values for argument '{name}'"
                landed[call.args[place]] = name
            elif keyed:
                landed[left.pop(name)] = name
            elif default is None:
                return _missing(rows, call)
            place += 1
        elif kind == "VAR_POSITIONAL":
            landed |= dict.fromkeys(call.args[place:], f"*{name}")
            place = max(place, given)
        elif kind == "KEYWORD_ONLY":
            if name in left:
                landed[left.pop(name)] = name
            elif default is None:
                return _missing(rows, call)
        else:
            rest = name
    if place < given:
        return "TypeError: too many positional arguments"
    if left and rest is None:
        return f"TypeError: got an unexpected keyword argument '{next(iter(left))}'"
    return landed | dict.fromkeys(left.values(), f"**{rest}")


def _missing(rows: Rows, call: Call) -> str:
    """The error that names everything that must be given; Python's own binding stops at the first."""
    filled = {row[0] for row in [row for row in rows if row[1] in POSITIONAL][: len(call.args)]}
    lacking = [
        f"'{name}'"
        for name, kind, default in rows
        if default is None
        and not kind.startswith("VAR_")
        and name not in filled
        and (name not in call.kwargs or kind == "POSITIONAL_ONLY")
    ]
    many = f"{len(lacking)} required arguments" if len(lacking) > 1 else "a required argument"
    return f"TypeError: missing {many}: {', '.join(lacking)}"


def effect(was: Landing, now: Landing | str, rows: tuple[Rows, Rows], about: str | None = None) -> str | None:
    """What becomes of a call, nothing where it goes on as before.

    A parameter that took the place of one that is gone gets its values as a matter of course.

    Args:
        was: where the values went.
        now: where they go, or why it does not bind.
        rows: both functions' parameters.
        about: only the value that was for this parameter, or that now lands on it.
    """
    if isinstance(now, str):
        return RAISES
    names = [{row[0] for row in side} for side in rows]
    worst = None
    for given, name in was.items():
        there = now[given]
        if there == name or (about and about not in (given, name, there)):
            continue
        if name.startswith("*"):
            if not there.startswith("*") and not (
                name.startswith("**") and there == given.removesuffix(AGAIN)
            ):
                return DIFFERS
        elif there.startswith("*"):
            worst = SWALLOWED
        elif name in names[1] or there in names[0]:
            return DIFFERS
    return worst


def required(rows: Rows, extra: Iterable[str] = ()) -> Call:
    """A call with what must be given, by position where it can be, and some keywords."""
    args = [name for name, kind, default in rows if kind in POSITIONAL and default is None]
    names = [name for name, kind, default in rows if kind == "KEYWORD_ONLY" and default is None]
    return Call(args=args, kwargs={name: name for name in [*extra, *names]})


def every_call(rows: Rows, keyword: str | None = None, least: int = 0) -> Iterator[Call]:
    """Calls that bind: each number of positional values from `least` on, what else is required by keyword, one more.

    What a change does to any call it does to one of these already: keywords that may be left out change nothing for
    the others.
    """
    slots = [(name, kind, default) for name, kind, default in rows if kind in POSITIONAL]
    kinds = {row[1] for row in rows}
    must = [name for name, kind, default in rows if kind == "KEYWORD_ONLY" and default is None]
    only = [
        place
        for place, (_, kind, default) in enumerate(slots)
        if kind == "POSITIONAL_ONLY" and default is None
    ]
    names = [name for name, _, _ in slots]
    for count in range(max(least, max(only, default=-1) + 1), len(slots) + 1 + ("VAR_POSITIONAL" in kinds)):
        args = [*names[:count], *(["one_more"] if count > len(slots) else [])]
        behind = [name for name, _, default in slots[count:] if default is None]
        first = [] if keyword is None else [keyword]
        call = Call(
            args=args,
            kwargs={
                name: name + AGAIN if name in args else name
                for name in dict.fromkeys([*first, *behind, *must])
            },
        )
        if keyword is None or not isinstance(land(rows, call), str):
            yield call


def only_appends(rows: tuple[Rows, Rows]) -> bool:
    """Whether every parameter of the first function keeps its place, so that no call can go astray unnamed."""
    slots = [[row[:2] for row in side if row[1] in POSITIONAL] for side in rows]
    return slots[1][: len(slots[0])] == slots[0] and not any(row[1].startswith("VAR_") for row in rows[0])


def risky_calls(rows: tuple[Rows, Rows]) -> Iterator[Call]:
    """`every_call`, without a further keyword and with each one that positional values may now meet."""
    yield from every_call(rows[0])
    before = {name: (place, kind) for place, (name, kind, _) in enumerate(rows[0])}
    for place, (name, kind, _) in enumerate(rows[1]):
        was, held = before.get(name, (len(rows[0]), kind))
        if was > place or held != kind:
            yield from every_call(rows[0], name)
