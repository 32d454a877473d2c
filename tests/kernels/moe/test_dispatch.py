"""The dispatcher on capabilities as the releases of the window have them; real ones are in test_window_facts.py."""

from __future__ import annotations

import inspect
from itertools import product

import pytest

from matrix.cells import axes
from matrix.errors import InputError
from matrix.kernels.moe import activations, routings
from matrix.kernels.moe.dispatch import Path, Request, choose
from matrix.kernels.moe.probe import Capability, Failure

FIRST = ["routing_logits", "num_experts", "top_k", "n_group", "topk_group", "routing_method_type"]
OLD_ROUTINGS = ["Default", "Renormalize", "DeepSeekV3", "Llama4", "RenormalizeNaive", "TopK", "Unspecified"]
NEW_ROUTINGS = [*OLD_ROUTINGS[:-1], "SigmoidRenorm", "MiniMax2", "Sigmoid", "TopKSigmoid", "Unspecified"]
OLD_ACTIVATIONS = [
    "Gelu",
    "Relu",
    "Silu",
    "Swiglu",
    "Geglu",
    "SwigluBias",
    "Relu2",
    "Identity",
    "InvalidType",
]


def capability(*keywords, routing_names=NEW_ROUTINGS, activation_names=OLD_ACTIVATIONS, failures=None):
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    signature = inspect.Signature([inspect.Parameter(name, kind) for name in (*FIRST, *keywords)])
    names = [name for name in ("trtllm_bf16", "trtllm_bf16_routed") if name not in (failures or {})]
    return Capability(
        release="x",
        kernels=dict.fromkeys(names),
        signatures=dict.fromkeys(names, signature),
        enums={
            "ActivationType": {name: number for number, name in enumerate(activation_names)},
            "RoutingMethodType": {name: number for number, name in enumerate(routing_names)},
        },
        failures=failures or {},
    )


OLDEST = capability(routing_names=OLD_ROUTINGS)  # as 0.5.3
BEFORE = capability("routed_scaling_factor", routing_names=OLD_ROUTINGS)  # as 0.6.7
AFTER = capability("routed_scaling_factor", "activation_type")  # as 0.6.8 and later
LAYER = {
    "backend": "trtllm_bf16",
    "activation": "silu",
    "gated": True,
    "routing": "deepseek_v3",
    "top_k": 8,
    "num_experts": 256,
    "n_group": 8,
    "routed_scaling_factor": 2.5,
    "compute_capability": (10, 0),
}


def chosen(found, **changes):
    return choose(Request(**LAYER | changes), found)


def test_the_three_paths():
    assert chosen(AFTER).path is Path.ACTIVATION_TYPE
    assert chosen(AFTER).reason == "the kernel takes activation_type=Swiglu"
    assert chosen(AFTER).left_out == ()
    assert chosen(BEFORE).path is Path.LEGACY
    assert chosen(BEFORE).left_out == ("activation_type",)
    assert chosen(OLDEST).path is Path.FALLBACK


@pytest.mark.parametrize(
    ("found", "changes", "reason"),
    [
        (AFTER, {"backend": "torch"}, "the torch backend was asked for"),
        (AFTER, {"role": "draft", "draft_policy": "avoid_trtllm"}, "the draft policy avoids trtllm"),
        (AFTER, {"compute_capability": None}, "no GPU: trtllm-gen BF16 kernels run on SM100"),
        (AFTER, {"compute_capability": (9, 0)}, "the GPU is SM90: trtllm-gen BF16 kernels run on SM100"),
        (AFTER, {"compute_capability": (12, 0)}, "the GPU is SM120: trtllm-gen BF16 kernels run on SM100"),
        (AFTER, {"activation": "situ"}, "this release has no ActivationType.Situ"),
        (
            AFTER,
            {"activation": "gelu"},
            "BF16 trtllm-gen kernels are known for Swiglu and Relu2 only, not for Geglu",
        ),
        (
            AFTER,
            {"gated": False},
            "BF16 trtllm-gen kernels are known for Swiglu and Relu2 only, not for Silu",
        ),
        (
            BEFORE,
            {"activation": "relu2", "gated": False},
            "relu2-nongated needs activation_type, which this release does not take",
        ),
        (BEFORE, {"routing": "sigmoid"}, "this release has no RoutingMethodType.Sigmoid"),
        (
            BEFORE,
            {"routing": "default"},
            "RoutingMethodType.Default is declared but not implemented before SigmoidRenorm came",
        ),
        (
            AFTER,
            {"routing": "topk", "top_k": 22, "num_experts": 512},
            "no TopK kernel covers top-22 of 512 experts",
        ),
        (AFTER, {"routing": "llama4", "top_k": 2}, "no Llama4 kernel covers top-2 of 256 experts"),
        (BEFORE, {"top_k": 10}, "DeepSeekV3 routing takes at most top-8 here"),
        (AFTER, {"top_k": 23}, "DeepSeekV3 routing takes at most top-22 here"),
        (OLDEST, {}, "routed_scaling_factor=2.5 cannot be passed to this release"),
    ],
)
def test_each_reason_to_fall_back(found, changes, reason):
    decision = chosen(found, **changes)
    assert (decision.path, decision.reason, decision.left_out) == (Path.FALLBACK, reason, ())


