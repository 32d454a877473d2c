"""One cell: a question about one release in one environment, with a stable id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from matrix.errors import InputError

GATINGS = ("gated", "nongated")
FORM = "backend/activation-gating/routing/role/bias-dtype/profile"


@dataclass(frozen=True, kw_only=True)
class Point:
    """The axis values of a cell, before a release and an environment are added.

    Args:
        backend: a way to compute the MoE: `trtllm_bf16`, `trtllm_bf16_routed` or `torch`.
        activation: such as `silu` or `relu2`.
        gating: `gated` or `nongated`.
        routing: such as `deepseek_v3`.
        role: `target` (many tokens a step) or `draft` (few).
        bias: dtype of the routing bias: `none`, `bf16` or `fp32`.
        profile: a model's MoE shape, such as `nemotron-h`.
    """

    backend: str
    activation: str
    gating: str
    routing: str
    role: str
    bias: str
    profile: str

    @property
    def id(self) -> str:
        """The part of a cell id that follows release and environment."""
        return (
            f"{self.backend}/{self.activation}-{self.gating}/{self.routing}/{self.role}"
            f"/bias-{self.bias}/{self.profile}"
        )

    def values(self) -> dict[str, str]:
        """Axis to value."""
        return {axis: getattr(self, axis) for axis in self.__dataclass_fields__}


def parse(text: str) -> dict[str, str]:
    """Axis to value of a cell id, with or without release and environment in front; values are not looked up.

    Raises:
        InputError: not of that form.
    """
    place, parts = text.split("/")[:-6], text.split("/")[-6:]
    if len(place) not in {0, 2} or len(parts) != 6 or not parts[4].startswith("bias-"):
        raise InputError(f"'{text}' is not a cell.", f"Write it as [release/environment/]{FORM}.")
    backend, activation, routing, role, bias, profile = parts
    activation, _, gating = activation.rpartition("-")
    return {
        **dict(zip(("release", "environment"), place, strict=False)),
        "backend": backend,
        "activation": activation,
        "gating": gating,
        "routing": routing,
        "role": role,
        "bias": bias.removeprefix("bias-"),
        "profile": profile,
    }


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One question: does this point hold on this release in this environment?"""

    release: str
    environment: str
    point: Point
    must: bool = False

    @property
    def id(self) -> str:
        """Stable id, as in `0.6.14/lean/trtllm_bf16/silu-gated/deepseek_v3/draft/bias-bf16/deepseek-v3`."""
        return f"{self.release}/{self.environment}/{self.point.id}"

    @property
    def environment_id(self) -> str:
        """The environment that answers it."""
        return f"{self.release}/{self.environment}"

    def to_json(self) -> dict[str, Any]:
        """The form that plans, workers and reports share."""
        return {
            "id": self.id,
            "release": self.release,
            "environment": self.environment,
            "environment_id": self.environment_id,
            **self.point.values(),
            "gated": self.point.gating == "gated",
            "must": self.must,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Cell:
        """Read back what `to_json` wrote."""
        point = Point(**{axis: data[axis] for axis in Point.__dataclass_fields__})
        return cls(release=data["release"], environment=data["environment"], point=point, must=data["must"])
