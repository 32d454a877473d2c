from __future__ import annotations

import pytest

from matrix.checks import layout as check_module
from matrix.kernels.moe import layout
from matrix.verdicts import Verdict

SILU = "trtllm_bf16/silu-gated/deepseek_v3/draft/bias-fp32/deepseek-v3"
RELU2 = "trtllm_bf16/relu2-nongated/deepseek_v3/draft/bias-fp32/nemotron-h"
GELU = "trtllm_bf16/gelu-gated/deepseek_v3/draft/bias-fp32/deepseek-v3"
TORCH = "torch/relu2-nongated/deepseek_v3/draft/bias-fp32/nemotron-h"


@pytest.fixture
def live(core, monkeypatch):
    """The planted release's own functions, one of them replaced where a test says so."""

    def use(**changes):
        functions = {
            "first": core._maybe_get_cached_w3_w1_permute_indices,
            "second": core.get_w2_permute_indices_with_cache,
            "block": core.convert_to_block_layout,
        }
        made = layout.Functions(**functions | changes)
        monkeypatch.setattr(layout.Functions, "live", lambda: made)

    use()
    return use


def test_a_right_layout_comes_back(bench, named, live):
    for text, kind in ((SILU, "gated"), (RELU2, "non-gated")):
        answer = check_module.check(named(text), bench)
        assert answer.verdict is Verdict.PASS
        assert answer.reason == f"{kind} weights come back from the release's layout"


def test_experts_without_a_gate_laid_out_as_gated_ones_are_caught(bench, named, live, core):
    """The mistake of SGLang 0.5.12: `is_gated_act_gemm` is not passed, and its default is True."""

    def mistaken(cache, weight, tile, is_gated_act_gemm=True):  # noqa: FBT002 - FlashInfer's signature
        return core._maybe_get_cached_w3_w1_permute_indices(cache, weight, tile)

    live(first=mistaken)
    assert check_module.check(named(SILU), bench).verdict is Verdict.PASS
    answer = check_module.check(named(RELU2), bench)
    assert answer.verdict is Verdict.FAIL_NUMERIC
    assert "rows are not where the kernel reads them" in answer.reason
    assert "would be wrong without an error" in answer.remedy


@pytest.mark.parametrize("name", ["second", "block"])
def test_another_shuffle_or_block_is_caught(bench, named, live, core, name):
    mutations = {
        "second": lambda cache, weight, tile: core.get_w2_permute_indices_with_cache(
            cache, weight, tile
        ).flip(0),
        "block": lambda tensor, block: core.convert_to_block_layout(tensor, block).flip(0),
    }
    live(**{name: mutations[name]})
    assert check_module.check(named(SILU), bench).verdict is Verdict.FAIL_NUMERIC


def test_a_layer_that_falls_back_has_no_layout(bench, named, live):
    assert check_module.check(named(GELU), bench) is None
    assert check_module.check(named(TORCH), bench) is None


def test_equal_shapes_are_laid_out_once(bench, named, live, core):
    calls = []

    def counted(*arguments, **keywords):
        calls.append(arguments)
        return core._maybe_get_cached_w3_w1_permute_indices(*arguments, **keywords)

    live(first=counted)
    for text in (SILU, SILU.replace("draft", "target"), SILU.replace("fp32", "bf16")):
        check_module.check(named(text), bench)
    assert len(calls) == 1