def test_a_draft_falls_back_on_its_own_where_only_its_routing_is_not_taken():
    target = chosen(BEFORE)
    draft = chosen(BEFORE, role="draft", routing="sigmoid_renorm", routed_scaling_factor=None)
    assert target.path is Path.LEGACY
    assert draft.path is Path.FALLBACK
    assert "SigmoidRenorm" in draft.reason


def test_the_policies_differ_for_drafts_only():
    for role, path in (("draft", Path.FALLBACK), ("target", Path.ACTIVATION_TYPE)):
        assert chosen(AFTER, role=role, draft_policy="avoid_trtllm").path is path
        assert chosen(AFTER, role=role).path is Path.ACTIVATION_TYPE


@pytest.mark.parametrize("name", ["trtllm_bf16", "ActivationType", "RoutingMethodType"])
def test_an_import_that_failed_is_the_reason(name):
    failure = Failure(moment="import flashinfer", type="RuntimeError", text="no", frame="a.py:1 in b")
    decision = chosen(capability("activation_type", failures={name: failure}))
    assert decision.path is Path.FALLBACK
    assert decision.reason == "import flashinfer raised RuntimeError: no (a.py:1 in b)"


def test_what_failed_elsewhere_is_no_reason():
    failure = Failure(moment="m", type="t", text="x", frame="f")
    found = capability("routed_scaling_factor", "activation_type", failures={"trtllm_bf16_routed": failure})
    assert chosen(found).path is Path.ACTIVATION_TYPE
    assert chosen(found, backend="trtllm_bf16_routed").path is Path.FALLBACK


def test_the_routed_backend_leaves_routing_to_its_caller():
    decision = chosen(
        AFTER, backend="trtllm_bf16_routed", routing="sigmoid_renorm", top_k=30, num_experts=4096
    )
    assert decision.path is Path.ACTIVATION_TYPE


@pytest.mark.parametrize("found", [OLDEST, BEFORE, AFTER], ids=["oldest", "before", "after"])
def test_no_keyword_is_ever_dropped_that_means_something(found):
    """Over every layer of the matrix: what a path leaves out is what the kernel does without it."""
    known = axes.load()
    paths = set()
    for activation, routing, profile, backend in product(
        activations.ACTIVATIONS,
        routings.NAMES,
        known.profiles.values(),
        ("trtllm_bf16", "trtllm_bf16_routed"),
    ):
        request = Request(
            backend=backend,
            activation=activation.name,
            gated=activation.gated,
            routing=routing,
            top_k=profile.top_k,
            num_experts=profile.experts,
            n_group=profile.n_group,
            routed_scaling_factor=profile.routed_scaling_factor,
            compute_capability=(10, 0),
        )
        decision = choose(request, found)
        paths.add(decision.path)
        taken = set(found.signatures[backend].parameters)
        if decision.path is Path.FALLBACK:
            assert decision.reason
            continue
        assert set(decision.left_out) == {"activation_type", "routed_scaling_factor"} - taken
        if "activation_type" not in taken:
            assert decision.path is Path.LEGACY
            assert (activation.name, activation.gated) == ("silu", True)
        if "routed_scaling_factor" not in taken:
            assert request.routed_scaling_factor in {None, 1.0}
    assert Path.FALLBACK in paths
    assert len(paths) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"draft_policy": "avoid_trtlm"}, "unknown draft policy 'avoid_trtlm'.\n  Did you mean avoid_trtllm"),
        ({"role": "drafts"}, "unknown role 'drafts'.\n  Did you mean draft"),
        ({"backend": "trtllm"}, "unknown backend 'trtllm'.\n  Did you mean trtllm_bf16"),
        ({"activation": "silo"}, "Did you mean silu"),
        ({"routing": "deepseekv3"}, "Did you mean deepseek_v3"),
        (
            {"activation": "relu2"},
            "unknown activation and gating 'relu2-gated'.\n  Did you mean relu2-nongated",
        ),
    ],
)
def test_a_misspelt_word_never_passes_for_another(changes, message):
    with pytest.raises(InputError) as caught:
        chosen(AFTER, **changes)
    assert message in str(caught.value)


def test_the_version_is_never_looked_at():
    for release in (None, "0.1", "99"):
        found = Capability(**vars(AFTER) | {"release": release})
        assert chosen(found).path is Path.ACTIVATION_TYPE
