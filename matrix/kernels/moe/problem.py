"""One MoE layer to compute, whatever computes it: the word that oracle, inputs and backends share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matrix.errors import InputError
from matrix.kernels.moe import activations, routings

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Shape and meaning of one MoE layer on one device, all experts local.

    Attributes:
        tokens: rows of the hidden states.
        hidden: columns of the hidden states, which is what the experts read and write.
        intermediate: columns between the two products of an expert.
        experts: experts in the layer.
        top_k: experts a token goes to.
        n_group: groups that the experts are divided into; 1 means none.
        topk_group: groups that a token may choose from.
        scaling: the routed scaling factor.
        norm_topk_prob: whether `sigmoid_renorm` divides by the sum.
        routing: value of the routing axis.
        activation: value of the activation axis.
        gated: whether the first product has two halves, rows `[up; gate]`.

    Raises:
        InputError: names that are unknown, or figures that contradict each other.
    """

    tokens: int
    hidden: int
    intermediate: int
    experts: int
    top_k: int
    n_group: int = 1
    topk_group: int = 1
    scaling: float = 1.0
    norm_topk_prob: bool = True
    routing: str
    activation: str
    gated: bool

    def __post_init__(self) -> None:
        activations.find(self.activation, gated=self.gated)
        candidates = self.experts // max(self.n_group, 1) * self.topk_group
        wrong = [
            text
            for holds, text in (
                (
                    min(self.tokens, self.hidden, self.intermediate, self.top_k, self.n_group) >= 1,
                    "figures below 1",
                ),
                (1 <= self.topk_group <= self.n_group, "topk_group outside 1 to n_group"),
                (
                    self.n_group < 1 or self.experts % self.n_group == 0,
                    "experts that n_group does not divide",
                ),
                (self.top_k <= candidates, "fewer candidate experts than top_k"),
                (
                    self.n_group == 1 or routings.find(self.routing).grouped,
                    "groups for a routing without groups",
                ),
                (
                    routings.find(self.routing).name != "llama4" or self.top_k == 1,
                    "llama4 with top_k above 1",
                ),
            )
            if not holds
        ]
        if wrong:
            raise InputError(
                f"not an MoE layer: {', '.join(wrong)} in {self}.", "Correct the profile or the axes."
            )

    @property
    def gemm1_rows(self) -> int:
        """Rows of an expert's first weight."""
        return self.intermediate * (2 if self.gated else 1)

    @classmethod
    def from_profile(
        cls, profile: Mapping[str, Any], *, tokens: int, routing: str, activation: str, gated: bool
    ) -> Problem:
        """The layer that a profile's shape gives with other axes than its own.

        What the routing does not know is taken away: groups where it has none, the scaling factor where it
        does not apply in every release, every expert but the best for `llama4`.

        Args:
            profile: a profile's figures by name, as `Profile.to_json` gives them.
            tokens: rows of the hidden states.
            routing: value of the routing axis.
            activation: value of the activation axis.
            gated: value of the gating axis.
        """
        method = routings.find(routing)
        return cls(
            tokens=tokens,
            hidden=profile["hidden"],
            intermediate=profile["intermediate"],
            experts=profile["experts"],
            top_k=1 if method.max_top_k == 1 else profile["top_k"],
            n_group=profile["n_group"] if method.grouped else 1,
            topk_group=profile["topk_group"] if method.grouped else 1,
            scaling=profile["routed_scaling_factor"] if method.scaled else 1.0,
            routing=routing,
            activation=activation,
            gated=gated,
        )
