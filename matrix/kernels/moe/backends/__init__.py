"""Ways to compute an MoE layer, one module each, all with the same two functions."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Protocol, cast

from matrix.errors import unknown
from matrix.kernels.moe.backends.refusals import RefusedError, offline, refusal

if TYPE_CHECKING:
    from torch import Tensor

    from matrix.kernels.moe.inputs import Inputs
    from matrix.kernels.moe.layout import Prepared
    from matrix.kernels.moe.problem import Problem

__all__ = ["MODULES", "Backend", "RefusedError", "find", "offline", "refusal"]

MODULES = {
    "trtllm_bf16": "trtllm_bf16",
    "trtllm_bf16_routed": "trtllm_bf16_routed",
    "torch": "torch_fallback",
}
"""Module of each value of the backend axis."""


class Backend(Protocol):
    """What each module of this package offers."""

    def prepare(self, problem: Problem, gemm1: Tensor, gemm2: Tensor) -> Prepared:
        """Bring weights into the backend's layout, once a layer.

        Args:
            problem: the layer.
            gemm1: `[experts, rows, hidden]`, rows in the order `[up; gate]` if gated.
            gemm2: `[experts, hidden, intermediate]`.
        """

    def call(self, problem: Problem, prepared: Prepared, inputs: Inputs, *, path: str) -> Tensor:
        """Compute the layer, `[tokens, hidden]`; whatever the backend raises comes through.

        Args:
            problem: the layer.
            prepared: what `prepare` returned.
            inputs: the logits, bias and hidden states to use; its weights are not read.
            path: `activation_type` or `legacy`, the dispatcher's choice for a trtllm backend.
        """


def find(name: str) -> Backend:
    """The backend of this name; imports torch, and FlashInfer only when it is used.

    Raises:
        InputError: there is none.
    """
    if name not in MODULES:
        raise unknown("backend", name, MODULES)
    return cast("Backend", importlib.import_module(f"{__name__}.{MODULES[name]}"))
