"""What a recorded call must hold, without an engine: arguments bent one by one."""

from __future__ import annotations

import inspect
from enum import IntEnum

import pytest

torch = pytest.importorskip("torch")

from matrix.engines.replay import contract  # noqa: E402
from matrix.engines.replay.answer import answer, unpack  # noqa: E402
from matrix.engines.replay.record import InvalidCallError, Recorder  # noqa: E402
from matrix.kernels.moe import inputs, layout, oracle  # noqa: E402
from matrix.kernels.moe.backends.trtllm_bf16_routed import pack  # noqa: E402
from matrix.kernels.moe.compare import compare  # noqa: E402
from matrix.kernels.moe.probe import Capability  # noqa: E402
from matrix.kernels.moe.problem import Problem  # noqa: E402

ENUMS = {
    "ActivationType": {"Gelu": 0, "Silu": 2, "Swiglu": 3, "Geglu": 4, "Relu2": 6},
    "RoutingMethodType": {"Default": 0, "Renormalize": 1, "DeepSeekV3": 2, "Llama4": 3, "TopK": 5},
    "WeightLayout": {"MajorK": 0, "BlockMajorK": 2},
}
PROBLEM = Problem(
    tokens=5,
    hidden=384,
    intermediate=256,
    experts=16,
    top_k=3,
    n_group=4,
    topk_group=2,
    scaling=2.5,
    routing="deepseek_v3",
    activation="silu",
    gated=True,
)


def trtllm_bf16_moe(  # noqa: PLR0917 - FlashInfer's own signature
    routing_logits, routing_bias, hidden_states, gemm1_weights, gemm2_weights, num_experts, top_k, n_group,
    topk_group, intermediate_size, local_expert_offset, local_num_experts, routed_scaling_factor=None,
    routing_method_type=0, use_shuffled_weight=True, weight_layout=2, activation_type=3,  # noqa: FBT002
):  # fmt: skip
    """A function with the signature that matters, in the place of FlashInfer's."""
    return "answered"


