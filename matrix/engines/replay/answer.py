"""What the kernel would give for a recorded call, by the torch fallback from the recorded arguments alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from matrix.engines.replay.record import InvalidCallError
from matrix.errors import InputError
from matrix.kernels.moe import fallback, layout, routings
from matrix.kernels.moe.problem import Problem

if TYPE_CHECKING:
    from torch import Tensor

    from matrix.engines.replay.record import Call


def answer(call: Call) -> Tensor:
    """The layer's output, `[tokens, hidden]`, from what was passed: layout undone, experts routed, products.

    Raises:
        InvalidCallError: the arguments contradict each other.
    """
    given, problem = call.bound, _problem(call)
    gemm1 = layout.undo(given["gemm1_weights"], gated=problem.gated)
    gemm2 = layout.undo(given["gemm2_weights"], gated=False)
    hidden = given["hidden_states"]
    if "topk_ids" not in given:
        logits, bias = given["routing_logits"], given["routing_bias"]
        return fallback.moe(problem, hidden, gemm1, gemm2, logits=logits, bias=bias)
    ids, weights = unpack(given["topk_ids"])
    if not bool(((ids >= 0) & (ids < problem.experts)).all()):
        wrong = int(ids[(ids < 0) | (ids >= problem.experts)][0])
        raise InvalidCallError(f"topk_ids names expert {wrong} of {problem.experts}")
    return fallback.experts(problem, hidden, gemm1, gemm2, ids=ids, weights=weights)


def unpack(packed: Any) -> tuple[Tensor, Tensor]:
    """Expert ids, int64, and weights, float32, of a packed tensor or of a pair of tensors."""
    if isinstance(packed, tuple):
        return packed[0].long(), packed[1].float()
    low = (packed & 0xFFFF).to(torch.int32)
    signed = torch.where(low >= 1 << 15, low - (1 << 16), low).to(torch.int16)
    return (packed >> 16).long(), signed.view(torch.bfloat16).float()


def _problem(call: Call) -> Problem:
    given, activation = call.bound, call.activation
    member = call.members["routing_method_type"]
    routing = next((known for known in routings.ROUTINGS if known.member == member), None)
    if routing is None:
        raise InvalidCallError(f"routing_method_type={member} is no routing method")
    routed = "topk_ids" in given
    grouped = routing.grouped and not routed
    scaling = given.get("routed_scaling_factor")
    try:
        return Problem(
            tokens=given["hidden_states"].shape[0],
            hidden=given["hidden_states"].shape[1],
            intermediate=given["intermediate_size"],
            experts=given["num_experts"],
            top_k=given["top_k"],
            n_group=(given["n_group"] or 1) if grouped else 1,
            topk_group=(given["topk_group"] or 1) if grouped else 1,
            scaling=1.0 if scaling is None or routed else scaling,
            norm_topk_prob=given.get("norm_topk_prob", True),
            routing="topk" if routed and routing.name == "llama4" else routing.name,
            activation=activation.name,
            gated=activation.gated,
        )
    except InputError as error:
        raise InvalidCallError(str(error.what)) from error
