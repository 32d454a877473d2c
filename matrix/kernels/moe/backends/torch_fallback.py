"""The layer in plain torch operations, on any device: see `matrix.kernels.moe.fallback`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matrix.kernels.moe import fallback
from matrix.kernels.moe.layout import Prepared

if TYPE_CHECKING:
    from torch import Tensor

    from matrix.kernels.moe.inputs import Inputs
    from matrix.kernels.moe.problem import Problem


def prepare(problem: Problem, gemm1: Tensor, gemm2: Tensor) -> Prepared:  # noqa: ARG001 - asked for by Backend
    """The weights as they are."""
    return Prepared(gemm1=gemm1, gemm2=gemm2)


def call(problem: Problem, prepared: Prepared, inputs: Inputs, *, path: str) -> Tensor:  # noqa: ARG001
    """See `Backend.call`; there is one path only."""
    return fallback.moe(
        problem, inputs.hidden, prepared.gemm1, prepared.gemm2, logits=inputs.logits, bias=inputs.bias
    )
