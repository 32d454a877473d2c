"""`flashinfer.fused_moe.trtllm_bf16_routed_moe`: the caller chooses the experts and packs them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import torch

from matrix.kernels.moe import fallback
from matrix.kernels.moe.backends import trtllm
from matrix.kernels.moe.backends.trtllm import prepare

if TYPE_CHECKING:
    from torch import Tensor

    from matrix.kernels.moe.inputs import Inputs
    from matrix.kernels.moe.layout import Prepared
    from matrix.kernels.moe.problem import Problem

__all__ = ["arguments", "call", "pack", "prepare"]


def pack(ids: Tensor, weights: Tensor) -> Tensor:
    """Expert ids and weights in one int32 `[tokens, top_k]`: the id in the high half, a bfloat16 in the low.

    The low half is masked: a negative weight, which `topk` routing may give, would otherwise be sign-extended
    over the id (SGLang 0.5.12 does not mask; the two agree for weights that are not negative).
    """
    low = weights.to(torch.bfloat16).view(torch.int16).to(torch.int32) & 0xFFFF
    return (ids.to(torch.int32) << 16) | low


def arguments(problem: Problem, prepared: Prepared, inputs: Inputs, *, path: str) -> dict[str, Any]:
    """The keywords of the call, with the experts that the layer's routing chooses in float32.

    The weights already hold the scaling factor. DeepSeek-V3's routing is named TopK, for the kernel would
    want its groups, as SGLang does; so is one that came after the release, for the caller has routed already.
    """
    ids, weights = fallback.route(problem, inputs.logits, inputs.bias)
    routing = trtllm.routing_member(problem)
    named = routing != "DeepSeekV3" and trtllm.has_member("RoutingMethodType", routing)
    return {
        "topk_ids": pack(ids, weights),
        "n_group": None,
        "topk_group": None,
        **trtllm.keywords(
            problem,
            prepared,
            inputs.hidden,
            path=path,
            routing=routing if named else "TopK",
        ),
    }


def call(problem: Problem, prepared: Prepared, inputs: Inputs, *, path: str) -> Tensor:
    """See `Backend.call`."""
    kernel = importlib.import_module("flashinfer.fused_moe").trtllm_bf16_routed_moe
    return trtllm.run(kernel, arguments(problem, prepared, inputs, path=path))
