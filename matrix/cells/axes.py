"""The axes with their values, the rules for what means nothing, and the named must-cells."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from matrix import toml
from matrix.cells.cell import GATINGS, Point, parse
from matrix.errors import InputError, unknown
from matrix.kernels.moe import activations, profiles, routings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from matrix.kernels.moe.profiles import Profile

DATA = Path(__file__).with_name("axes.toml")
MEANINGFUL_ACTIVATIONS = {
    (activation.name, GATINGS[not activation.gated]) for activation in activations.ACTIVATIONS
}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One reason why a combination means nothing.

    Args:
        axes: those that it looks at.
        why: the reason, in words.
        test: whether a combination of these axes means something, given the profiles.
    """

    axes: tuple[str, ...]
    why: str
    test: Callable[[Mapping[str, str], Mapping[str, Profile]], bool]

    def holds(self, values: Mapping[str, str], known: Mapping[str, Profile]) -> bool:
        """Whether the combination of these axes means something."""
        return self.test(values, known)


RULES = (
    Rule(
        axes=("activation", "gating"),
        why="no release has this activation with this gating",
        test=lambda values, _: (values["activation"], values["gating"]) in MEANINGFUL_ACTIVATIONS,
    ),
    Rule(
        axes=("routing", "bias"),
        why="the routing method takes no bias",
        test=lambda values, _: values["bias"] == "none" or routings.find(values["routing"]).bias,
    ),
    Rule(
        axes=("backend", "bias"),
        why="the caller routes, so the kernel sees no bias",
        test=lambda values, _: values["bias"] == "none" or values["backend"] != "trtllm_bf16_routed",
    ),
    Rule(
        axes=("routing", "profile"),
        why="llama4 routing is defined for one expert a token",
        test=lambda values, known: values["routing"] != "llama4" or known[values["profile"]].top_k == 1,
    ),
)


@dataclass(frozen=True, kw_only=True)
class Axes:
    """Every axis with its values, and the must-cells."""

    values: dict[str, tuple[str, ...]]
    must: tuple[Point, ...]
    profiles: Mapping[str, Profile]

    def meaningless(self, point: Point) -> str:
        """Why a point means nothing, or an empty text."""
        values = point.values()
        return next((rule.why for rule in RULES if not rule.holds(values, self.profiles)), "")

    def point(self, text: str) -> Point:
        """The point that a cell id names, with or without release and environment in front.

        Raises:
            InputError: a part that is missing, a value that does not exist, or a combination that means nothing.
        """
        named = parse(text)
        point = Point(**{axis: named[axis] for axis in self.values})
        for axis, value in point.values().items():
            if value not in self.values[axis]:
                raise unknown(f"value of axis {axis}", value, self.values[axis], text)
        if why := self.meaningless(point):
            raise InputError(
                f"'{text}' means nothing: {why}.", "See `kernel-matrix cells --help` for the axes."
            )
        return point


def load(path: Path = DATA) -> Axes:
    """The axes of the MoE family: activations, routings and profiles come from their own tables."""
    data = toml.load(path)
    known = profiles.load()
    axes = Axes(
        values={
            "backend": tuple(data["axis"]["backend"]),
            "activation": activations.NAMES,
            "gating": GATINGS,
            "routing": routings.NAMES,
            "role": tuple(data["axis"]["role"]),
            "bias": tuple(data["axis"]["bias"]),
            "profile": tuple(known),
        },
        must=(),
        profiles=known,
    )
    must = tuple(axes.point(entry["id"]) for entry in data["must"])
    return Axes(values=axes.values, must=must, profiles=known)
