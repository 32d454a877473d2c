"""Shared layers: small shapes with the structure of published ones."""

from dataclasses import dataclass

import pytest
import torch

from matrix.kernels.moe import fallback, inputs, oracle, profiles
from matrix.kernels.moe.problem import Problem


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A problem with its inputs."""

    problem: Problem
    made: inputs.Inputs

    def route(self, **changes):
        """The oracle's choice, with some arguments changed."""
        arguments = {
            name: getattr(self.problem, name)
            for name in ("top_k", "n_group", "topk_group", "scaling", "norm_topk_prob")
        }
        return oracle.route(self.problem.routing, self.made.logits, self.made.bias, **arguments | changes)

    def answer(self):
        ids, weights = self.route()
        return oracle.moe(
            self.problem, self.made.hidden, self.made.gemm1, self.made.gemm2, ids=ids, weights=weights
        )

    def fall_back(self):
        made = self.made
        return fallback.moe(
            self.problem, made.hidden, made.gemm1, made.gemm2, logits=made.logits, bias=made.bias
        )


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def layer():
    """Make a layer with a profile's structure in a size for milliseconds."""

    def make(
        *,
        profile="deepseek-v3",
        routing="deepseek_v3",
        activation="silu",
        gated=True,
        tokens=8,
        bias_dtype="bf16",
        **options,
    ):
        shape = profiles.find(profile).scaled().to_json()
        problem = Problem.from_profile(
            shape, tokens=tokens, routing=routing, activation=activation, gated=gated
        )
        cell = f"{profile}/{routing}/{activation}"
        return Layer(problem=problem, made=inputs.make(problem, cell, bias_dtype=bias_dtype, **options))

    return make
