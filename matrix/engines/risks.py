"""What a change of releases leaves working but at risk, and what is new and unused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matrix.engines.verdict import CallVerdict

if TYPE_CHECKING:
    from matrix.engines.found import Found
    from matrix.engines.provider import Provider
    from matrix.engines.uses import Use
    from matrix.engines.verdict import Judgement

_NAMED = 4


@dataclass(frozen=True, kw_only=True)
class Note:
    """Something that does not break: a risk, or something new.

    Attributes:
        symbol: what it is about.
        name: the parameter or member.
        text: one sentence.
        where: the uses that it concerns, `file:line`.
    """

    symbol: str
    name: str
    text: str
    where: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As `check-consumer --json` prints it."""
        return {"symbol": self.symbol, "name": self.name, "text": self.text, "where": list(self.where)}


def risks(judged: list[tuple[Use, Judgement]], provider: Provider, reference: Provider) -> list[Note]:
    """What holds by luck: moved parameters, changed defaults and enum values, packages needed since.

    Args:
        judged: uses of an engine with their verdicts on the release.
        provider: the release in question.
        reference: the release that the engine was written for.
    """
    notes: list[Note] = []
    for symbol, uses in _grouped(judged, provider, reference).items():
        new, old = provider.find(symbol), reference.find(symbol)
        if new is not None and old is not None:
            notes += _moved(symbol, uses, new, old, reference) + _defaults(symbol, uses, new, old, reference)
    for use, judgement in judged:
        before = reference.find(use.symbol)
        fresh = sorted(set(judgement.needs) - set(before.needs if before else judgement.needs))
        if fresh and use.kind != "call":
            text = f"exists only where {', '.join(fresh)} is installed, unlike in {reference.release}"
            notes.append(Note(symbol=use.symbol, name="", text=text, where=_places([use])))
        if judgement.verdict is CallVerdict.SHIFTED and not judgement.alarming:
            notes.append(
                Note(symbol=use.symbol, name=judgement.name, text=judgement.reason, where=_places([use]))
            )
    return notes


def new(judged: list[tuple[Use, Judgement]], provider: Provider, reference: Provider) -> list[Note]:
    """Parameters and enum members that came with the release and that the engine does not use; see `risks`."""
    notes: list[Note] = []
    for symbol, uses in _grouped(judged, provider, reference).items():
        new, old = provider.find(symbol), reference.find(symbol)
        had = {name for name, _, _ in (old.parameters if old else None) or ()}
        passed = {key for use in uses if use.arguments for key, _ in use.arguments.keywords}
        fresh = [name for name, _, _ in (new.parameters if new else None) or () if name not in had | passed]
        if fresh:
            notes.append(
                Note(
                    symbol=symbol,
                    name=fresh[0],
                    text=f"new parameters: {', '.join(fresh)}",
                    where=_places(uses),
                )
            )
    notes += _members([use.symbol for use, _ in judged if "()" not in use.symbol], provider, reference)
    return sorted(notes, key=lambda note: note.symbol)


def _places(uses: list[Use]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f"{use.file}:{use.line}" for use in uses))


def _grouped(
    judged: list[tuple[Use, Judgement]], provider: Provider, reference: Provider
) -> dict[str, list[Use]]:
    """Calls that bind, by symbol, where both releases show a signature."""
    groups: dict[str, list[Use]] = {}
    for use, judgement in judged:
        if use.kind == "call" and judgement.verdict is CallVerdict.BOUND:
            both = (provider.find(use.symbol), reference.find(use.symbol))
            if all(found is not None and found.parameters is not None for found in both):
                groups.setdefault(use.symbol, []).append(use)
    return groups


def _moved(symbol: str, uses: list[Use], new: Found, old: Found, reference: Provider) -> list[Note]:
    """Parameters that moved, where only passing them by keyword keeps the call right."""
    after = [name for name, kind, _ in new.parameters or () if kind == "POSITIONAL_OR_KEYWORD"]
    before = [name for name, kind, _ in old.parameters or () if kind == "POSITIONAL_OR_KEYWORD"]
    moved = [name for name in before if name in after and after.index(name) != before.index(name)]
    relying = [
        use for use in uses if use.arguments and any(key in moved for key, _ in use.arguments.keywords)
    ]
    if not relying:
        return []
    text = (
        f"safe only because passed by keyword: {_cause(moved[0], before, after)}"
        f"{f'; so did {_named(moved[1:])}' if moved[1:] else ''} (against {reference.release})"
    )
    return [Note(symbol=symbol, name=moved[0], text=text, where=_places(relying))]


def _cause(name: str, before: list[str], after: list[str]) -> str:
    """How a parameter came to another place."""
    ahead, now = set(before[: before.index(name)]), after[: after.index(name)]
    came = [other for other in now if other not in ahead]
    left = [other for other in before[: before.index(name)] if other not in now]
    parts = [f"{_named(came)} came in before it"] if came else []
    parts += [f"{_named(left)} no longer stand{'s' if len(left) == 1 else ''} before it"] if left else []
    return f"{name} moved, as {' and '.join(parts)}" if parts else f"{name} moved"


def _named(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


def _defaults(symbol: str, uses: list[Use], new: Found, old: Found, reference: Provider) -> list[Note]:
    """Defaults that changed and that a call leaves to FlashInfer."""
    before = {name: default for name, _, default in old.parameters or ()}
    slots = [
        name for name, kind, _ in new.parameters or () if kind in {"POSITIONAL_OR_KEYWORD", "POSITIONAL_ONLY"}
    ]
    notes = []
    for name, _, default in new.parameters or ():
        if default is None or before.get(name) in {None, default}:
            continue
        relying = [
            use
            for use in uses
            if use.arguments
            and not use.arguments.unknown
            and name not in {key for key, _ in use.arguments.keywords}
            and name not in slots[: use.arguments.positional]
        ]
        if relying:
            text = f"relies on the default of {name}: {before[name]} in {reference.release}, {default} here"
            notes.append(Note(symbol=symbol, name=name, text=text, where=_places(relying)))
    return notes


def _members(symbols: list[str], provider: Provider, reference: Provider) -> list[Note]:
    notes = {}
    for symbol in symbols:
        new, old = provider.find(symbol), reference.find(symbol)
        if (
            new is not None
            and old is not None
            and new.kind == old.kind == "enum"
            and new.qualname not in notes
        ):
            fresh = [f"{name} = {value}" for name, value in new.members if name not in dict(old.members)]
            if fresh:
                notes[new.qualname] = Note(
                    symbol=symbol, name=fresh[0].partition(" ")[0], text=f"new members: {', '.join(fresh)}"
                )
    return list(notes.values())
