from __future__ import annotations

from itertools import product

import pytest

from matrix.cells import axes as axes_module
from matrix.cells.axes import RULES
from matrix.cells.cell import Point
from matrix.errors import InputError
from matrix.kernels.moe import activations, routings


def test_every_value_that_a_release_of_the_window_knows_is_there(axes):
    assert axes.values["activation"] == tuple(dict.fromkeys(a.name for a in activations.ACTIVATIONS))
    assert set(axes.values["routing"]) == {r.name for r in routings.ROUTINGS}
    assert axes.values["gating"] == ("gated", "nongated")
    assert axes.values["role"] == ("target", "draft")
    assert axes.values["bias"] == ("none", "bf16", "fp32")
    wanted = {"deepseek-v3", "nemotron-h", "qwen3-moe", "qwen3-next", "glm4-moe", "llama4", "kimi-k2"}
    assert wanted <= set(axes.values["profile"])


def test_the_rules_say_what_the_second_definition_says(axes, judge):
    names = list(axes.values)
    for row in product(*axes.values.values()):
        values = dict(zip(names, row, strict=True))
        assert (axes.meaningless(Point(**values)) == "") is judge(values), values


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.why)
def test_each_rule_alone_forbids_something(axes, rule):
    others = [each for each in RULES if each is not rule]
    names = list(axes.values)
    alone = [
        row
        for row in product(*axes.values.values())
        if not rule.holds(values := dict(zip(names, row, strict=True)), axes.profiles)
        and all(other.holds(values, axes.profiles) for other in others)
    ]
    assert alone


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.why)
def test_each_rule_looks_at_its_axes_and_no_other(axes, rule):
    seen = set()

    class Watched(dict):
        def __getitem__(self, key):
            seen.add(key)
            return super().__getitem__(key)

    names = list(axes.values)
    for row in product(*axes.values.values()):
        rule.holds(Watched(zip(names, row, strict=True)), axes.profiles)
    assert seen == set(rule.axes)


def test_must_cells_are_those_of_the_change_and_mean_something(axes, judge):
    assert len(axes.must) == len(set(axes.must)) >= 10
    assert all(judge(point.values()) for point in axes.must)
    texts = [point.id for point in axes.must]
    for part in (
        "/relu2-nongated/deepseek_v3/draft/",  # the MTP draft of Nemotron-H
        "/silu-gated/deepseek_v3/draft/bias-bf16/",  # what a modelopt_fp4 target leaves its draft
        "/silu-gated/renormalize/draft/",  # a draft whose routing is not DeepSeek-V3's
        "/silu-gated/renormalize_naive/target/bias-none/",  # an unquantized target
    ):
        assert any(part in text for text in texts), part
    assert {point.backend for point in axes.must} == set(axes.values["backend"])


def test_every_id_is_parsed_back(axes, every):
    ids = set()
    for values in every:
        point = Point(**values)
        assert axes.point(point.id) == point
        ids.add(point.id)
    assert len(ids) == len(every)


def test_a_whole_cell_id_names_its_point(axes):
    point = axes.must[0]
    assert axes.point(f"0.6.14/lean@3.12/{point.id}") == point


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a cell.\n  Write it as [release/environment/]backend/"),
        ("0.6.14", "is not a cell"),
        ("0.6.14/trtllm_bf16/silu-gated/deepseek_v3/target/bias-fp32/deepseek-v3", "is not a cell"),
        ("trtllm_bf16/silu-gated/deepseek_v3/target/fp32/deepseek-v3", "is not a cell"),
        ("trtllm_bf16/silu/deepseek_v3/target/bias-fp32/deepseek-v3", "unknown value of axis activation ''"),
        ("trtlm_bf16/silu-gated/deepseek_v3/target/bias-fp32/deepseek-v3", "Did you mean trtllm_bf16"),
        ("trtllm_bf16/sillu-gated/deepseek_v3/target/bias-fp32/deepseek-v3", "Did you mean silu"),
        ("trtllm_bf16/silu-gatd/deepseek_v3/target/bias-fp32/deepseek-v3", "Did you mean gated"),
        ("trtllm_bf16/silu-gated/deepseekv3/target/bias-fp32/deepseek-v3", "Did you mean deepseek_v3"),
        ("trtllm_bf16/silu-gated/deepseek_v3/targt/bias-fp32/deepseek-v3", "Did you mean target"),
        ("trtllm_bf16/silu-gated/deepseek_v3/target/bias-fp16/deepseek-v3", "Did you mean bf16"),
        ("trtllm_bf16/silu-gated/deepseek_v3/target/bias-fp32/deepsek-v3", "Did you mean deepseek-v3"),
        (
            "trtllm_bf16/relu2-gated/deepseek_v3/target/bias-fp32/deepseek-v3",
            "no release has this activation",
        ),
        ("trtllm_bf16/silu-gated/renormalize/target/bias-fp32/deepseek-v3", "takes no bias"),
        ("trtllm_bf16_routed/silu-gated/deepseek_v3/target/bias-fp32/deepseek-v3", "the caller routes"),
        ("trtllm_bf16/silu-gated/llama4/target/bias-none/deepseek-v3", "one expert a token"),
    ],
)
def test_what_is_no_point_is_one_clear_error(axes, text, message):
    with pytest.raises(InputError) as caught:
        axes.point(text)
    assert message in str(caught.value)


def test_a_must_cell_that_means_nothing_is_refused_as_the_file_is_read(tmp_path):
    text = axes_module.DATA.read_text(encoding="utf-8")
    path = tmp_path / "axes.toml"
    path.write_text(
        text.replace("relu2-nongated/deepseek_v3/target", "relu2-gated/deepseek_v3/target"), "utf-8"
    )
    with pytest.raises(InputError, match="no release has this activation with this gating"):
        axes_module.load(path)
