"""Named MoE shapes of published models, read from `profiles.toml` on the host; workers get plain dicts."""

from __future__ import annotations

import functools
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from matrix.errors import InputError, unknown
from matrix.kernels.moe import activations, routings

FILE = Path(__file__).with_name("profiles.toml")

BLOCK = 128
"""Rows and columns of prepared weights come in blocks of this size."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """One published MoE shape; the fields are the keys of `profiles.toml`, where they are explained."""

    name: str
    architecture: str
    hidden: int
    intermediate: int
    experts: int
    top_k: int
    n_group: int
    topk_group: int
    routed_scaling_factor: float
    routing: str
    activation: str
    gated: bool
    moe_layers: int
    total_parameters_billion: float
    source: str

    def scaled(self) -> Profile:
        """The same structure, small enough that a check of a few tokens takes milliseconds on a CPU.

        Top-k, groups and routing stay as they are; of the experts remain the fewest (a power of two a group)
        that leave twice as many candidates as are chosen. Hidden and intermediate size become one and two
        blocks, the larger one larger still, so that a swap of the two cannot go unnoticed.
        """
        per_group = 4
        while per_group * self.topk_group < 2 * self.top_k:
            per_group *= 2
        small, large = BLOCK, 2 * BLOCK
        return replace(
            self,
            experts=min(self.experts, per_group * self.n_group),
            hidden=large if self.hidden > self.intermediate else small,
            intermediate=small if self.hidden > self.intermediate else large,
        )

    def to_json(self) -> dict[str, Any]:
        """The plain form that a worker gets."""
        return asdict(self)


@functools.cache
def load(path: Path = FILE) -> dict[str, Profile]:
    """Every profile by name, in the file's order.

    Raises:
        InputError: the file cannot be read, or a table has a wrong key or names an unknown axis value.
    """
    from matrix import toml  # on the host only: workers get profiles as plain dicts

    profiles = {}
    for name, table in toml.load(path).items():
        try:
            profile = Profile(name=name, **table)
        except TypeError as error:
            keys = ", ".join(key for key in Profile.__dataclass_fields__ if key != "name")
            raise InputError(f"{path}: [{name}]: {error}.", f"A profile has the keys {keys}.") from error
        routings.find(profile.routing)
        activations.find(profile.activation, gated=profile.gated)
        profiles[name] = profile
    return profiles


def find(name: str) -> Profile:
    """The profile of this name.

    Raises:
        InputError: there is none.
    """
    profiles = load()
    if name not in profiles:
        raise unknown("profile", name, profiles, FILE.name)
    return profiles[name]
