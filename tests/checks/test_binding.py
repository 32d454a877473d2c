"""Each thing that a release may change under an engine's call, one mutation of a good signature or enum at a time."""

from __future__ import annotations

import inspect

import pytest

from matrix.checks import binding
from matrix.verdicts import Verdict

SILU = "trtllm_bf16/silu-gated/deepseek_v3/draft/bias-fp32/deepseek-v3"
RELU2 = "trtllm_bf16/relu2-nongated/deepseek_v3/draft/bias-fp32/nemotron-h"
ROUTED = "trtllm_bf16_routed/silu-gated/renormalize/target/bias-none/qwen3-moe"


@pytest.mark.parametrize("engine", ["sglang-0.5.11", "sglang-0.5.12", "sglang-0.5.23"])
def test_every_engines_call_binds_to_the_release_that_it_knows(change, must_cells, engine):
    for cell in must_cells:
        answer = binding.check(cell, change(engine=engine))
        if cell.point.backend == "torch":
            assert answer is None
        else:
            assert answer.verdict is Verdict.PASS, answer
            assert answer.reason.startswith(f"{engine}'s call binds to ")


def test_the_evidence(bench, named):
    evidence = binding.check(named(SILU), bench).evidence
    assert evidence["parameters"] == 21
    assert evidence["keywords"] == 16
    assert set(evidence["not_passed"]) == {
        *("use_shuffled_weight", "weight_layout", "do_finalize", "enable_pdl", "norm_topk_prob"),
    }
    assert evidence["latent"] == ["Unspecified=6 is SigmoidRenorm in this release"]
    assert evidence["engine_accepts"] is True


def test_a_keyword_removed(change, named, signature):
    bench = change(signatures=signature("activation_type", remove=True))
    for text, function in (
        (SILU, "trtllm_bf16_moe"),
        (RELU2, "trtllm_bf16_moe"),
        (ROUTED, "trtllm_bf16_routed_moe"),
    ):
        answer = binding.check(named(text), bench)
        assert answer.verdict is Verdict.FAIL_API
        assert answer.reason == (
            f"sglang-0.5.12 passes activation_type, which {function} does not take (FlashInfer 0.7.2)"
        )
        assert ">=0.6.8" in answer.remedy
    before = change(engine="sglang-0.5.11", signatures=bench.capability.signatures)
    assert binding.check(named(SILU), before).verdict is Verdict.PASS


def test_two_keywords_removed_are_both_named(change, named, signature, bench):
    once = change(signatures=signature("activation_type", remove=True))
    parameters = dict(once.capability.signatures["trtllm_bf16"].parameters)
    del parameters["routed_scaling_factor"]
    twice = change(signatures={"trtllm_bf16": inspect.Signature(list(parameters.values()))})
    answer = binding.check(named(SILU), twice)
    assert "passes routed_scaling_factor and activation_type, which" in answer.reason


@pytest.mark.parametrize(
    ("mutation", "reason"),
    [
        (
            ("use_shuffled_weight", {"default": False}),
            "the default of use_shuffled_weight is False, not True",
        ),
        (("norm_topk_prob", {"default": False}), "the default of norm_topk_prob is False, not True"),
        (("norm_topk_prob", {"default": None}), "the default of norm_topk_prob is None, not True"),
        (("weight_layout", {"default": 0}), "the default of weight_layout is 0, not BlockMajorK"),
        (("scratch", {}), "sglang-0.5.12's call of trtllm_bf16_moe does not bind: missing a required"),
        (("top_k", {"remove": True}), "sglang-0.5.12 passes top_k, which trtllm_bf16_moe does not take"),
        (("topk_group", {"kind": inspect.Parameter.POSITIONAL_ONLY}), "does not bind"),
    ],
)
def test_a_default_a_requirement_or_a_kind_changed(change, named, signature, mutation, reason):
    name, changes = mutation
    answer = binding.check(named(SILU), change(signatures=signature(name, **changes)))
    assert answer.verdict is Verdict.FAIL_API
    assert reason in answer.reason
    assert answer.remedy


def test_an_enum_as_default_is_compared_by_name(change, named, signature, core):
    good = change(signatures=signature("weight_layout", default=core.WeightLayout.BlockMajorK))
    assert binding.check(named(SILU), good).verdict is Verdict.PASS
    bad = change(signatures=signature("weight_layout", default=core.WeightLayout.MajorK))
    assert (
        "the default of weight_layout is <WeightLayout.MajorK: 0>" in binding.check(named(SILU), bad).reason
    )
    renumbered = change(
        signatures=signature("weight_layout", default=7),
        enums=good.capability.enums | {"WeightLayout": {"MajorK": 0, "BlockMajorK": 7}},
    )
    assert binding.check(named(SILU), renumbered).verdict is Verdict.PASS


def test_a_default_that_the_engine_before_the_change_relied_on(change, named, signature):
    bench = change(engine="sglang-0.5.11", signatures=signature("activation_type", default=6))
    answer = binding.check(named(SILU), bench)
    assert answer.verdict is Verdict.FAIL_API
    assert "the default of activation_type is 6, not Swiglu" in answer.reason
    assert "Pass the value" in answer.remedy


def renumbered(bench, enum, **members):
    live = {name: value for name, value in bench.capability.enums[enum].items() if name not in members}
    return bench.capability.enums | {enum: live | {k: v for k, v in members.items() if v is not None}}


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"DeepSeekV3": 3, "Llama4": 2}, "passes 2 for DeepSeekV3, which now means Llama4"),
        ({"DeepSeekV3": 20}, "passes 2 for DeepSeekV3, which now means no method"),
        ({"DeepSeekV3": None}, "passes 2 for DeepSeekV3, which now means no method"),
    ],
)
def test_a_routing_renumbered(change, bench, named, members, reason):
    changed = change(enums=renumbered(bench, "RoutingMethodType", **members))
    answer = binding.check(named(SILU), changed)
    assert answer.verdict is Verdict.FAIL_API
    assert reason in answer.reason
    assert "by name" in answer.remedy
    assert binding.check(named(ROUTED), changed).verdict is Verdict.PASS  # Renormalize is where it was


def test_an_activation_may_be_renumbered_but_not_go_away(change, bench, named):
    moved = change(enums=renumbered(bench, "ActivationType", Relu2=60))
    assert binding.check(named(RELU2), moved).verdict is Verdict.PASS
    gone = change(enums=renumbered(bench, "ActivationType", Relu2=None))
    answer = binding.check(named(RELU2), gone)
    assert answer.verdict is Verdict.FAIL_API
    assert "ActivationType has no Relu2" in answer.reason
    assert binding.check(named(SILU), gone).verdict is Verdict.PASS


def test_what_did_not_import_is_not_bound(change, named, bench):
    from matrix.kernels.moe.probe import Failure

    failure = Failure(moment="m", type="ImportError", text="t", frame="f")
    for name in ("trtllm_bf16", "ActivationType", "RoutingMethodType"):
        enums = {key: value for key, value in bench.capability.enums.items() if key != name}
        assert binding.check(named(SILU), change(failures={name: failure}, enums=enums)) is None
