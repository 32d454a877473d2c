"""The numerics on a CPU; what a GPU answers is in tests/gpu and tests/run/test_gpu_faults.py."""

from __future__ import annotations

import pytest
import torch

from matrix.checks import numerics
from matrix.kernels.moe import fallback
from matrix.kernels.moe.probe import Failure
from matrix.verdicts import Verdict

SILU = "trtllm_bf16/silu-gated/deepseek_v3/draft/bias-fp32/deepseek-v3"
RELU2 = "trtllm_bf16/relu2-nongated/deepseek_v3/target/bias-fp32/nemotron-h"
TORCH = "torch/relu2-nongated/deepseek_v3/draft/bias-fp32/nemotron-h"
FAILURE = Failure(moment="import flashinfer", type="RuntimeError", text="no", frame="f")


@pytest.fixture
def absent(change):
    return change(release=None, failures={"trtllm_bf16": FAILURE, "trtllm_bf16_routed": FAILURE})


@pytest.mark.parametrize("text", [SILU, RELU2])
def test_a_fallback_is_really_computed(absent, named, text):
    answer = numerics.check(named(text), absent)
    assert answer.verdict is Verdict.FALLBACK
    assert answer.reason.startswith("the torch fallback is right; import flashinfer raised RuntimeError: no")
    assert answer.evidence


def test_the_torch_backend_passes(bench, named):
    assert numerics.check(named(TORCH), bench).verdict is Verdict.PASS


def test_a_kernel_without_a_gpu_is_not_run_and_the_command_says_where(bench, named):
    answer = numerics.check(named(SILU), bench)
    assert answer.verdict is Verdict.NOT_RUN
    assert "this machine has no GPU" in answer.reason
    assert f"kernel-matrix run --releases 0.7.2 --environment full '{SILU}'" in answer.remedy


MUTATIONS = {
    "zeros": torch.zeros_like,
    "one per cent more": lambda output: output * 1.05,
    "one token's row": lambda output: torch.cat([output[:-1], output[:1]]),
    "one element": lambda output: output.index_put(
        (torch.tensor(0), torch.tensor(0)), output.abs().max() * 4
    ),
    "not a number": lambda output: output.index_put(
        (torch.tensor(0), torch.tensor(0)), torch.tensor(torch.nan).to(output)
    ),
    "tokens swapped": lambda output: output.roll(1, 0),
    "columns swapped": lambda output: output.roll(1, 1),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
@pytest.mark.parametrize("text", [SILU, TORCH])
def test_a_wrong_output_is_caught(absent, named, monkeypatch, text, mutation):
    original = fallback.moe
    monkeypatch.setattr(fallback, "moe", lambda *a, **k: MUTATIONS[mutation](original(*a, **k)))
    answer = numerics.check(named(text), absent)
    assert answer.verdict is Verdict.FAIL_NUMERIC
    assert answer.reason
    assert "Do not ship this path" in answer.remedy


@pytest.mark.parametrize(
    ("name", "value"), [("routed_scaling_factor", 2.6), ("topk_group", 3), ("top_k", 7)], ids=str
)
def test_a_fallback_of_another_layer_is_caught(absent, named, monkeypatch, name, value):
    """A layer that is computed with one figure of the routing changed."""
    from dataclasses import replace

    field = {"routed_scaling_factor": "scaling"}.get(name, name)
    original = fallback.moe
    monkeypatch.setattr(
        fallback, "moe", lambda problem, *a, **k: original(replace(problem, **{field: value}), *a, **k)
    )
    assert numerics.check(named(SILU), absent).verdict is Verdict.FAIL_NUMERIC


def test_what_an_exception_that_is_no_refusal_means():
    class AcceleratorError(RuntimeError):
        """As torch raises for a sticky error, which cannot be made without a GPU."""

    assert numerics._broken(torch.OutOfMemoryError("x")) is Verdict.OUT_OF_MEMORY
    assert numerics._broken(AcceleratorError("x")) is Verdict.GPU_POISONED
    assert numerics._broken(RuntimeError("CUDA error: an illegal memory access")) is Verdict.GPU_POISONED
    assert numerics._broken(RuntimeError("Ninja build failed. Ninja output: x")) is Verdict.BUILD_ERROR
    assert numerics._broken(TypeError("unexpected keyword")) is Verdict.FAIL_API
