import subprocess
import sys

import pytest
import torch

from matrix.errors import InputError
from matrix.kernels.moe import inputs, profiles, routings
from matrix.kernels.moe.problem import Problem


def small(profile="deepseek-v3", routing="deepseek_v3", tokens=64):
    shape = profiles.find(profile).scaled().to_json()
    return Problem.from_profile(shape, tokens=tokens, routing=routing, activation="silu", gated=True)


@pytest.mark.parametrize("logits_dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("routing", routings.NAMES)
def test_no_choice_is_near_a_tie(routing, logits_dtype):
    problem = small(routing=routing)
    made = inputs.make(problem, "a", bias_dtype="bf16", logits_dtype=logits_dtype)
    assert made.logits.dtype == logits_dtype
    assert float(inputs.boundary_gap(problem, made.logits, made.bias).min()) > inputs.GAP


def test_a_full_sized_choice_is_found_too():
    shape = profiles.find("nemotron-h").to_json() | {"hidden": 8, "intermediate": 8}
    problem = Problem.from_profile(shape, tokens=512, routing="deepseek_v3", activation="relu2", gated=False)
    made = inputs.make(problem, "a", bias_dtype="fp32", logits_dtype=torch.bfloat16)
    assert float(inputs.boundary_gap(problem, made.logits, made.bias).min()) > inputs.GAP


def test_the_gap_sees_ties_of_experts_and_of_groups():
    problem = Problem(
        tokens=3, hidden=8, intermediate=8, experts=4, top_k=1, n_group=2, topk_group=1,
        routing="deepseek_v3", activation="silu", gated=True,
    )  # fmt: skip
    logits = torch.tensor([[3.0, 3.0, 0.0, 0.0], [3.0, 1.0, 1.0, 3.0], [3.0, 1.0, 0.0, 0.0]])
    gap = inputs.boundary_gap(problem, logits, None)
    assert gap[0] == 0
    assert gap[1] == 0
    assert gap[2] > 0.1


def test_logits_that_always_tie_are_an_error(monkeypatch):
    monkeypatch.setattr(inputs, "GAP", 2.0)
    with pytest.raises(InputError, match="no tie-free logits"):
        inputs.make(small(tokens=1), "a")


def test_the_same_cell_gives_the_same_inputs_in_another_process():
    code = (
        "from matrix.kernels.moe import inputs; from matrix.kernels.moe.problem import Problem;"
        "p = Problem(tokens=2, hidden=8, intermediate=8, experts=4, top_k=1, routing='topk', "
        "activation='silu', gated=True); m = inputs.make(p, 'cell'); "
        "figures = [float(x.float().sum()) for x in (m.logits, m.hidden, m.gemm1, m.gemm2)]"
    )
    here = {}
    exec(code, here)
    there = subprocess.run(
        [sys.executable, "-c", f"{code}; print(figures)"], capture_output=True, check=True, text=True
    )
    assert there.stdout.strip() == str(here["figures"])


def test_a_seed_depends_on_the_id_alone():
    assert inputs.seed("cell") == 16272957891644203
    assert inputs.seed("cell") != inputs.seed("cell2")


@pytest.mark.parametrize(("name", "dtype"), inputs.BIAS_DTYPES.items())
def test_a_bias_is_distinct_and_of_its_dtype(name, dtype):
    bias = inputs.make(small(), "a", bias_dtype=name).bias
    if dtype is None:
        assert bias is None
        return
    assert bias.dtype == dtype
    assert len(bias.unique()) == len(bias)
    assert torch.equal(bias, bias.bfloat16().to(dtype)) == (name == "bf16")


def test_a_routing_without_bias_gets_none():
    assert inputs.make(small(routing="topk"), "a", bias_dtype="bf16").bias is None


def test_an_unknown_bias_dtype_is_an_error():
    with pytest.raises(InputError, match="unknown routing-bias dtype 'fp16'"):
        inputs.make(small(), "a", bias_dtype="fp16")
