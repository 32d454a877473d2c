"""What both trtllm backends share: the keywords that SGLang's BF16 runner has passed since 0.5.12."""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING, Any

from matrix.kernels.moe import activations, layout, routings
from matrix.kernels.moe.backends.refusals import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from matrix.kernels.moe.layout import Prepared
    from matrix.kernels.moe.problem import Problem

PATHS = ("activation_type", "legacy")
"""Paths of the dispatcher on which a trtllm kernel is called."""


def prepare(problem: Problem, gemm1: Tensor, gemm2: Tensor) -> Prepared:
    """Lay out the weights with the live release's own functions; see `layout.prepare`."""
    return layout.prepare(layout.Functions.live(), gemm1, gemm2, gated=problem.gated)


ENUMS = {
    "ActivationType": "flashinfer.fused_moe.core",
    "RoutingMethodType": "flashinfer.fused_moe",
}
"""The module that has each enum in every release of the window."""


def has_member(enum: str, name: str) -> bool:
    """Whether the live release's enum has this member."""
    return name in getattr(importlib.import_module(ENUMS[enum]), enum).__members__


def member(enum: str, name: str) -> int:
    """The integer that a member of one of FlashInfer's enums has in the live release.

    Raises:
        RefusedError: the release has no such member.
    """
    members = getattr(importlib.import_module(ENUMS[enum]), enum)
    try:
        return int(members[name].value)
    except KeyError:
        raise RefusedError(f"{enum} has no member {name} in this release") from None


def keywords(
    problem: Problem, prepared: Prepared, hidden: Tensor, *, path: str, routing: str
) -> dict[str, Any]:
    """The keywords that both kernels take.

    Args:
        problem: the layer.
        prepared: its weights.
        hidden: `[tokens, hidden]`, bfloat16.
        path: `activation_type` passes that keyword, `legacy` leaves it out, which means gated silu.
        routing: member of `RoutingMethodType`.

    Raises:
        RefusedError: the legacy path with another activation than gated silu, or a member that the release
            lacks.
    """
    activation = activations.find(problem.activation, gated=problem.gated)
    if path not in PATHS:
        raise RefusedError(f"a trtllm kernel is called on the path {' or '.join(PATHS)}, not '{path}'")
    if path == "legacy" and activation.id != "silu-gated":
        raise RefusedError(f"without activation_type the kernel computes silu-gated, not {activation.id}")
    chosen = {
        "hidden_states": hidden,
        "gemm1_weights": prepared.gemm1,
        "gemm2_weights": prepared.gemm2,
        "num_experts": problem.experts,
        "top_k": problem.top_k,
        "intermediate_size": problem.intermediate,
        "local_expert_offset": 0,
        "local_num_experts": problem.experts,
        "routing_method_type": member("RoutingMethodType", routing),
        "routed_scaling_factor": problem.scaling,
        "tune_max_num_tokens": 1 << (problem.tokens - 1).bit_length(),
    }
    if path == "activation_type":
        chosen["activation_type"] = member("ActivationType", activation.member)
    return chosen


def run(kernel: Callable[..., Any], arguments: dict[str, Any]) -> Tensor:
    """Call the kernel; only a scaling factor of 1 is left out, where the release has no keyword for it.

    Returns:
        `[tokens, hidden]`, whether the release returns a tensor or a list of one.

    Raises:
        RefusedError: a scaling factor that the release cannot be told.
    """
    if "routed_scaling_factor" not in inspect.signature(kernel).parameters:
        scaling = arguments.pop("routed_scaling_factor")
        if scaling not in {None, 1.0}:
            raise RefusedError(f"this release takes no routed_scaling_factor, and {scaling} is asked for")
    result = kernel(**arguments)
    return result[0] if isinstance(result, (list, tuple)) else result


def routing_member(problem: Problem) -> str:
    """The member of `RoutingMethodType` for the layer's routing."""
    return routings.find(problem.routing).member
