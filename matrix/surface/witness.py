"""Witnesses: a call, import or value that worked on the older release and fails or differs on the newer one.

Every witness is run through both surfaces before a finding is given, so that a finding which cannot be shown is
none; and what it does there is what the finding's severity follows.
"""

from __future__ import annotations

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
from matrix.surface.signatures import POSITIONAL, default_value, is_static

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from matrix.surface.calls import Landing
    from matrix.surface.model import Entry, Surface
    from matrix.surface.subjects import Subject

__all__ = [
    "MAY_RAISE",
    "Witness",
    "choose",
    "default",
    "given",
    "omit",
    "positional",
    "prove_call",
]

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


def choose(subject: Subject, calls: Iterable[Call], order: Sequence[tuple[str, bool]]) -> Witness | None:
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


def given(subject: Subject, _old: Surface, _new: Surface) -> Witness | None:
    """Passing the parameter, by keyword or by position, whichever shows the difference."""
    assert subject.call
    return choose(subject, _passing(subject.name, *subject.call), GIVEN)


def positional(subject: Subject, _old: Surface, _new: Surface) -> Witness | None:
    """Everything by position, up to the first parameter that then goes elsewhere."""
    assert subject.call
    places = [[row[0] for row in entry["parameters"] if row[1] in POSITIONAL] for entry in subject.call]
    least = min(names.index(subject.name) for names in places if subject.name in names) + 1
    return choose(subject, every_call(subject.call[0]["parameters"], least=least), PLACED)


def omit(subject: Subject, _old: Surface, _new: Surface) -> Witness | None:
    """What was enough before, by keyword where it can be."""
    assert subject.call
    rows = subject.call[0]["parameters"]
    return choose(subject, itertools.chain([_by_keyword(rows, [])], every_call(rows)), OMITTED)


def default(subject: Subject, _old: Surface, _new: Surface) -> Witness | None:
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
