"""Which FlashInfer releases each release of an engine can live with."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.version import InvalidVersion, Version

from matrix.engines.fingerprint import fingerprint
from matrix.engines.judge import Judge
from matrix.engines.provider import Provider
from matrix.engines.verdict import CallVerdict, Judgement
from matrix.processes import cores, processes, spread
from matrix.releases.store import Store
from matrix.surface.library import Library
from matrix.surface.version import READER

if TYPE_CHECKING:
    from collections.abc import Sequence

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
class Cell:
    """One engine release on one FlashInfer release.

    Attributes:
        status: `safe`, `guarded` (something is missing but caught), `call` (a call breaks) or `import` (a module
            of the engine cannot be imported).
        counts: uses by verdict.
        alarms: numbers of the breaks in the row's list.
        doubts: numbers of what would break if it were meant for FlashInfer, in the row's other list.
        unsettled: uses that bind and might as well not have been checkable, see `Judgement.unsettled`.
        branches: uses judged for the branch on which their name is FlashInfer's.
    """

    status: str
    counts: dict[str, int]
    alarms: tuple[int, ...] = ()
    doubts: tuple[int, ...] = ()
    unsettled: int = 0
    branches: int = 0


@dataclass(frozen=True, kw_only=True)
class Row:
    """One engine release.

    Attributes:
        release: its version.
        pin: the FlashInfer release that it wants; empty where it does not say.
        cells: by FlashInfer release.
        breaks: every break in any cell: file, line, symbol, class, reason.
        doubts: what is not checkable and has changed, in the same form.
        works: a specifier to paste, of releases on which nothing breaks; empty where there is none.
        oldest: the oldest release in it.
        newest: the newest release in it.
        no_worse: where the own pin breaks, a specifier of the releases around it on which nothing else does.
    """

    release: str
    pin: str
    cells: dict[str, Cell]
    breaks: list[dict[str, Any]] = field(default_factory=list)
    doubts: list[dict[str, Any]] = field(default_factory=list)
    works: str = ""
    oldest: str = ""
    newest: str = ""
    no_worse: str = ""

    @property
    def own(self) -> Cell | None:
        """The cell of the engine's own pin."""
        return self.cells.get(self.pin)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One engine release on one FlashInfer release, before the releases are put side by side."""

    status: str
    counts: dict[str, int]
    breaks: list[dict[str, Any]]
    doubts: list[dict[str, Any]]
    unsettled: int
    branches: int


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
            columns[name] = [Answer(**answer) for answer in json.loads(kept)]
    for name, column in zip(missing, _columns(engine, releases, missing, library, pins & known), strict=True):
        columns[name] = column
        if not _is_path(name):
            data = json.dumps([vars(answer) for answer in column], separators=(",", ":")).encode()
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


def _row(release: EngineRelease, column: list[tuple[str, Answer]]) -> Row:
    pin = release.pins.exact
    alarms, doubts = _Listed(pin), _Listed(pin)
    cells = {
        name: Cell(
            status=answer.status,
            counts=answer.counts,
            alarms=alarms.add(name, answer.breaks),
            doubts=doubts.add(name, answer.doubts),
            unsettled=answer.unsettled,
            branches=answer.branches,
        )
        for name, answer in column
    }
    accepted = set(cells[pin].alarms) if pin in cells else set()
    works = _works(cells, pin, set())
    return Row(
        release=release.release,
        pin=pin,
        cells=cells,
        breaks=alarms.found,
        doubts=doubts.found,
        works=_specifier(works),
        oldest=works[0] if works else "",
        newest=works[-1] if works else "",
        no_worse=_specifier(_works(cells, pin, accepted)) if accepted else "",
    )


class _Listed:
    """What goes wrong in any cell of a row, each once, with the releases on which it does."""

    def __init__(self, pin: str) -> None:
        self.pin = pin
        self.found: list[dict[str, Any]] = []
        self.numbers: dict[tuple[Any, ...], int] = {}

    def add(self, name: str, told: list[dict[str, Any]]) -> tuple[int, ...]:
        """What goes wrong on one release, as numbers into the list."""
        numbers = []
        for one in told:
            key = (one["file"], one["line"], one["symbol"], one["class"], one["name"])
            if key not in self.numbers:
                self.numbers[key] = len(self.found)
                self.found.append(one | {"releases": []})
            numbers.append(self.numbers[key])
            known = self.found[self.numbers[key]]
            if self.pin not in known["releases"]:
                known["reason"] = one["reason"]  # as on the pin, or else on the newest release
            known["releases"].append(name)
        return tuple(numbers)


def _works(cells: dict[str, Cell], pin: str, accepted: set[int]) -> list[str]:
    """The run of releases around the pin in which nothing breaks but what is accepted.

    Where the pin itself is not among them, or is not known, the run that ends newest.
    """
    versions = [name for name in cells if not _is_path(name)]
    fine = [set(cells[name].alarms) <= accepted for name in versions]
    candidates = [number for number, good in enumerate(fine) if good]
    if not candidates:
        return []
    own = versions.index(pin) if pin in versions else -1
    low = high = own if own in candidates else candidates[-1]
    while low > 0 and fine[low - 1]:
        low -= 1
    while high + 1 < len(versions) and fine[high + 1]:
        high += 1
    return versions[low : high + 1]


def _specifier(versions: list[str]) -> str:
    if not versions:
        return ""
    low, high = versions[0], versions[-1]
    return f"=={low}" if low == high else f">={low},<={high}"
