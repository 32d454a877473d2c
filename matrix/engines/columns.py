"""Every release of an engine on one FlashInfer release, judged once and kept."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from packaging.version import InvalidVersion, Version

from matrix.engines.fingerprint import judging
from matrix.engines.judge import Judge
from matrix.engines.provider import Provider
from matrix.engines.verdict import CallVerdict, Judgement
from matrix.processes import cores, processes, spread
from matrix.releases.store import Store
from matrix.surface.library import Library
from matrix.surface.version import READER

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matrix.engines.config import Engine
    from matrix.engines.release import EngineRelease
    from matrix.engines.uses import Use

SAFE, GUARDED, AT_CALL, AT_IMPORT = "safe", "guarded", "call", "import"
_ON_A_BRANCH = {
    CallVerdict.BOUND,
    CallVerdict.BROKEN_IMPORT,
    CallVerdict.BROKEN_CALL,
    CallVerdict.SHIFTED,
}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One engine release on one FlashInfer release, before the releases are put side by side."""

    status: str
    counts: dict[str, int]
    breaks: list[dict[str, Any]]
    doubts: list[dict[str, Any]]
    unsettled: int
    branches: int


def columns(
    engine: Engine, releases: Sequence[EngineRelease], names: Sequence[str], library: Library, pins: set[str]
) -> dict[str, list[Answer]]:
    """What each FlashInfer release makes of each engine release, in the order of those.

    Args:
        engine: its rules.
        releases: releases of the engine.
        names: FlashInfer releases; also paths of a wheel or a checkout, which are never kept.
        library: reads and keeps surfaces.
        pins: the releases among the engine's pins that can be read.
    """
    found: dict[str, list[Answer]] = {}
    for name in names:
        kept = library.store.read("engine-columns", _key(engine, releases, name, library))
        if kept is not None:
            found[name] = [Answer(**answer) for answer in json.loads(kept)]
    missing = [name for name in names if name not in found]
    for name, column in zip(missing, _judged(engine, releases, missing, library, pins), strict=True):
        found[name] = column
        if not is_path(name):
            data = json.dumps([vars(answer) for answer in column], separators=(",", ":")).encode()
            library.store.write("engine-columns", _key(engine, releases, name, library), data)
    return found


def _key(engine: Engine, releases: Sequence[EngineRelease], name: str, library: Library) -> str:
    about = "\n".join([library.project, name, *(release.release for release in releases)])
    return f"{judging()}{READER}/{engine.name}/{sha256(about.encode()).hexdigest()[:32]}.json"


def _judged(
    engine: Engine, releases: Sequence[EngineRelease], names: list[str], library: Library, pins: set[str]
) -> list[list[Answer]]:
    if len(names) < 4 or cores() < 2:
        _prepare(engine, releases, library, pins)
        return [_column(name) for name in names]
    given = (engine, releases, library.project, library.store.folder, pins)
    with processes(initializer=_start, initargs=given) as pool:
        return list(spread(pool, _column, names, 2))


class _Here:
    """What a process that judges columns holds."""

    engine: Engine
    releases: Sequence[EngineRelease]
    library: Library
    shapes: list[list[int]]
    providers: dict[str, Provider]
    pins: set[str]


def _start(
    engine: Engine, releases: Sequence[EngineRelease], project: str, folder: Path, pins: set[str]
) -> None:
    _prepare(engine, releases, Library(store=Store(folder), project=project), pins)


def _prepare(engine: Engine, releases: Sequence[EngineRelease], library: Library, pins: set[str]) -> None:
    _Here.engine, _Here.releases, _Here.library, _Here.pins = engine, releases, library, pins
    _Here.providers = {}
    numbers: dict[Use, int] = {}
    _Here.shapes = [
        [numbers.setdefault(_shape(use), len(numbers)) for use in release.uses] for release in releases
    ]


def _provider(name: str) -> Provider:
    if name not in _Here.providers:
        _Here.providers[name] = Provider(name, _Here.library, _Here.engine.decorators)
    return _Here.providers[name]


def _column(name: str) -> list[Answer]:
    """All engine releases on one FlashInfer release."""
    provider = _provider(name)
    known: dict[Any, Judgement | None] = {}
    answers = []
    for release, shapes in zip(_Here.releases, _Here.shapes, strict=True):
        pin = release.pins.exact
        reference = _provider(pin) if pin in _Here.pins else None
        judge = Judge(provider, _Here.engine, reference, release.probes)
        asked = tuple(judge.excuses.failing.items())
        judged = []
        for use, shaped in zip(release.uses, shapes, strict=True):
            key = (shaped, pin, asked)
            if key not in known:
                known[key] = judge.judge(use)
            judgement = known[key]
            if judgement is not None:
                judged.append((use, judgement))
        answers.append(_answer(judged))
        if reference is not None:
            reference.sources.save()
    provider.sources.save()
    return answers


def _shape(use: Use) -> Use:
    """A use without its place: two of the same shape get the same verdict."""
    return replace(
        use,
        file="",
        line=0,
        scope="f" if use.scope else "",
        origin=0,
        under="",
        references=use.references if use.member and use.used else use.references[:1],
    )


def _answer(judged: list[tuple[Use, Judgement]]) -> Answer:
    counts: dict[str, int] = {}
    breaks, doubts = [], []
    status = SAFE
    for use, judgement in judged:
        counts[judgement.verdict.value] = counts.get(judgement.verdict.value, 0) + 1
        if judgement.alarming:
            fatal = judgement.verdict is CallVerdict.BROKEN_IMPORT and use.level == "module"
            status = AT_IMPORT if fatal or status == AT_IMPORT else AT_CALL
            breaks.append(_told(use, judgement))
        elif judgement.verdict is CallVerdict.NOT_CHECKABLE and judgement.cls:
            doubts.append(_told(use, judgement))
        elif judgement.verdict is CallVerdict.GUARDED and status == SAFE:
            status = GUARDED
    return Answer(
        status=status,
        counts=counts,
        breaks=breaks,
        doubts=doubts,
        unsettled=sum(judgement.unsettled for _, judgement in judged),
        branches=sum(
            bool(use.doubt) and judgement.verdict in _ON_A_BRANCH and not judgement.unsettled
            for use, judgement in judged
        ),
    )


def _told(use: Use, judgement: Judgement) -> dict[str, Any]:
    return {
        "file": use.file,
        "line": use.line,
        "symbol": use.symbol,
        "kind": use.kind,
        "verdict": judgement.verdict.value,
        "class": judgement.cls,
        "name": judgement.name,
        "reason": judgement.reason,
        "there": judgement.there,
    }


def is_path(name: str) -> bool:
    """Whether a release is named by where it lies."""
    try:
        Version(name)
    except InvalidVersion:
        return True
    return False
