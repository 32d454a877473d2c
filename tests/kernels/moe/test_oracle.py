"""The oracle against cases computed by hand, and against loops over single numbers."""

import math

import pytest
import torch

from matrix.errors import InputError
from matrix.kernels.moe import activations, oracle, routings

LOGITS = torch.tensor([[0.0, math.log(2), math.log(4), -math.log(2)]])  # softmax: 2/15, 4/15, 8/15, 1/15


def routed(method, **options):
    ids, weights = oracle.route(method, LOGITS, **{"top_k": 2} | options)
    return ids[0].tolist(), [round(w, 6) for w in weights[0].tolist()]


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


@pytest.mark.parametrize(
    ("method", "weights"),
    [
        ("default", [8 / 15, 4 / 15]),
        ("renormalize", [2 / 3, 1 / 3]),
        ("renormalize_naive", [2 / 3, 1 / 3]),
        ("topk", [math.log(4), math.log(2)]),
        ("sigmoid", [4 / 5, 2 / 3]),
        ("topk_sigmoid", [4 / 5, 2 / 3]),
        ("sigmoid_renorm", [6 / 11, 5 / 11]),
        ("deepseek_v3", [6 / 11, 5 / 11]),
        ("minimax2", [6 / 11, 5 / 11]),
    ],
)
def test_routing_by_hand(method, weights):
    assert routed(method) == ([2, 1], [round(w, 6) for w in weights])


def test_routing_by_hand_llama4():
    assert routed("llama4", top_k=1) == ([2], [0.8])


def test_every_routing_is_computed_by_hand_somewhere():
    marks = test_routing_by_hand.pytestmark[0].args[1]
    assert {method for method, _ in marks} | {"llama4"} == set(routings.NAMES)


def test_a_bias_selects_and_does_not_weigh():
    # sigmoid: 1/2, 2/3, 4/5, 1/3; the bias lifts the last above all
    bias = torch.tensor([0.0, 0.0, 0.0, 1.0])
    for method in ("deepseek_v3", "minimax2"):
        ids, weights = oracle.route(method, LOGITS, bias, top_k=2, scaling=3.0)
        assert ids.tolist() == [[3, 2]]
        assert weights[0].tolist() == pytest.approx([3 * (1 / 3) / (17 / 15), 3 * (4 / 5) / (17 / 15)])


def test_groups_limit_the_choice():
    # The best expert (2) sits in the weaker group: 4/5 + 1/3 against 1/2 + 2/3 by sums of two.
    ids, _ = oracle.route("deepseek_v3", LOGITS, top_k=2, n_group=2, topk_group=1)
    assert sorted(ids[0].tolist()) == [0, 1]
    assert oracle.group_scores(torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]]), 2).tolist() == [[5.0, 11.0]]
    assert oracle.group_scores(torch.tensor([[1.0, 2.0]]), 2).tolist() == [[1.0, 2.0]]


def test_sigmoid_renorm_without_renormalization():
    assert routed("sigmoid_renorm", norm_topk_prob=False) == routed("sigmoid")


def test_saturated_logits_do_not_divide_by_zero():
    _, weights = oracle.route("deepseek_v3", torch.full((1, 4), -1000.0), top_k=2)
    assert weights.isfinite().all()


def test_an_unknown_routing_is_an_error():
    with pytest.raises(InputError, match="unknown routing method"):
        oracle.route("softmax", LOGITS, top_k=2)


def clamp(x, limit):
    return max(-limit, min(limit, x))


POINTWISE = {
    "silu": lambda x: x * sigmoid(x),
    "gelu": lambda x: x * 0.5 * math.erfc(-x / math.sqrt(2)),
    "gelu_tanh": lambda x: x * sigmoid(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)),
    "relu": lambda x: max(x, 0.0),
    "relu2": lambda x: max(x, 0.0) ** 2,
    "identity": lambda x: x,
    "clamped_relu2": lambda x: (7 * math.tanh(max(x, 0.0) / 7)) ** 2,
}
GATED = {
    "silu": lambda u, g: g * sigmoid(g) * u,
    "gelu": lambda u, g: POINTWISE["gelu"](g) * u,
    "gelu_tanh": lambda u, g: POINTWISE["gelu_tanh"](g) * u,
    "swiglu_bias": lambda u, g: min(g, 7) * sigmoid(1.702 * min(g, 7)) * (clamp(u, 7) + 1),
    "swiglu_step": lambda u, g: min(g * sigmoid(g), 7) * clamp(u, 7),
    "situ": lambda u, g: 4 * math.tanh(g / 4) * sigmoid(g) * 25 * math.tanh(u / 25),
}


@pytest.mark.parametrize("activation", activations.ACTIVATIONS, ids=lambda a: a.id)
def test_activation_number_by_number(activation):
    up = [-30.0, -2.0, -0.3, 0.0, 0.4, 1.5, 8.0, 40.0]
    gate = [1.0, -9.0, 0.0, 3.0, 0.7, -0.5, 9.0, 30.0]
    if activation.gated:
        rows, expected = up + gate, [GATED[activation.name](u, g) for u, g in zip(up, gate, strict=True)]
    else:
        rows, expected = up, [POINTWISE[activation.name](x) for x in up]
    result = oracle.activate(
        activation.name, torch.tensor([rows], dtype=torch.float64), gated=activation.gated
    )
    assert result[0].tolist() == pytest.approx(expected, abs=1e-12)


def test_moe_number_by_number(layer):
    """Six loops over single numbers give what the oracle gives."""
    one = layer(profile="llama4", routing="sigmoid", tokens=2, dtype=torch.float32)
    problem, made = one.problem, one.made
    ids, weights = one.route()
    expected = torch.zeros(2, problem.hidden, dtype=torch.float64)
    for token in range(2):
        x = made.hidden[token].double()
        for slot in range(problem.top_k):
            expert = int(ids[token, slot])
            rows = [float((row.double() * x).sum()) for row in made.gemm1[expert]]
            half = problem.intermediate
            active = [GATED["silu"](rows[i], rows[half + i]) for i in range(half)]
            for column in range(problem.hidden):
                row = made.gemm2[expert, column].tolist()
                expected[token, column] += float(weights[token, slot]) * sum(
                    a * b for a, b in zip(active, row, strict=True)
                )
    assert torch.allclose(one.answer().output, expected, rtol=1e-12, atol=1e-12)


def test_spread_is_the_deviation_of_a_noisy_layer(layer):
    """Rounding every step with random errors of one size gives the spread times that size."""
    one = layer(activation="relu2", gated=False, tokens=1, dtype=torch.float32)
    reference, problem, made = one.answer(), one.problem, one.made
    ids, weights = one.route()
    size, draws = 1e-6, 400
    noise = torch.Generator().manual_seed(0)

    def shake(x):
        return x * (1 + size * torch.randn(x.shape, generator=noise, dtype=torch.float64))

    outputs = torch.zeros(draws, problem.hidden, dtype=torch.float64)
    for expert, weight in zip(ids[0].tolist(), weights[0], strict=True):
        first, second = made.gemm1[expert].double(), made.gemm2[expert].double()
        rows = (made.hidden.double() @ first.T).expand(draws, -1)
        active = shake(shake(oracle.activate("relu2", shake(rows), gated=False)))
        outputs += shake(weight.expand(draws, 1)) * shake(active @ second.T)
    measured = (shake(outputs) - reference.output).square().mean(0).sqrt() / size
    ratio = measured / reference.spread[0]
    assert float(ratio.min()) > 0.8
    assert float(ratio.max()) < 1.2
    assert 0.97 < float(ratio.mean()) < 1.03
