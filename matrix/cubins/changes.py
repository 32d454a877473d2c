"""What changed in the BF16 MoE kernels between two releases, and in what their selection code finds, in few lines.

Read from the answers in the cache folder and those that come with the package: no network, no compiler.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from matrix.cubins import answers, names
from matrix.cubins.selection import NOT_ASKABLE
from matrix.kernels.moe import profiles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matrix.cubins.answers import Known
    from matrix.releases.store import Store

TOKENS = 1


@dataclass(frozen=True, kw_only=True)
class Change:
    """One difference.

    Attributes:
        what: `kernels` or `selection`.
        subject: a fused activation (`none` for products without one), or profiles by name.
        old: how many kernels, or how many configurations; where the code refused, its own words.
        new: the same of the newer release.
    """

    what: str
    subject: str
    old: int | str
    new: int | str

    def __str__(self) -> str:
        if self.what == "kernels":
            which = "" if self.subject == names.PLAIN else f"{self.subject} "
            return f"BF16 {which}MoE kernels: {self.old} -> {self.new}"
        return f"selection for {self.subject}: {_said(self.old)} -> {_said(self.new)}"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two releases side by side.

    Attributes:
        old: the earlier release.
        new: the later release.
        changes: kernels first, then selection; of counts of configurations only those that come from or go to none.
        unknown: what could not be compared, and why, in sentences.
    """

    old: str
    new: str
    changes: tuple[Change, ...]
    unknown: tuple[str, ...]

    def lines(self) -> list[str]:
        """A line a change and a line for what is not known; empty where both releases are known and alike."""
        return [*map(str, self.changes), *self.unknown]

    def to_json(self) -> dict[str, Any]:
        """`from`, `to`, `changes` (rows of `Change`) and `unknown`."""
        rows = [asdict(change) for change in self.changes]
        return {"from": self.old, "to": self.new, "changes": rows, "unknown": list(self.unknown)}


def between(old: str, new: str, store: Store | None = None) -> Comparison:
    """What changed from one release to another.

    Args:
        old: version of FlashInfer.
        new: version of FlashInfer.
        store: the cache folder.
    """
    before, after = answers.find(old, store), answers.find(new, store)
    missing = [release for release, known in ((old, before), (new, after)) if known is None]
    if before is None or after is None:
        why = f"the kernels of FlashInfer {' and '.join(missing)} are not known here"
        remedy = f"`kernel-matrix kernels {missing[0]} --cubins PATH --select` makes them known"
        return Comparison(old=old, new=new, changes=(), unknown=(f"{why}; {remedy}",))
    untold = [
        f"the selection code of FlashInfer {release} was not asked: {_first_line(known.problem)}"
        for release, known in ((old, before), (new, after))
        if known.selection is None
    ]
    changes = (*_kernels(before, after), *_selection(before, after))
    return Comparison(old=old, new=new, changes=changes, unknown=tuple(untold))


def _first_line(problem: Mapping[str, str]) -> str:
    return problem.get("reason", "no reason was kept").splitlines()[0].rstrip(":")


def _kernels(before: Known, after: Known) -> list[Change]:
    was, now = before.inventory.moe(), after.inventory.moe()
    return [
        Change(what="kernels", subject=word, old=was.get(word, 0), new=now.get(word, 0))
        for word in (names.PLAIN, *names.ACTIVATIONS)
        if was.get(word, 0) != now.get(word, 0)
    ]


def _selection(before: Known, after: Known) -> list[Change]:
    """Profiles for whose own activation something is found on one side only, those told the same together."""
    alike: dict[tuple[int | str, int | str], list[str]] = {}
    for profile in profiles.load().values():
        gating = "gated" if profile.gated else "nongated"
        activation = f"{profile.activation}-{gating}"
        was, now = (_told(each, profile.name, activation) for each in (before, after))
        if was is not None and now is not None and _found(was) != _found(now):
            alike.setdefault((was, now), []).append(profile.name)
    return [
        Change(what="selection", subject=", ".join(shapes), old=was, new=now)
        for (was, now), shapes in alike.items()
    ]


def _told(known: Known, shape: str, activation: str) -> int | str | None:
    if known.selection is None:
        return None
    told = known.selection.find(shape, activation, tokens=TOKENS)
    return None if told == 0 and known.selection.silent else told


def _found(told: int | str) -> bool:
    return isinstance(told, int) and told > 0


def _said(told: int | str) -> str:
    """A count in words, or what matters of a refusal: the sentence behind where in the source it was raised."""
    if isinstance(told, int):
        return f"{told} configurations"
    if told.startswith(NOT_ASKABLE):
        return told
    sentence = told.rpartition(".cu:")[2].partition(": ")[2] or told
    return f"'{sentence.partition(': ')[0]}'"
