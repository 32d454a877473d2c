import pytest
import torch

from matrix.errors import InputError
from matrix.kernels.moe import activations, compare, fallback, profiles, routings


@pytest.mark.parametrize("activation", activations.ACTIVATIONS, ids=lambda a: a.id)
def test_every_activation_with_every_routing(layer, activation):
    for routing in routings.NAMES:
        one = layer(
            profile="kimi-k2", routing=routing, activation=activation.name, gated=activation.gated, tokens=4
        )
        result = compare.compare(one.fall_back(), one.answer())
        assert result.right, f"{routing}: {result.reason}"


@pytest.mark.parametrize("name", profiles.load())
def test_every_profile_as_published(layer, name):
    profile = profiles.find(name)
    for tokens in (1, 33):
        one = layer(
            profile=name,
            routing=profile.routing,
            activation=profile.activation,
            gated=profile.gated,
            tokens=tokens,
        )
        result = compare.compare(one.fall_back(), one.answer())
        assert result.right, f"{tokens} tokens: {result.reason}"


@pytest.mark.parametrize("dtype", fallback.DTYPES)
def test_every_dtype_with_and_without_grouped_products(layer, dtype, monkeypatch):
    one = layer(dtype=dtype)
    grouped = one.fall_back()
    assert fallback.grouped_product("cpu", dtype) is not None
    monkeypatch.setattr(fallback, "grouped_product", lambda *_: None)
    assert compare.compare(grouped, one.answer()).right
    assert compare.compare(one.fall_back(), one.answer()).right


def test_a_size_that_grouped_products_do_not_take():
    from matrix.kernels.moe import inputs, oracle
    from matrix.kernels.moe.problem import Problem

    problem = Problem(
        tokens=3, hidden=10, intermediate=6, experts=4, top_k=2, routing="renormalize", activation="relu2",
        gated=False,
    )  # fmt: skip
    made = inputs.make(problem, "odd")
    ids, weights = oracle.route("renormalize", made.logits, top_k=2)
    reference = oracle.moe(problem, made.hidden, made.gemm1, made.gemm2, ids=ids, weights=weights)
    output = fallback.moe(problem, made.hidden, made.gemm1, made.gemm2, logits=made.logits, bias=made.bias)
    assert compare.compare(output, reference).right


def test_its_routing_is_the_oracles_choice(layer):
    for routing in routings.NAMES:
        one = layer(routing=routing, tokens=32, logits_dtype=torch.bfloat16)
        ids, weights = fallback.route(one.problem, one.made.logits, one.made.bias)
        ids, order = ids.sort()
        right_ids, right_order = one.route()[0].sort()
        assert torch.equal(ids, right_ids), routing
        right = one.route()[1].gather(1, right_order)
        assert torch.allclose(weights.gather(1, order).double(), right, rtol=1e-5, atol=1e-6), routing


def test_it_refuses_what_it_does_not_know(layer):
    one = layer()
    made = one.made
    with pytest.raises(fallback.UnfitError, match="float64"):
        fallback.moe(one.problem, made.hidden.double(), made.gemm1, made.gemm2, logits=made.logits, bias=None)
    with pytest.raises(fallback.UnfitError, match="shape"):
        fallback.moe(one.problem, made.hidden, made.gemm2, made.gemm1, logits=made.logits, bias=None)


def test_an_axis_value_without_code_is_refused_and_not_guessed(layer, monkeypatch):
    one = layer()
    new = routings.Routing(name="new", member="New", formula="", max_top_k=8, max_experts=64)
    monkeypatch.setattr(routings, "ROUTINGS", (*routings.ROUTINGS, new))
    with pytest.raises(fallback.UnfitError, match="no routing method 'new'"):
        fallback.route(one.problem.__class__(**vars(one.problem) | {"routing": "new", "n_group": 1,
                       "topk_group": 1}), one.made.logits, None)  # fmt: skip
    newer = activations.Activation(name="newer", gated=True, member="Newer")
    monkeypatch.setattr(activations, "ACTIVATIONS", (*activations.ACTIVATIONS, newer))
    changed = one.problem.__class__(**vars(one.problem) | {"activation": "newer"})
    with pytest.raises(fallback.UnfitError, match="no activation 'newer-gated'"):
        fallback.moe(
            changed, one.made.hidden, one.made.gemm1, one.made.gemm2, logits=one.made.logits, bias=None
        )
    with pytest.raises(InputError):
        activations.find("newest", gated=True)
