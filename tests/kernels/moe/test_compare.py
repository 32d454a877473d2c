"""Every planted mistake must be caught, each by the real layer's own figures."""

from dataclasses import replace

import pytest
import torch

from matrix.kernels.moe import compare, fallback, oracle


@pytest.fixture(scope="module")
def one(layer):
    return layer()


@pytest.fixture(scope="module")
def reference(one):
    return one.answer()


def wrong(one, reference, **changes):
    """The fallback's output for a layer that was changed, compared with the right one."""
    problem = replace(one.problem, **changes.pop("problem", {}))
    made = replace(one.made, **changes)
    output = replace(one, problem=problem, made=made).fall_back()
    return compare.compare(output, reference)


def test_the_right_output_is_right(one, reference):
    result = compare.compare(one.fall_back(), reference)
    assert result.right
    assert 0.001 < result.relative_l2 < result.relative_l2_bound < 0.01
    assert 1 < result.worst < compare.WORST_UNITS


def test_up_and_gate_swapped(one, reference):
    swapped = one.made.gemm1.roll(one.problem.intermediate, dims=1)
    result = wrong(one, reference, gemm1=swapped)
    assert not result.right
    assert result.relative_l2 > 0.5


def test_rows_of_experts_without_a_gate_interleaved(layer):
    """What a kernel computes from weights that were prepared without `is_gated_act_gemm=False`."""
    one = layer(activation="relu2", gated=False)
    interleaved = one.made.gemm1.unflatten(1, (2, -1)).transpose(1, 2).flatten(1, 2)
    assert not wrong(one, one.answer(), gemm1=interleaved.contiguous()).right


def test_scaling_dropped(one, reference):
    assert wrong(one, reference, problem={"scaling": 1.0}).relative_l2 == pytest.approx(0.6, abs=0.01)


@pytest.mark.parametrize(
    "change", [{"n_group": 1, "topk_group": 1}, {"topk_group": 3}, {"n_group": 4, "topk_group": 2}]
)
def test_wrong_groups(one, reference, change):
    assert not wrong(one, reference, problem=change).right


def test_bias_dropped(one, reference):
    assert not wrong(one, reference, bias=None).right


def test_weights_from_the_biased_scores(one, reference):
    ids, _ = one.route()
    biased = oracle.selection_scores("deepseek_v3", one.made.logits, one.made.bias).gather(1, ids)
    weights = one.problem.scaling * biased / biased.sum(-1, keepdim=True)
    output = fallback.experts(
        one.problem, one.made.hidden, one.made.gemm1, one.made.gemm2, ids=ids, weights=weights
    )
    assert not compare.compare(output, reference).right


def test_no_renormalization(layer):
    one = layer(routing="sigmoid_renorm")
    assert compare.compare(one.fall_back(), one.answer()).right
    assert not wrong(one, one.answer(), problem={"norm_topk_prob": False}).right


def test_softmax_before_the_choice_instead_of_after(layer):
    one = layer(routing="renormalize")
    assert not wrong(one, one.answer(), problem={"routing": "default"}).right


def test_another_activation(one, reference):
    for activation in ("gelu", "gelu_tanh", "swiglu_bias", "situ"):
        assert not wrong(one, reference, problem={"activation": activation}).right, activation


def test_one_expert_of_a_token_exchanged(one, reference):
    ids, weights = one.route()
    others = ids.clone()
    others[3, -1] = next(e for e in range(one.problem.experts) if e not in ids[3])
    output = fallback.experts(
        one.problem, one.made.hidden, one.made.gemm1, one.made.gemm2, ids=others, weights=weights
    )
    result = compare.compare(output, reference)
    assert not result.right
    assert result.worst_at[0] == 3


def test_five_percent_of_wrong_elements(one, reference):
    output = one.fall_back()
    spots = torch.randperm(output.numel(), generator=torch.Generator().manual_seed(0))[: output.numel() // 20]
    output.view(-1)[spots] *= -1
    assert not compare.compare(output, reference).right


def test_a_single_element_a_tenth_off(one, reference):
    output = one.fall_back()
    output[5, 17] += 0.1 * output.float().square().mean().sqrt()
    result = compare.compare(output, reference)
    assert not result.right
    assert result.worst_at == (5, 17)
    assert "1 of 2048 elements" in result.reason
    assert "[5, 17]" in result.reason


def test_two_percent_too_much_everywhere(one, reference):
    assert not compare.compare(one.fall_back() * 1.02, reference).right


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_one_element_that_is_not_finite(one, reference, value):
    output = one.fall_back()
    output[0, 0] = value
    result = compare.compare(output, reference)
    assert result.reason == "1 of 2048 elements are not finite"
    assert result.nonfinite == 1


def test_another_shape(one, reference):
    assert "shape" in compare.compare(one.fall_back()[:4], reference).reason


def test_zeros(one, reference):
    assert not compare.compare(torch.zeros_like(one.fall_back()), reference).right


def test_what_must_be_zero_must_be_zero(reference):
    nothing = replace(
        reference,
        output=torch.zeros_like(reference.output),
        spread=torch.zeros_like(reference.spread),
    )
    zeros = torch.zeros(reference.output.shape, dtype=torch.bfloat16)
    assert compare.compare(zeros, nothing).right
    assert not compare.compare(zeros + 1e-20, nothing).right


def test_float32_is_held_to_float32(layer):
    one = layer(dtype=torch.float32)
    reference = one.answer()
    result = compare.compare(one.fall_back(), reference)
    assert result.right
    assert result.relative_l2_bound < 1e-5
    assert not compare.compare(one.fall_back().bfloat16().float(), reference).right
    assert compare.compare(one.fall_back().bfloat16(), reference).right


def test_the_figures_are_plain(one, reference):
    figures = compare.compare(one.fall_back(), reference).to_json()
    assert set(figures) == {
        "relative_l2",
        "relative_l2_bound",
        "worst",
        "worst_at",
        "nonfinite",
        "reason",
    }