def blocked(weights, *, gated):
    """The prepared layout, by the inverse of `layout.undo`: a permutation is undone by sorting its result."""
    experts, rows, columns = weights.shape
    numbers = torch.arange(rows * columns, dtype=torch.float64).reshape(1, columns // 64, rows, 64)
    places = layout.undo(numbers, gated=gated).flatten().long()
    flat = weights.reshape(experts, -1)
    return torch.zeros_like(flat).index_copy_(1, places, flat).reshape(experts, columns // 64, rows, 64)


@pytest.fixture(scope="module")
def made():
    return inputs.make(PROBLEM, "record", bias_dtype="fp32")


@pytest.fixture(scope="module")
def right(made):
    return {
        "routing_logits": made.logits,
        "routing_bias": made.bias,
        "hidden_states": made.hidden,
        "gemm1_weights": blocked(made.gemm1, gated=True),
        "gemm2_weights": blocked(made.gemm2, gated=False),
        "num_experts": 16,
        "top_k": 3,
        "n_group": 4,
        "topk_group": 2,
        "intermediate_size": 256,
        "local_expert_offset": 0,
        "local_num_experts": 16,
        "routed_scaling_factor": 2.5,
        "routing_method_type": 2,
        "activation_type": 3,
    }


def recorder(answer=answer):
    signature = inspect.signature(trtllm_bf16_moe)
    capability = Capability(
        release="0",
        kernels={"trtllm_bf16": trtllm_bf16_moe},
        signatures={"trtllm_bf16": signature},
        enums=ENUMS,
    )
    return Recorder(capability=capability, answer=answer)


def call(arguments):
    found = recorder()
    wrapped = found._wrapped("trtllm_bf16", "trtllm_bf16_moe")
    result = wrapped(**arguments)
    return result, found.calls


def test_a_right_call_is_recorded_with_what_it_leaves_to_defaults(right):
    result, (recorded,) = call(right)
    assert result == "answered"
    assert set(recorded.passed) == set(right)
    assert recorded.left == {"use_shuffled_weight": True, "weight_layout": 2}
    assert recorded.members == {
        "activation_type": "Swiglu",
        "routing_method_type": "DeepSeekV3",
        "weight_layout": "BlockMajorK",
    }


def test_the_answer_is_the_oracles(right, made):
    _, (recorded,) = call(right)
    ids, weights = oracle.route(
        "deepseek_v3", made.logits, made.bias, top_k=3, n_group=4, topk_group=2, scaling=2.5
    )
    reference = oracle.moe(PROBLEM, made.hidden, made.gemm1, made.gemm2, ids=ids, weights=weights)
    assert compare(answer(recorded), reference).right


def test_where_the_kernel_runs_nothing_stands_in_for_it_and_calls_are_checked_before(right):
    found = recorder(answer=None)
    assert found.replaced == []
    wrapped = found._wrapped("trtllm_bf16", "trtllm_bf16_moe")
    assert wrapped(**right) == "answered"
    with pytest.raises(InvalidCallError):
        wrapped(**right | {"top_k": 9})


class Shifted(IntEnum):
    DeepSeekV3 = 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_group": 2, "topk_group": 4}, "n_group=2 and topk_group=4 do not divide and select 16 experts"),
        ({"top_k": 9}, "top_k=9 of 16 experts"),
        ({"local_expert_offset": 1}, "experts 1 and 16 more are not among 16"),
        (
            {"routing_method_type": Shifted.DeepSeekV3},
            "is the engine's RoutingMethodType.DeepSeekV3, and RoutingMethodType.Llama4 here",
        ),
        ({"routing_method_type": 9}, "routing_method_type=9 is no member of RoutingMethodType"),
        ({"routing_method_type": None}, "routing_method_type is None"),
        ({"activation_type": 6}, "with activation_type=Relu2"),
        ({"weight_layout": 0}, "weight_layout=MajorK"),
        ({"use_shuffled_weight": False}, "use_shuffled_weight is off"),
        (
            {"intermediate_size": 128},
            "gemm1_weights is bfloat16 [16, 6, 512, 64], and the kernel reads bfloat16 [16, 6, 256, 64]",
        ),
    ],
)
def test_each_wrong_figure_is_named(right, changes, message):
    with pytest.raises(InvalidCallError) as caught:
        call(right | changes)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "bend", "message"),
    [
        ("hidden_states", lambda x: x.half(), "hidden_states is float16 [5, 384]"),
        ("routing_logits", lambda x: x.half(), "routing_logits is float16"),
        ("routing_logits", lambda x: x[:, :8], "routing_logits is float32 [5, 8]"),
        ("routing_bias", lambda x: x.half(), "routing_bias is float16"),
        ("gemm1_weights", lambda x: x.transpose(1, 2), "gemm1_weights is bfloat16 [16, 512, 6, 64]"),
        ("gemm2_weights", lambda x: x.float(), "gemm2_weights is float32"),
    ],
)
def test_each_wrong_tensor_is_named(right, name, bend, message):
    with pytest.raises(InvalidCallError) as caught:
        call(right | {name: bend(right[name])})
    assert message in str(caught.value)


def test_what_does_not_bind_gets_the_functions_own_words(right):
    with pytest.raises(
        TypeError, match=r"trtllm_bf16_moe\(\) got an unexpected keyword argument 'gating'"
    ) as caught:
        call(right | {"gating": 1})
    assert caught.value.__context__ is None, "what was tried before is no part of the engine's traceback"


def test_packed_experts_come_back_negative_weights_too():
    ids = torch.tensor([[0, 5, 300]])
    weights = torch.tensor([[0.5, -1.25, 3.0]])
    again, values = unpack(pack(ids, weights))
    assert again.tolist() == ids.tolist()
    assert values.tolist() == weights.tolist()


def test_differences_of_contracts_are_told_path_by_path():
    kept = {"call": {"a": {"keywords": ["x", "y"]}}, "accepts": ["silu-gated"]}
    found = {"call": {"a": {"keywords": ["x"]}}, "accepts": ["silu-gated"], "new": 1}
    assert list(contract.differences(kept, found)) == [
        "call.a.keywords: ['x', 'y'] is recorded, ['x'] is passed",
        "new: None is recorded, 1 is passed",
    ]
