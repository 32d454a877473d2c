"""Which FlashInfer releases each release of an engine can live with."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.version import InvalidVersion, Version

from matrix.engines.judge import Judge
from matrix.engines.provider import Provider
from matrix.engines.release import cores, fingerprint, processes
from matrix.engines.verdict import CallVerdict, Judgement
from matrix.releases.store import Store
from matrix.surface.library import Library
from matrix.surface.version import READER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matrix.engines.config import Engine
    from matrix.engines.release import EngineRelease
    from matrix.engines.uses import Use

SAFE, GUARDED, AT_CALL, AT_IMPORT = "safe", "guarded", "call", "import"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One engine release on one FlashInfer release.

    Attributes:
        status: `safe`, `guarded` (something is missing but caught), `call` (a call breaks) or `import` (a module
            of the engine cannot be imported).
        counts: uses by verdict.
        alarms: numbers of the breaks in the row's list.
    """

    status: str
    counts: dict[str, int]
    alarms: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Row:
    """One engine release.

    Attributes:
        release: its version.
        pin: the FlashInfer release that it wants; empty where it does not say.
        cells: by FlashInfer release.
        breaks: every break in any cell: file, line, symbol, class, reason.
        works: a specifier to paste; empty where nothing works.
        oldest: the oldest release in it.
        newest: the newest release in it.
    """

    release: str
    pin: str
    cells: dict[str, Cell]
    breaks: list[dict[str, Any]] = field(default_factory=list)
    works: str = ""
    oldest: str = ""
    newest: str = ""

    @property
    def own(self) -> Cell | None:
        """The cell of the engine's own pin."""
        return self.cells.get(self.pin)


def beyond_pin(row: Row, name: str) -> set[int]:
    """The breaks of a cell that the engine's own pin does not have."""
    return set(row.cells[name].alarms) - (set(row.own.alarms) if row.own else set())


Answer = tuple[str, dict[str, int], list[dict[str, Any]]]


def build(
    engine: Engine, releases: Sequence[EngineRelease], flashinfer: Sequence[str], library: Library
) -> list[Row]:
    """The rows of the table: own-pin breaks first, then the newest engine release first.

    Args:
        engine: its rules.
        releases: releases of the engine.
        flashinfer: FlashInfer releases, oldest first; also paths of a wheel or a checkout.
        library: reads and keeps surfaces.
    """
    pins = {release.pins.exact for release in releases} - {""}
    known = set(library.published())
    library.many(list(dict.fromkeys((*flashinfer, *sorted(pins & known)))))
    columns: dict[str, list[Answer]] = {}
    missing = []
    for name in flashinfer:
        kept = library.store.read("engine-columns", _key(engine, releases, name, library))
        if kept is None:
            missing.append(name)
        else:
            columns[name] = [(status, counts, breaks) for status, counts, breaks in json.loads(kept)]
    for name, column in zip(missing, _columns(engine, releases, missing, library, pins & known), strict=True):
        columns[name] = column
        if not _is_path(name):
            data = json.dumps(column, separators=(",", ":")).encode()
            library.store.write("engine-columns", _key(engine, releases, name, library), data)
    rows = [
        _row(release, [(name, columns[name][number]) for name in flashinfer])
        for number, release in enumerate(releases)
    ]
    return sorted(rows, key=_urgency)


def _urgency(row: Row) -> tuple[bool, Any]:
    own = row.own
    broken = own is not None and own.status in {AT_IMPORT, AT_CALL}
    return (not broken, _Descending(Version(row.release)))


class _Descending:
    def __init__(self, version: Version) -> None:
        self.version = version

    def __lt__(self, other: _Descending) -> bool:
        return self.version > other.version

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Descending) and self.version == other.version

    def __hash__(self) -> int:
        return hash(self.version)


def _is_path(name: str) -> bool:
    try:
        Version(name)
    except InvalidVersion:
        return True
    return False


