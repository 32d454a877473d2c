"""`flashinfer.fused_moe.trtllm_bf16_moe`: routing, both products and the sum in one call."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from matrix.kernels.moe.backends import trtllm
from matrix.kernels.moe.backends.trtllm import prepare

if TYPE_CHECKING:
    from torch import Tensor

    from matrix.kernels.moe.inputs import Inputs
    from matrix.kernels.moe.layout import Prepared
    from matrix.kernels.moe.problem import Problem

__all__ = ["arguments", "call", "prepare"]


def arguments(problem: Problem, prepared: Prepared, inputs: Inputs, *, path: str) -> dict[str, Any]:
    """The keywords of the call; groups are None for a routing without groups, as engines pass them."""
    grouped = problem.n_group > 1
    return {
        "routing_logits": inputs.logits,
        "routing_bias": inputs.bias,
        "n_group": problem.n_group if grouped else None,
        "topk_group": problem.topk_group if grouped else None,
        **trtllm.keywords(
            problem, prepared, inputs.hidden, path=path, routing=trtllm.routing_member(problem)
        ),
    }


def call(problem: Problem, prepared: Prepared, inputs: Inputs, *, path: str) -> Tensor:
    """See `Backend.call`."""
    kernel = importlib.import_module("flashinfer.fused_moe").trtllm_bf16_moe
    return trtllm.run(kernel, arguments(problem, prepared, inputs, path=path))
