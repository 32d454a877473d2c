"""What an MoE layer should give, in float64, from the published definitions, and how far rounding carries.

Nothing here is fast or shared with the backends under test: the formulas stand as they are written in the
models that brought them, one expert after the other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from matrix.kernels.moe import activations, routings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from matrix.kernels.moe.problem import Problem

EPSILON = 1e-20
"""Added to a sum of weights before dividing by it, as the kernels do."""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """The right answer, and the scale of rounding errors around it.

    Attributes:
        output: float64 `[tokens, hidden]`.
        spread: float64 `[tokens, hidden]`, the root of the sum of squares of every rounded quantity that
            reaches an element: an error of relative size `e`, made independently at each rounding, moves the
            element by about `e * spread`.
        length: the longest sum of products on the way, max(hidden, intermediate).
    """

    output: Tensor
    spread: Tensor
    length: int


def _sigmoid(x: Tensor) -> Tensor:
    return 1 / (1 + torch.exp(-x))


def group_scores(scores: Tensor, n_group: int) -> Tensor:
    """The score of each group: the sum of its two best experts, or its best where it has only one.

    Args:
        scores: `[tokens, experts]`.
        n_group: groups of consecutive experts.

    Returns:
        `[tokens, n_group]`.
    """
    members = scores.unflatten(-1, (n_group, -1))
    return members.topk(min(2, members.shape[-1]), dim=-1).values.sum(-1)


def selection_scores(
    method: str, logits: Tensor, bias: Tensor | None = None, *, n_group: int = 1, topk_group: int = 1
) -> Tensor:
    """The float64 scores `[tokens, experts]` whose largest are selected; minus infinity in other groups.

    Softmax does not change an order, so methods that select by it are scored by their logits.

    Raises:
        InputError: there is no such method.
    """
    scores = logits.double()
    if method in {"deepseek_v3", "minimax2"}:
        scores = _sigmoid(scores) + (0 if bias is None else bias.double())
    elif method in {"sigmoid", "sigmoid_renorm"}:
        scores = _sigmoid(scores)
    if routings.find(method).grouped and n_group > 1:
        kept = group_scores(scores, n_group).topk(topk_group, dim=-1).indices
        allowed = torch.zeros_like(scores[:, :n_group], dtype=torch.bool).scatter_(1, kept, value=True)
        scores = scores.masked_fill(~allowed.repeat_interleave(scores.shape[1] // n_group, dim=1), -math.inf)
    return scores


def route(
    method: str,
    logits: Tensor,
    bias: Tensor | None = None,
    *,
    top_k: int,
    n_group: int = 1,
    topk_group: int = 1,
    scaling: float = 1.0,
    norm_topk_prob: bool = True,
) -> tuple[Tensor, Tensor]:
    """The experts of each token and their weights; `routings.ROUTINGS` has the formula of each method.

    Args:
        method: value of the routing axis.
        logits: `[tokens, experts]`.
        bias: `[experts]`, for `deepseek_v3` and `minimax2`; None means zero.
        top_k: experts a token goes to.
        n_group: groups for `deepseek_v3`; 1 means none.
        topk_group: groups that stay.
        scaling: the routed scaling factor, for `deepseek_v3` and `minimax2`.
        norm_topk_prob: whether `sigmoid_renorm` divides by the sum.

    Returns:
        ids, int64 `[tokens, top_k]`, best first, and weights, float64 `[tokens, top_k]`.

    Raises:
        InputError: there is no such method.
    """
    scores = selection_scores(method, logits, bias, n_group=n_group, topk_group=topk_group)
    ids = scores.topk(top_k, dim=-1).indices
    logits = logits.double()
    chosen = logits.gather(1, ids)
    if method == "topk":
        return ids, chosen
    if method == "default":
        return ids, (chosen - logits.logsumexp(-1, keepdim=True)).exp()
    if method in {"renormalize", "renormalize_naive"}:
        return ids, (chosen - chosen.logsumexp(-1, keepdim=True)).exp()
    weights = _sigmoid(chosen)
    total = weights.sum(-1, keepdim=True) + EPSILON
    if method in {"deepseek_v3", "minimax2"}:
        return ids, scaling * weights / total
    return ids, weights / total if method == "sigmoid_renorm" and norm_topk_prob else weights


def _pointwise(name: str, x: Tensor, parameters: Mapping[str, float]) -> Tensor:
    if name == "silu":
        return x * _sigmoid(x)
    if name == "gelu":
        return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))
    if name == "gelu_tanh":
        return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    if name == "relu":
        return x.clamp(min=0)
    if name == "relu2":
        return x.clamp(min=0) ** 2
    if name == "clamped_relu2":
        return (parameters["limit"] * torch.tanh(x.clamp(min=0) / parameters["limit"])) ** 2
    return x


def activate(name: str, rows: Tensor, *, gated: bool) -> Tensor:
    """An expert's activation.

    Pointwise, of `x`:

    - `silu`: `x * sigmoid(x)`
    - `gelu`: `x * Phi(x)`, with the error function
    - `gelu_tanh`: `x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))`
    - `relu`: `max(x, 0)`; `relu2`: its square; `identity`: `x`
    - `clamped_relu2`: `(limit * tanh(max(x, 0) / limit))^2`, as Megatron-Core's clamped squared ReLU

    Gated, of the two halves `up` and `gate`: the pointwise function of `gate`, times `up`, except

    - `swiglu_bias`: `g * sigmoid(alpha * g) * (u + beta)` with `g = min(gate, limit)` and
      `u = clamp(up, -limit, limit)`, as GPT-OSS
    - `swiglu_step`: `min(silu(gate), limit) * clamp(up, -limit, limit)`, as Step-3.5
    - `situ`: `beta * tanh(gate / beta) * sigmoid(gate) * linear_beta * tanh(up / linear_beta)`, as Kimi K3

    FlashInfer's trtllm-gen kernels approximate `Phi` in Geglu; the difference is below 5e-4 absolute.

    Args:
        name: value of the activation axis.
        rows: float64, the first product; gated its last dimension is `[up; gate]`.
        gated: value of the gating axis.

    Returns:
        float64, the last dimension halved if gated.

    Raises:
        InputError: no release has this activation with this gating.
    """
    parameters = activations.find(name, gated=gated).parameters
    if not gated:
        return _pointwise(name, rows, parameters)
    up, gate = rows.chunk(2, dim=-1)
    if name == "swiglu_bias":
        limit = parameters["limit"]
        gate = gate.clamp(max=limit)
        return gate * _sigmoid(parameters["alpha"] * gate) * (up.clamp(-limit, limit) + parameters["beta"])
    if name == "swiglu_step":
        limit = parameters["limit"]
        return _pointwise("silu", gate, {}).clamp(max=limit) * up.clamp(-limit, limit)
    if name == "situ":
        beta, linear = parameters["beta"], parameters["linear_beta"]
        return beta * torch.tanh(gate / beta) * _sigmoid(gate) * linear * torch.tanh(up / linear)
    return _pointwise(name, gate, parameters) * up


def _spans(chosen: Tensor) -> list[tuple[int, slice]]:
    """Each expert of a sorted list with the part of the list that is its own."""
    experts, counts = chosen.unique_consecutive(return_counts=True)
    ends = counts.cumsum(0)
    starts = ends - counts
    spans = zip(experts.tolist(), starts.tolist(), ends.tolist(), strict=True)
    return [(expert, slice(start, end)) for expert, start, end in spans]


def moe(
    problem: Problem, hidden: Tensor, gemm1: Tensor, gemm2: Tensor, *, ids: Tensor, weights: Tensor
) -> Reference:
    """The layer's output: over the chosen experts, the sum of `weight * gemm2 @ activation(gemm1 @ x)`.

    Weights multiply the output for every routing method, as the BF16 kernels do (published Llama 4 multiplies
    the expert's input instead).

    The spread counts these roundings: each value of the first product (through the activation's derivative),
    the activation twice (a gate's function, then the product with the other half), an expert's output, its
    weight, and the sum.

    Args:
        problem: the layer.
        hidden: `[tokens, hidden]`.
        gemm1: `[experts, rows, hidden]`, rows in the order `[up; gate]` if gated.
        gemm2: `[experts, hidden, intermediate]`.
        ids: `[tokens, top_k]`, the chosen experts.
        weights: `[tokens, top_k]`, theirs.
    """
    chosen, order = ids.flatten().sort(stable=True)
    token = order // problem.top_k
    weight = weights.flatten()[order, None].double()
    wide = hidden[token].double()
    spans = _spans(chosen)
    rows = torch.cat([wide[span] @ gemm1[expert].double().T for expert, span in spans]).requires_grad_()
    active = activate(problem.activation, rows, gated=problem.gated)
    (derivative,) = torch.autograd.grad(active.sum(), rows)
    active, rows = active.detach(), rows.detach()
    through_rows = (rows * derivative) ** 2
    if problem.gated:
        through_rows = through_rows.unflatten(-1, (2, -1)).sum(-2)
    through_active = 2 * active**2 + through_rows
    results, variances = [], []
    for expert, span in spans:
        second = gemm2[expert].double().T
        results.append(active[span] @ second)
        variances.append(through_active[span] @ second**2)
    result = torch.cat(results)
    output = torch.zeros(hidden.shape, dtype=torch.float64, device=hidden.device)
    variance = output.clone()
    output.index_add_(0, token, weight * result)
    variance.index_add_(0, token, weight**2 * (torch.cat(variances) + 2 * result**2))
    return Reference(
        output=output,
        spread=(variance + output**2).sqrt(),
        length=max(problem.hidden, problem.intermediate),
    )
