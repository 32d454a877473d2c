"""Where what is known of a release's kernels must agree: names with selection, and engines with either."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from matrix.cubins import names
from matrix.cubins.selection import NOT_ASKABLE
from matrix.engines import contracts
from matrix.kernels.moe import activations

if TYPE_CHECKING:
    from matrix.cubins.answers import Known
    from matrix.cubins.selection import Answers


def disagreements(known: Known) -> list[str]:
    """Where the names of a release's kernels and its selection code contradict each other, in sentences."""
    if known.selection is None or not known.inventory.groups:  # of names that do not parse nothing follows
        return []
    shipped = {member: known.inventory.moe().get(word, 0) for word, member in names.ACTIVATIONS.items()}
    found = []
    for activation in activations.ACTIVATIONS:
        told = _told(known.selection, activation.id)
        configurations = max((number for number in told if isinstance(number, int)), default=-1)
        refused = [text for text in told if isinstance(text, str)]
        kernels = shipped.get(activation.member, 0)
        askable = not any(text.startswith(NOT_ASKABLE) for text in refused)
        if not kernels and configurations >= 0:
            found.append(
                f"{activation.id}: no kernel by name, and the selection code finds "
                f"up to {configurations} configurations"
            )
        elif kernels and askable and configurations < (0 if known.selection.silent else 1):
            said = refused[0] if refused else "no configuration at any shape"
            found.append(f"{activation.id}: {kernels} kernels by name, and the selection code says: {said}")
    return found


def _told(selection: Answers, activation: str) -> set[int | str]:
    tables = (table[activation] for table in selection.counts.values() if activation in table)
    numbers = {number for columns in tables for column in columns for number in column}
    return {number if number >= 0 else selection.texts[-1 - number] for number in numbers}


def runnable(known: Known) -> set[str]:
    """The activations, as in `relu2-nongated`, for which a release ships kernels and its own code takes them."""
    shipped = known.inventory.moe()
    by_name = {member for word, member in names.ACTIVATIONS.items() if shipped.get(word)}
    found = {activation.id for activation in activations.ACTIVATIONS if activation.member in by_name}
    if known.selection is None:
        return found
    return {
        activation
        for activation in found
        if any(isinstance(n, int) for n in _told(known.selection, activation))
    }


@dataclass(frozen=True, kw_only=True)
class Assertion:
    """What an engine's assertion lets through, against what a release can run.

    Attributes:
        engine: such as `sglang-0.5.12`.
        release: of FlashInfer.
        refused: activations that the release can run and the engine does not let through.
        unserved: activations that the engine lets through and the release cannot run.
    """

    engine: str
    release: str
    refused: tuple[str, ...]
    unserved: tuple[str, ...]

    @property
    def fit(self) -> str:
        """`equal`, `too narrow`, `too wide`, or both."""
        words = [word for word, found in (("too narrow", self.refused), ("too wide", self.unserved)) if found]
        return " and ".join(words) or "equal"


def assertions(known: Known) -> list[Assertion]:
    """Every engine release's asserted activations against a FlashInfer release."""
    runs = runnable(known)
    tables = [contracts.load(engine) for engine in contracts.names()]
    return [
        Assertion(
            engine=table["engine"],
            release=known.inventory.release,
            refused=tuple(sorted(runs - set(table["accepts"]))),
            unserved=tuple(sorted(set(table["accepts"]) - runs)),
        )
        for table in tables
    ]
