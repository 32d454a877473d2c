"""The activations an expert may have, by axis value, and the member of FlashInfer's enum that means each."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from matrix.errors import unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

NO_ACTIVATION = "InvalidType"
"""The member of `ActivationType` that marks the end of the enum and means no activation."""


@dataclass(frozen=True, kw_only=True)
class Activation:
    """One activation of an expert.

    Attributes:
        name: value of the activation axis, as engines write it in a model's configuration.
        gated: whether the first product has two halves, of which one gates the other.
        member: the member of FlashInfer's `ActivationType`, by name, for the integers differ by release.
        parameters: constants of the definition, with the values of the models that brought it.
    """

    name: str
    gated: bool
    member: str
    parameters: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def id(self) -> str:
        """The axis value with its gating, for example `relu2-nongated`."""
        return f"{self.name}-{'gated' if self.gated else 'nongated'}"


ACTIVATIONS = (
    Activation(name="silu", gated=True, member="Swiglu"),
    Activation(name="silu", gated=False, member="Silu"),
    Activation(name="gelu", gated=True, member="Geglu"),
    Activation(name="gelu", gated=False, member="Gelu"),
    Activation(name="gelu_tanh", gated=True, member="GegluTanh"),
    Activation(
        name="swiglu_bias",
        gated=True,
        member="SwigluBias",
        parameters=MappingProxyType({"alpha": 1.702, "beta": 1.0, "limit": 7.0}),
    ),
    Activation(
        name="swiglu_step", gated=True, member="SwigluStep", parameters=MappingProxyType({"limit": 7.0})
    ),
    Activation(
        name="situ",
        gated=True,
        member="Situ",
        parameters=MappingProxyType({"beta": 4.0, "linear_beta": 25.0}),
    ),
    Activation(name="relu", gated=False, member="Relu"),
    Activation(name="relu2", gated=False, member="Relu2"),
    Activation(name="identity", gated=False, member="Identity"),
    Activation(
        name="clamped_relu2",
        gated=False,
        member="ClampedRelu2",
        parameters=MappingProxyType({"limit": 7.0}),
    ),
)
"""Every pair of activation and gating that some release has a member for; other pairs mean nothing."""

NAMES = tuple(dict.fromkeys(activation.name for activation in ACTIVATIONS))


def find(name: str, *, gated: bool) -> Activation:
    """The activation of this name and gating.

    Raises:
        InputError: the name is unknown, or no release has it with this gating.
    """
    for activation in ACTIVATIONS:
        if (activation.name, activation.gated) == (name, gated):
            return activation
    if name not in NAMES:
        raise unknown("activation", name, NAMES)
    wanted = f"{name}-{'gated' if gated else 'nongated'}"
    raise unknown("activation and gating", wanted, (activation.id for activation in ACTIVATIONS))
