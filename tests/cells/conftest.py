"""What the axes mean, written down a second time, so that rules and generator have something to be held against."""

from __future__ import annotations

from itertools import product

import pytest

from matrix.cells import axes as axes_module

# Members of ActivationType by their names: those with a gate half, and those without.
GATED = {"silu", "gelu", "gelu_tanh", "swiglu_bias", "swiglu_step", "situ"}
NOT_GATED = {"silu", "gelu", "relu", "relu2", "identity", "clamped_relu2"}
BIASED = {"deepseek_v3", "minimax2"}
ONE_EXPERT = {"llama4"}


def means_something(values):
    gating = GATED if values["gating"] == "gated" else NOT_GATED
    if values["activation"] not in gating:
        return False
    if values["bias"] != "none" and (
        values["routing"] not in BIASED or values["backend"] == "trtllm_bf16_routed"
    ):
        return False
    return values["routing"] != "llama4" or values["profile"] in ONE_EXPERT


@pytest.fixture(scope="session")
def axes():
    return axes_module.load()


@pytest.fixture(scope="session")
def judge():
    return means_something


@pytest.fixture(scope="session")
def every(axes):
    """Values of every point that means something, by full enumeration."""
    names = list(axes.values)
    rows = (dict(zip(names, row, strict=True)) for row in product(*axes.values.values()))
    return [row for row in rows if means_something(row)]
