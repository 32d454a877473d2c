"""Which FlashInfer releases each release of an engine can live with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from packaging.version import Version

from matrix.engines.columns import AT_CALL, AT_IMPORT, GUARDED, SAFE, Answer, columns, is_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matrix.engines.config import Engine
    from matrix.engines.release import EngineRelease
    from matrix.surface.library import Library

__all__ = ["AT_CALL", "AT_IMPORT", "GUARDED", "SAFE", "Cell", "Row", "build"]


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
    judged = columns(engine, releases, flashinfer, library, pins & known)
    rows = [
        _row(release, [(name, judged[name][number]) for name in flashinfer])
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
    versions = [name for name in cells if not is_path(name)]
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
