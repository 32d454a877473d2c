"""What broke between two releases: differences, classified, each shown by a witness that was run."""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from matrix.errors import InputError, unknown
from matrix.surface import collecting
from matrix.surface.calls import DIFFERS, RAISES, SWALLOWED, effect, land, only_appends, risky_calls
from matrix.surface.classes import NO_WITNESS, BreakClass, Severity, break_classes
from matrix.surface.facts import differences
from matrix.surface.proofs import BY_CALL, prove
from matrix.surface.witness import prove_call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matrix.surface.calls import Call, Landing
    from matrix.surface.model import Surface
    from matrix.surface.subjects import Side, Subject
    from matrix.surface.witness import Witness

__all__ = ["Finding", "diff", "no_symbol"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One change of one class, with both places and its witness."""

    kind: BreakClass
    symbol: str
    name: str
    old: Side | None
    new: Side | None
    message: str
    witness: Witness | None
    qualnames: tuple[str, ...]

    def __post_init__(self) -> None:
        """Nothing is called breaking whose witness does not raise.

        Raises:
            ValueError: it would be.
        """
        if self.kind.severity is Severity.BREAKING and (
            self.witness is None or self.witness.effect != RAISES
        ):
            raise ValueError(f"{self.symbol}: {self.kind.id} is breaking without a witness that raises")

    def to_json(self) -> dict[str, Any]:
        """The form that `kernel-matrix diff --json` prints."""
        return {
            "class": self.kind.id,
            "severity": self.kind.severity.value,
            "symbol": self.symbol,
            "name": self.name,
            "qualname": self.qualnames[0] if self.qualnames else self.symbol,
            "message": self.message,
            "meaning": self.kind.meaning,
            "remedy": self.kind.remedy,
            "old": asdict(self.old) if self.old else None,
            "new": asdict(self.new) if self.new else None,
            "witness": asdict(self.witness) if self.witness else None,
        }


def diff(
    old: Surface, new: Surface, *, symbol: str | None = None, classes: Sequence[BreakClass] | None = None
) -> list[Finding]:
    """The findings between two surfaces, worst first.

    Args:
        old: the release that the caller was written for.
        new: the release that it meets.
        symbol: an import path, QUALNAME, class or module; only findings about it.
        classes: break classes; the built-in ones where left out.

    Raises:
        InputError: neither release has the symbol.
    """
    wanted = _Wanted(symbol, old, new) if symbol else None
    kinds = break_classes() if classes is None else classes
    with collecting.paused():
        found = _all(old, new, wanted, kinds)
    found.sort(key=lambda one: (one.kind.severity.rank, one.symbol, one.kind.id, one.name))
    return found


def _all(old: Surface, new: Surface, wanted: _Wanted | None, kinds: Sequence[BreakClass]) -> list[Finding]:
    subjects = (one for one in differences(old, new) if wanted is None or wanted.has(one))
    found: list[Finding] = []
    for _, group in itertools.groupby(subjects, key=lambda one: id(one.call) if one.call else None):
        together = list(group)
        shown = [
            finding
            for subject in together
            for kind in kinds
            if kind.takes(subject) and (finding := _finding(kind, subject, old, new))
        ]
        if together[0].kind == "parameter":
            shown += _missed(together, kinds, shown)
        found += shown
    return found


def _finding(kind: BreakClass, subject: Subject, old: Surface, new: Surface) -> Finding | None:
    """The finding, or nothing where its witness shows no difference."""
    if kind.witness == NO_WITNESS:
        return _told(kind, subject, None)
    witness = prove(kind.witness, subject, old, new)
    return _told(kind, subject, witness) if witness else None


def _told(kind: BreakClass, subject: Subject, witness: Witness | None) -> Finding:
    short = subject.name.rpartition(".")[2]
    words = {"name": subject.words.get("label", subject.name), "short": short}
    words |= {"old": "", "new": "", "at": "", "home": "", **subject.words}
    message = kind.message.format(**words)
    if witness and witness.effect == SWALLOWED:
        message += f": {witness.after.removeprefix('binds, and ')}"
    return Finding(
        kind=kind.as_shown(witness.effect) if witness else kind,
        symbol=subject.symbol,
        name=subject.name,
        old=subject.old,
        new=subject.new,
        message=message,
        witness=witness,
        qualnames=subject.qualnames,
    )


def _missed(subjects: list[Subject], kinds: Sequence[BreakClass], shown: list[Finding]) -> list[Finding]:
    """What one function's findings do not show yet: a call that raises, or one whose values go elsewhere."""
    assert subjects[0].call
    rows = (subjects[0].call[0]["parameters"], subjects[0].call[1]["parameters"])
    worst = min((one.kind.severity.rank for one in shown), default=Severity.NOTE.rank)
    wanted = [RAISES, DIFFERS][: worst - Severity.BREAKING.rank]
    kinds = [one for one in kinds if one.severity.rank <= Severity.SILENT.rank and one.witness in BY_CALL]
    if not wanted or only_appends(rows):
        return []
    found: dict[str, tuple[Call, Landing | str]] = {}
    for call in risky_calls(rows):
        was, now = (land(side, call) for side in rows)
        becomes = None if isinstance(was, str) else effect(was, now, rows)
        if becomes in wanted:
            found.setdefault(becomes, (call, now))
    for becomes in wanted:
        if becomes in found:
            call, now = found[becomes]
            fitting = sorted(subjects, key=lambda one: not (isinstance(now, str) and f"'{one.name}'" in now))
            for subject, kind in itertools.product(fitting, kinds):
                if kind.takes(subject):
                    witness = prove_call(subject, call)
                    return [_told(kind, subject, witness)] if witness else []
    return []


class _Wanted:
    """Which subjects are about a symbol: by its path, by another path to the same thing, or inside it."""

    def __init__(self, symbol: str, old: Surface, new: Surface) -> None:
        self.paths = {symbol, symbol.replace(":", ".")}
        self.qualnames: set[str] = set()
        for surface in (old, new):
            qualname = surface.qualname(symbol)
            if qualname:
                self.qualnames.add(qualname)
                entry = surface.function(qualname) or surface.cls(qualname) or {}
                self.paths |= {entry["path"]} if "path" in entry else set()
        known = self.qualnames or any(
            surface.value(symbol) or symbol in surface.modules for surface in (old, new)
        )
        if not known:
            raise no_symbol(symbol, old, new)

    def has(self, subject: Subject) -> bool:
        if any(subject.symbol == path or subject.symbol.startswith(f"{path}.") for path in self.paths):
            return True
        return any(
            qualname == wanted or qualname.startswith(f"{wanted}.")
            for qualname in subject.qualnames
            for wanted in self.qualnames
        )


def no_symbol(symbol: str, *surfaces: Surface) -> InputError:
    """An error for a symbol that no release has, with the nearest names."""
    last = symbol.rpartition(".")[2]
    known: set[str] = set()
    for surface in surfaces:
        module, _, _ = surface.locate(symbol)
        entry = surface.modules[module] if module else {}
        known |= {f"{module}.{name}" for name in (*entry.get("paths", ()), *entry.get("values", ()))}
        for qualname in surface.named(last):
            item = surface.function(qualname) or surface.cls(qualname) or {}
            if "path" in item:
                return InputError(
                    f"no symbol '{symbol}' in {' or '.join(one.release for one in surfaces)}.",
                    f"Did you mean {item['path']}?",
                )
    return unknown("symbol", symbol, known, " or ".join(one.release for one in surfaces))