def _key(engine: Engine, releases: Sequence[EngineRelease], name: str, library: Library) -> str:
    about = "\n".join([library.project, name, *(release.release for release in releases)])
    return f"{judging()}/{engine.name}/{sha256(about.encode()).hexdigest()[:32]}.json"


def judging() -> str:
    """Of the code that judges and of what reads the sources: verdicts of another version are not used."""
    here = Path(__file__).parent
    digest = sha256(f"{fingerprint()}{READER}".encode())
    for name in ("binding", "integers", "judge", "provider", "source", "table", "verdict"):
        digest.update((here / f"{name}.py").read_bytes())
    return digest.hexdigest()[:16]


def _columns(
    engine: Engine, releases: Sequence[EngineRelease], names: list[str], library: Library, pins: set[str]
) -> list[list[Answer]]:
    if len(names) < 4 or cores() < 2:
        _prepare(engine, releases, library, pins)
        return [_column(name) for name in names]
    given = (engine, releases, library.project, library.store.folder, pins)
    with processes(initializer=_start, initargs=given) as pool:
        return list(pool.map(_column, names, chunksize=2))


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
        [numbers.setdefault(shape(use), len(numbers)) for use in release.uses] for release in releases
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
        asked = tuple(judge.failing.items())
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


def shape(use: Use) -> Use:
    """A use without its place: two of the same shape get the same verdict."""
    return replace(
        use,
        file="",
        line=0,
        scope="f" if use.scope else "",
        origin=0,
        under="",
        references=use.references[:1],
    )


def _answer(judged: list[tuple[Use, Judgement]]) -> Answer:
    counts: dict[str, int] = {}
    breaks = []
    status = SAFE
    for use, judgement in judged:
        counts[judgement.verdict.value] = counts.get(judgement.verdict.value, 0) + 1
        if judgement.alarming:
            fatal = judgement.verdict is CallVerdict.BROKEN_IMPORT and use.level == "module"
            status = AT_IMPORT if fatal or status == AT_IMPORT else AT_CALL
            breaks.append(
                {
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
            )
        elif judgement.verdict is CallVerdict.GUARDED and status == SAFE:
            status = GUARDED
    return status, counts, breaks


def _row(release: EngineRelease, column: list[tuple[str, Answer]]) -> Row:
    breaks: dict[tuple[Any, ...], int] = {}
    listed: list[dict[str, Any]] = []
    cells: dict[str, Cell] = {}
    for name, (status, counts, found) in column:
        numbers = []
        for one in found:
            key = (one["file"], one["line"], one["symbol"], one["class"], one["name"])
            if key not in breaks:
                breaks[key] = len(listed)
                listed.append(one | {"releases": []})
            numbers.append(breaks[key])
            known = listed[breaks[key]]
            if release.pins.exact not in known["releases"]:
                known["reason"] = one["reason"]  # as on the pin, or else on the newest release
            known["releases"].append(name)
        cells[name] = Cell(status=status, counts=counts, alarms=tuple(numbers))
    pin = release.pins.exact
    works, oldest, newest = _works(cells, pin)
    return Row(
        release=release.release,
        pin=pin,
        cells=cells,
        breaks=listed,
        works=works,
        oldest=oldest,
        newest=newest,
    )


def _works(cells: dict[str, Cell], pin: str) -> tuple[str, str, str]:
    """The run of releases around the pin in which nothing breaks that does not break on the pin itself."""
    versions = [name for name in cells if not _is_path(name)]
    if not versions:
        return "", "", ""
    accepted = set(cells[pin].alarms) if pin in cells else set()
    fine = [set(cells[name].alarms) <= accepted for name in versions]
    if pin in versions:
        start = versions.index(pin)
    else:
        candidates = [number for number, good in enumerate(fine) if good]
        if not candidates:
            return "", "", ""
        start = candidates[-1]
    low = high = start
    while low > 0 and fine[low - 1]:
        low -= 1
    while high + 1 < len(versions) and fine[high + 1]:
        high += 1
    return f">={versions[low]},<={versions[high]}", versions[low], versions[high]
