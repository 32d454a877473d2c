"""Inputs of a cell: the same on every run, and without ties that rounding could decide either way."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from matrix.errors import InputError, unknown
from matrix.kernels.moe import oracle, routings

if TYPE_CHECKING:
    from torch import Tensor

    from matrix.kernels.moe.problem import Problem

GAP = 1e-3
"""Least distance between the last score that is selected and the first that is not, of experts and of groups.

Kernels score in float32 with fast exponentials: choices differ from float64 only at distances below 1e-5.
"""

BIAS_DTYPES = {"none": None, "bf16": torch.bfloat16, "fp32": torch.float32}
"""Values of the routing-bias axis."""

_ATTEMPTS = 400


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What a cell computes with.

    Attributes:
        logits: `[tokens, experts]`, bfloat16 or float32.
        bias: `[experts]`, bfloat16 or float32, or None.
        hidden: `[tokens, hidden]`.
        gemm1: `[experts, rows, hidden]`, rows in the order `[up; gate]` if gated.
        gemm2: `[experts, hidden, intermediate]`.
    """

    logits: Tensor
    bias: Tensor | None
    hidden: Tensor
    gemm1: Tensor
    gemm2: Tensor


def seed(cell: str) -> int:
    """A seed that depends on the cell's id alone: the same in every process, Python and release."""
    return int.from_bytes(hashlib.sha256(cell.encode()).digest()[:7], "big")


def boundary_gap(problem: Problem, logits: Tensor, bias: Tensor | None) -> Tensor:
    """Float64 `[tokens]`: how far the nearest choice is from turning out differently."""
    gap = torch.full(logits.shape[:1], math.inf, dtype=torch.float64, device=logits.device)
    ungrouped = oracle.selection_scores(problem.routing, logits, bias)
    if problem.n_group > problem.topk_group:
        best = oracle.group_scores(ungrouped, problem.n_group).sort(-1, descending=True).values
        gap = torch.minimum(gap, best[:, problem.topk_group - 1] - best[:, problem.topk_group])
    if problem.top_k < problem.experts:
        scores = oracle.selection_scores(
            problem.routing, logits, bias, n_group=problem.n_group, topk_group=problem.topk_group
        )
        best = scores.topk(problem.top_k + 1, dim=-1).values
        gap = torch.minimum(gap, best[:, -2] - best[:, -1])
    return gap


def _bias(problem: Problem, dtype: str, generator: torch.Generator) -> Tensor | None:
    if dtype not in BIAS_DTYPES:
        raise unknown("routing-bias dtype", dtype, BIAS_DTYPES)
    kind = BIAS_DTYPES[dtype]
    if kind is None or not routings.find(problem.routing).bias:
        return None
    order = torch.randperm(problem.experts, generator=generator, device=generator.device)
    # Steps of 2^-10 are exact in bfloat16 up to 512 experts; times 1.1 they are exact in float32 alone.
    step = 2**-10 * (1.1 if kind is torch.float32 else 1.0)
    return ((order - problem.experts / 2) * step).to(kind)


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Both weights of a layer's experts.

    Attributes:
        gemm1: `[experts, rows, hidden]`, rows in the order `[up; gate]` if gated.
        gemm2: `[experts, hidden, intermediate]`.
    """

    gemm1: Tensor
    gemm2: Tensor


def weights(
    problem: Problem, name: str, *, dtype: torch.dtype = torch.bfloat16, device: str = "cpu"
) -> Weights:
    """Weights `N(0, 1)` over the root of their columns, the same for the same name and kind of device.

    Args:
        problem: the layer.
        name: decides the values.
        dtype: of both.
        device: where they are made and stay.
    """
    generator = torch.Generator(device).manual_seed(seed(name))
    gemm1 = torch.empty((problem.experts, problem.gemm1_rows, problem.hidden), dtype=dtype, device=device)
    gemm2 = torch.empty((problem.experts, problem.hidden, problem.intermediate), dtype=dtype, device=device)
    for weight in (gemm1, gemm2):
        for expert in weight:  # one at a time, for the float32 draw of a whole layer would not fit a GPU
            drawn = torch.randn(expert.shape, generator=generator, device=device)
            expert.copy_(drawn / expert.shape[1] ** 0.5)
    return Weights(gemm1=gemm1, gemm2=gemm2)


def make(
    problem: Problem,
    cell: str,
    *,
    bias_dtype: str = "none",
    logits_dtype: torch.dtype = torch.float32,
    dtype: torch.dtype = torch.bfloat16,
    device: str = "cpu",
    given: Weights | None = None,
) -> Inputs:
    """Inputs of one cell.

    Hidden states are `2 * N(0, 1)` and weights as `weights` draws them, so that every stage stays of order one.
    Rows of logits are drawn anew until their boundary gap exceeds `GAP`.

    Args:
        problem: the layer.
        cell: the cell's id, which alone decides the values on a given kind of device.
        bias_dtype: value of the routing-bias axis; a routing without a bias gets none.
        logits_dtype: float32 or bfloat16.
        dtype: of hidden states and weights.
        device: where the tensors are made and stay.
        given: weights to use, where several cells share them; by default the cell's own.

    Raises:
        InputError: an unknown dtype name, or no tie-free logits exist for this many experts.
    """
    generator = torch.Generator(device).manual_seed(seed(cell))

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, device=device)

    bias = _bias(problem, bias_dtype, generator)
    logits = normal(problem.tokens, problem.experts).to(logits_dtype)
    for _ in range(_ATTEMPTS):
        tied = boundary_gap(problem, logits, bias) <= GAP
        if not tied.any():
            break
        logits[tied] = normal(int(tied.sum()), problem.experts).to(logits_dtype)
    else:
        raise InputError(
            f"no tie-free logits after {_ATTEMPTS} draws for {problem}.", "Take fewer experts or tokens."
        )
    hidden = (2 * normal(problem.tokens, problem.hidden)).to(dtype)
    given = given or weights(problem, cell, dtype=dtype, device=device)
    return Inputs(logits=logits, bias=bias, hidden=hidden, gemm1=given.gemm1, gemm2=given.gemm2)
