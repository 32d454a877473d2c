"""What broke between two releases: differences, classified, each shown by a witness that was run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from matrix.errors import InputError, unknown
from matrix.surface.classes import NO_WITNESS, BreakClass, break_classes
from matrix.surface.facts import differences
from matrix.surface.witness import prove

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    found = []
    for subject in differences(old, new):
        if wanted and not wanted.has(subject):
            continue
        for kind in break_classes() if classes is None else classes:
            if kind.takes(subject):
                finding = _finding(kind, subject, old, new)
                if finding:
                    found.append(finding)
    found.sort(key=lambda one: (one.kind.severity.rank, one.symbol, one.kind.id, one.name))
    return found


def _finding(kind: BreakClass, subject: Subject, old: Surface, new: Surface) -> Finding | None:
    """The finding, or nothing where its witness shows no difference."""
    witness = None
    if kind.witness != NO_WITNESS:
        witness = prove(kind.witness, subject, old, new)
        if witness is None:
            return None
    short = subject.name.rpartition(".")[2]
    words = {"short": short, "old": "", "new": "", "at": "", "home": "", **subject.words}
    return Finding(
        kind=kind,
        symbol=subject.symbol,
        name=subject.name,
        old=subject.old,
        new=subject.new,
        message=kind.message.format(name=subject.name, **words),
        witness=witness,
        qualnames=subject.qualnames,
    )


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
