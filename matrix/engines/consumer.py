"""One engine, or any other package, against one FlashInfer release: what breaks, what is at risk, what is new."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from matrix.engines.judge import Judge
from matrix.engines.provider import Provider
from matrix.engines.since import Since
from matrix.engines.verdict import CallVerdict, Judgement

if TYPE_CHECKING:
    from collections.abc import Callable

    from matrix.engines.config import Engine
    from matrix.engines.found import Found
    from matrix.engines.release import EngineRelease
    from matrix.engines.uses import Use
    from matrix.surface.library import Library

SCHEMA = 1
_NAMED = 4


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One use with its verdict.

    Attributes:
        use: what the engine does.
        judgement: what the release makes of it.
        since: the release from which it is so, the one from which the missing thing exists, or that no release
            read has it; empty where that was not looked for.
        known: why a baseline lets it pass; empty where none does.
    """

    use: Use
    judgement: Judgement
    since: str = ""
    known: str = ""

    @property
    def breaks(self) -> bool:
        """Whether it is a break that nothing excuses."""
        return self.judgement.alarming and not self.known

    def to_json(self) -> dict[str, Any]:
        """As `check-consumer --json` prints it."""
        use, judgement = self.use, self.judgement
        return {
            "file": use.file,
            "line": use.line,
            "scope": use.scope,
            "symbol": use.symbol,
            "kind": use.kind,
            "form": use.form,
            "level": use.level,
            "verdict": judgement.verdict.value,
            "class": judgement.cls,
            "name": judgement.name,
            "reason": judgement.reason,
            "guard": judgement.guard,
            "since": self.since,
            "there": judgement.there,
            "needs": list(judgement.needs),
            "breaks": judgement.alarming,
            "known": self.known,
        }


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


@dataclass(frozen=True, kw_only=True)
class Report:
    """The answer of `check-consumer`."""

    release: EngineRelease
    flashinfer: str
    uses: list[Judged]
    risks: list[Note] = field(default_factory=list)
    new: list[Note] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    @property
    def broken(self) -> list[Judged]:
        """What breaks, apart from what a baseline excuses."""
        return [one for one in self.uses if one.breaks]

    @property
    def counts(self) -> dict[str, int]:
        """Uses by verdict."""
        found = {verdict.value: 0 for verdict in CallVerdict}
        for one in self.uses:
            found[one.judgement.verdict.value] += 1
        return found

    @property
    def unclear(self) -> tuple[int, int]:
        """How many calls could not be checked, of how many.

        A call that binds counts as well where, had it not bound, the source would not have told a break.
        """
        calls = [one for one in self.uses if one.use.kind == "call"]
        unclear = [
            one
            for one in calls
            if one.judgement.verdict is CallVerdict.NOT_CHECKABLE or one.judgement.unsettled
        ]
        return len(unclear), len(calls)

    @property
    def branches(self) -> int:
        """How many further calls were judged only for the branch on which their name is FlashInfer's."""
        return sum(
            bool(one.use.doubt)
            and one.judgement.verdict is not CallVerdict.NOT_CHECKABLE
            and not one.judgement.unsettled
            for one in self.uses
            if one.use.kind == "call"
        )

    def to_json(self) -> dict[str, Any]:
        """The document of `check-consumer --json`, and a block of the main report."""
        unclear, calls = self.unclear
        return {
            "schema": SCHEMA,
            "engine": self.release.engine,
            "engine_release": self.release.release,
            "flashinfer": self.flashinfer,
            "pin": self.release.pins.specifier or self.release.pins.exact,
            "files": self.release.files,
            "summary": {
                "verdicts": self.counts,
                "breaks": len(self.broken),
                "known": sum(bool(one.known) for one in self.uses),
                "calls": calls,
                "not_checkable_calls": unclear,
                "one_branch_calls": self.branches,
            },
            "uses": [one.to_json() for one in self.uses],
            "at_risk": [note.to_json() for note in self.risks],
            "new": [note.to_json() for note in self.new],
            "problems": [{"file": file, "reason": why} for file, why in self.release.problems],
            "notices": self.notices,
        }


def check(
    engine: Engine, release: EngineRelease, against: str, library: Library, *, history: bool = False
) -> Report:
    """Judge every use of an engine release on one FlashInfer release.

    Args:
        engine: its rules.
        release: what it asks of FlashInfer.
        against: a version, or the path of a wheel or checkout.
        library: reads and keeps surfaces.
        history: whether to read further releases to say since when something breaks; else only those are used
            that are kept already.
    """
    pin = release.pins.exact
    notices = []
    known = set(library.published()) if pin else set()
    if not pin:
        notices.append("The engine pins no FlashInfer: what shifts by position or default cannot be seen.")
    elif pin not in known:
        notices.append(f"The pinned FlashInfer {pin} is not on the index: shifts cannot be seen.")
    names = [against, *([pin] if pin in known else [])]
    library.many(list(dict.fromkeys(names)))
    provider = Provider(against, library, engine.decorators)
    reference = Provider(pin, library, engine.decorators) if pin in known else None
    judged = Judge(provider, engine, reference, release.probes).all(release)
    risks, new = (
        (_risks(judged, provider, reference), _new(judged, provider, reference)) if reference else ([], [])
    )
    since = Since(engine, library, against, provider, reference=reference, history=history)
    uses = [Judged(use=use, judgement=judgement, since=since.of(use, judgement)) for use, judgement in judged]
    if since.inexact:
        notices.append(
            f"Releases between were not read, so that for {since.inexact} uses the one that brought it is not "
            "known: --history reads them."
        )
    for place in (provider, reference):
        if place is not None:
            place.sources.save()
    return Report(
        release=release, flashinfer=provider.release, uses=uses, risks=risks, new=new, notices=notices
    )


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


def _risks(judged: list[tuple[Use, Judgement]], provider: Provider, reference: Provider) -> list[Note]:
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


def _new(judged: list[tuple[Use, Judgement]], provider: Provider, reference: Provider) -> list[Note]:
    """Parameters and enum members that came with the release and that the engine does not use."""
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


def excuse(report: Report, reason: Callable[[Judged], str]) -> Report:
    """The report with what a baseline knows marked."""
    return replace(
        report,
        uses=[replace(one, known=reason(one) if one.judgement.alarming else "") for one in report.uses],
    )
