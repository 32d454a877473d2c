"""What a release's selection code is asked: one shape on one device, in the words of the matrix."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from matrix.kernels.moe import activations
from matrix.kernels.moe.profiles import BLOCK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matrix.kernels.moe.profiles import Profile


@dataclass(frozen=True, kw_only=True)
class Question:
    """Does the release find a configuration for this shape?

    Attributes:
        shape: profile, with `+pad` behind it where the intermediate size was padded to whole blocks.
        activation: activation and gating, as in `relu2-nongated`.
        member: the activation's member of FlashInfer's enum.
        expert_parallel: devices that the experts are spread over.
        tensor_parallel: devices that an expert's intermediate size is spread over.
        tokens: rows of the hidden states.
        hidden: columns of the hidden states.
        intermediate: of this device's share of an expert.
        experts: on this device.
        top_k: experts a token.
    """

    shape: str
    activation: str
    member: str
    expert_parallel: int
    tensor_parallel: int
    tokens: int
    hidden: int
    intermediate: int
    experts: int
    top_k: int


def padded(intermediate: int) -> int:
    """The intermediate size in whole blocks, which is what the kernels' launcher asks for."""
    return -(-intermediate // BLOCK) * BLOCK


def every(profiles: Mapping[str, Profile], ask: Mapping[str, Sequence[int]]) -> list[Question]:
    """All questions about all profiles; splits that do not divide a profile are left out."""
    found = []
    for profile in profiles.values():
        sizes = {profile.name: profile.intermediate}
        if padded(profile.intermediate) != profile.intermediate:
            sizes[f"{profile.name}+pad"] = padded(profile.intermediate)
        for (shape, intermediate), activation in product(sizes.items(), activations.ACTIVATIONS):
            for ep, tp, tokens in product(ask["expert_parallel"], ask["tensor_parallel"], ask["tokens"]):
                if profile.experts % ep or intermediate % tp:
                    continue
                found.append(
                    Question(
                        shape=shape,
                        activation=activation.id,
                        member=activation.member,
                        expert_parallel=ep,
                        tensor_parallel=tp,
                        tokens=tokens,
                        hidden=profile.hidden,
                        intermediate=intermediate // tp,
                        experts=profile.experts // ep,
                        top_k=profile.top_k,
                    )
                )
    return found
