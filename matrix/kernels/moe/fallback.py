"""The `torch` backend: an MoE layer in plain torch operations, right on any device and as fast as they allow.

Tokens are sorted by expert and both products are grouped matrix products where torch has them for the device.
There no value travels to the host, so a CUDA graph can capture the layer.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from matrix.kernels.moe import activations, routings

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from matrix.kernels.moe.problem import Problem

DTYPES = (torch.bfloat16, torch.float16, torch.float32)
"""What hidden states and weights may be."""


class UnfitError(ValueError):
    """The fallback does not know what it is asked for; nothing was computed."""


def route(problem: Problem, logits: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
    """Choose experts in float32.

    Args:
        problem: the layer.
        logits: `[tokens, experts]`.
        bias: `[experts]` or None; ignored by routings that have none.

    Returns:
        ids, int64 `[tokens, top_k]`, and weights, float32 `[tokens, top_k]`.
    """
    method = routings.find(problem.routing).name
    logits, top_k = logits.float(), problem.top_k
    if method in {"deepseek_v3", "minimax2"}:
        probability = logits.sigmoid()
        biased = probability if bias is None else probability + bias.float()
        if problem.n_group > 1:
            biased = _limit_groups(biased, problem)
        ids = biased.topk(top_k, dim=-1, sorted=False).indices
        picked = probability.gather(1, ids)
        return ids, picked * (problem.scaling / (picked.sum(-1, keepdim=True) + 1e-20))
    if method in {"renormalize", "renormalize_naive"}:
        best = logits.topk(top_k, dim=-1)
        return best.indices, best.values.softmax(-1)
    if method == "default":
        best = logits.softmax(-1).topk(top_k, dim=-1)
        return best.indices, best.values
    best = logits.topk(top_k, dim=-1)
    if method == "topk":
        return best.indices, best.values
    if method == "sigmoid_renorm" and problem.norm_topk_prob:
        picked = best.values.sigmoid()
        return best.indices, picked / picked.sum(-1, keepdim=True)
    if method in {"llama4", "sigmoid", "topk_sigmoid", "sigmoid_renorm"}:
        return best.indices, best.values.sigmoid()
    raise UnfitError(f"the torch backend has no routing method '{method}'")


def _limit_groups(scores: Tensor, problem: Problem) -> Tensor:
    grouped = scores.view(-1, problem.n_group, problem.experts // problem.n_group)
    strength = grouped.topk(min(2, grouped.shape[-1]), dim=-1).values.sum(-1)
    dropped = strength.topk(problem.n_group - problem.topk_group, dim=-1, largest=False).indices
    return grouped.scatter(1, dropped[..., None].expand(-1, -1, grouped.shape[-1]), float("-inf")).flatten(1)


def _activation(problem: Problem) -> Callable[[Tensor], Tensor]:
    activation = activations.find(problem.activation, gated=problem.gated)
    constant = activation.parameters
    simple: dict[str, Callable[[Tensor], Tensor]] = {
        "silu": functional.silu,
        "gelu": functional.gelu,
        "gelu_tanh": functools.partial(functional.gelu, approximate="tanh"),
        "relu": torch.relu,
        "relu2": lambda x: torch.relu(x).square(),
        "identity": lambda x: x,
    }
    if activation.name in simple:
        function = simple[activation.name]
        if not problem.gated:
            return function
        return lambda rows: function(rows[:, problem.intermediate :]) * rows[:, : problem.intermediate]

    def in_float32(rows: Tensor) -> Tensor:
        wide = rows.float()
        up, gate = wide[:, : problem.intermediate], wide[:, problem.intermediate :]
        if activation.name == "clamped_relu2":
            result = (torch.tanh(torch.relu(wide) / constant["limit"]) * constant["limit"]).square()
        elif activation.name == "swiglu_bias":
            gate = gate.clamp(max=constant["limit"])
            up = up.clamp(-constant["limit"], constant["limit"]) + constant["beta"]
            result = gate * (gate * constant["alpha"]).sigmoid() * up
        elif activation.name == "swiglu_step":
            result = functional.silu(gate).clamp(max=constant["limit"]) * up.clamp(
                -constant["limit"], constant["limit"]
            )
        elif activation.name == "situ":
            capped = constant["beta"] * torch.tanh(gate / constant["beta"])
            linear = constant["linear_beta"]
            result = capped * gate.sigmoid() * linear * torch.tanh(up / linear)
        else:
            raise UnfitError(f"the torch backend has no activation '{activation.id}'")
        return result.to(rows.dtype)

    return in_float32


@functools.cache
def grouped_product(device: str, dtype: torch.dtype) -> Callable[..., Any] | None:
    """Torch's grouped matrix product, if it has one that runs on the device; tried once with a tiny one.

    Args:
        device: kind of device, `cpu` or `cuda`.
        dtype: of both factors.
    """
    for function in (getattr(functional, "grouped_mm", None), getattr(torch, "_grouped_mm", None)):
        if function is None:
            continue
        rows = torch.zeros((8, 16), dtype=dtype, device=device)
        weights = torch.zeros((2, 16, 16), dtype=dtype, device=device)
        ends = torch.tensor([4, 8], dtype=torch.int32, device=device)
        try:
            function(rows, weights.transpose(1, 2), offs=ends)
        except (RuntimeError, NotImplementedError, TypeError):
            continue
        return function  # type: ignore[no-any-return]
    return None


def _by_expert(rows: Tensor, weights: Tensor, ends: Tensor) -> Tensor:
    """`rows @ weights[e].T` for rows sorted by expert, of which expert `e` owns those up to `ends[e]`."""
    product = grouped_product(rows.device.type, rows.dtype)
    aligned = all(size * rows.element_size() % 16 == 0 for size in weights.shape[1:])
    if product and aligned:
        return product(rows, weights.transpose(1, 2), offs=ends)
    result = rows.new_empty((rows.shape[0], weights.shape[1]))
    start = 0
    for expert, end in enumerate(ends.tolist()):
        if end > start:
            torch.mm(rows[start:end], weights[expert].T, out=result[start:end])
        start = end
    return result


def experts(
    problem: Problem, hidden: Tensor, gemm1: Tensor, gemm2: Tensor, *, ids: Tensor, weights: Tensor
) -> Tensor:
    """The layer's output for experts that are already chosen.

    Args:
        problem: the layer.
        hidden: `[tokens, hidden]`, one of `DTYPES`.
        gemm1: `[experts, rows, hidden]`, the same dtype, rows in the order `[up; gate]` if gated.
        gemm2: `[experts, hidden, intermediate]`, the same dtype.
        ids: `[tokens, top_k]`, integers.
        weights: `[tokens, top_k]`.

    Returns:
        `[tokens, hidden]` of the dtype of `hidden`.

    Raises:
        UnfitError: a dtype, shape or activation that this backend does not know.
    """
    wanted = (
        (problem.experts, problem.gemm1_rows, problem.hidden),
        (
            problem.experts,
            problem.hidden,
            problem.intermediate,
        ),
    )
    if (gemm1.shape, gemm2.shape) != wanted:
        raise UnfitError(
            f"weights of shape {tuple(gemm1.shape)} and {tuple(gemm2.shape)}, not {wanted[0]} and {wanted[1]}"
        )
    if hidden.dtype not in DTYPES or {gemm1.dtype, gemm2.dtype} != {hidden.dtype}:
        raise UnfitError(f"hidden states of {hidden.dtype} with weights of {gemm1.dtype} and {gemm2.dtype}")
    activate = _activation(problem)
    sorted_ids, order = ids.flatten().sort()
    ends = torch.searchsorted(
        sorted_ids, torch.arange(problem.experts, device=ids.device, dtype=ids.dtype), right=True
    ).int()
    rows = hidden[order // problem.top_k]
    result = _by_expert(activate(_by_expert(rows, gemm1, ends)), gemm2, ends)
    unsorted = torch.empty_like(result).index_copy_(0, order, result)
    return torch.bmm(
        weights[:, None].to(hidden.dtype), unsorted.view(-1, problem.top_k, problem.hidden)
    ).squeeze(1)


def moe(
    problem: Problem, hidden: Tensor, gemm1: Tensor, gemm2: Tensor, *, logits: Tensor, bias: Tensor | None
) -> Tensor:
    """The layer's output from the logits: `route`, then `experts`."""
    ids, weights = route(problem, logits, bias)
    return experts(problem, hidden, gemm1, gemm2, ids=ids, weights=weights)
