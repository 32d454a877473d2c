"""One engine, or any other package, against one FlashInfer release: what breaks, what is at risk, what is new."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from packaging.version import InvalidVersion, Version

from matrix.engines import risks
from matrix.engines.judge import Judge
from matrix.engines.provider import Provider
from matrix.engines.since import Since
from matrix.engines.verdict import CallVerdict, Judgement

if TYPE_CHECKING:
    from collections.abc import Callable

    from matrix.engines.config import Engine
    from matrix.engines.release import EngineRelease
    from matrix.engines.risks import Note
    from matrix.engines.uses import Use
    from matrix.surface.library import Library

SCHEMA = 1


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
    notices += _refusals(release, against)
    names = [against, *([pin] if pin in known else [])]
    library.many(list(dict.fromkeys(names)))
    provider = Provider(against, library, engine.decorators)
    reference = Provider(pin, library, engine.decorators) if pin in known else None
    judged = Judge(provider, engine, reference, release.probes).all(release)
    at_risk, new = (
        (risks.risks(judged, provider, reference), risks.new(judged, provider, reference))
        if reference
        else ([], [])
    )
    since = Since(engine, library, provider, reference=reference, history=history)
    uses = [Judged(use=use, judgement=judgement, since=since.of(use, judgement)) for use, judgement in judged]
    since.save()
    if since.inexact:
        notices.append(
            f"Releases between were not read, so that for {since.inexact} uses the one that brought it is not "
            "known: --history reads them."
        )
    for place in (provider, reference):
        if place is not None:
            place.sources.save()
    return Report(
        release=release, flashinfer=provider.release, uses=uses, risks=at_risk, new=new, notices=notices
    )


def _refusals(release: EngineRelease, against: str) -> list[str]:
    """What the engine's own code demands of the release where it runs, and the release in question is not."""
    try:
        version = Version(against)
    except InvalidVersion:
        return []
    return [
        f"{release.engine} itself refuses FlashInfer below {demanded} where {file}:{line} runs."
        for demanded, file, line in release.pins.checks
        if version < Version(demanded)
    ]


def excuse(report: Report, reason: Callable[[Judged], str]) -> Report:
    """The report with what a baseline knows marked."""
    return replace(
        report,
        uses=[replace(one, known=reason(one) if one.judgement.alarming else "") for one in report.uses],
    )
