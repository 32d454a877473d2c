"""What a worker knows of its release's kernels, from the plan: standard library only, no file and no network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matrix.cubins.selection import Answers

if TYPE_CHECKING:
    from collections.abc import Mapping

WHOLE = (1, 1)
"""All experts, whole, on one device."""


@dataclass(frozen=True, kw_only=True)
class Shipped:
    """The BF16 MoE kernels of one release.

    Attributes:
        kernels: how many have which activation fused, by member of `ActivationType`.
        selection: what the release's selection code answered, or None where it was not asked.
        origin: where the names were read.
        made: how the answers came about.
    """

    kernels: dict[str, int]
    selection: Answers | None
    origin: str
    made: dict[str, str]

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Shipped:
        """Read what `Known.for_worker` wrote."""
        told = data["selection"] and Answers.from_json(data["selection"])
        return cls(kernels=data["kernels"], selection=told, origin=data["origin"], made=data["made"])

    @property
    def members(self) -> tuple[str, ...]:
        """The members of `ActivationType` that there is a kernel for."""
        return tuple(member for member, count in self.kernels.items() if count)

    def configurations(self, profile: str, activation: str, tokens: int) -> int | str | None:
        """How many configurations take a profile's shape on one device, or the release's refusal.

        Returns:
            None where that is not known: not asked, not askable, or a list that is empty at every shape.
        """
        if self.selection is None:
            return None
        told = self.selection.find(profile, activation, tokens=tokens, split=WHOLE)
        return None if told == 0 and self.selection.silent else told

    def splits(self, profile: str, activation: str) -> dict[str, int]:
        """The most configurations at each expert and tensor parallel split that divides the shape."""
        if self.selection is None:
            return {}
        columns = self.selection.counts.get(profile, {}).get(activation, [])
        told = zip(self.selection.splits, columns, strict=False)  # no columns where it was not asked
        return {f"EP{ep} TP{tp}": max(0, *column) for (ep, tp), column in told if column}
