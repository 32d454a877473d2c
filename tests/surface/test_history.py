"""Known facts of FlashInfer's history come out by themselves."""

import pytest
from packaging.version import Version

from matrix.errors import InputError
from matrix.surface.diff import diff
from matrix.surface.history import history

MOE = "flashinfer.fused_moe.trtllm_bf16_moe"


def test_ranges_and_gaps(made):
    sources = ["def f(a): ...", "def f(a, b=1): ...", "", "def f(a, b=2): ..."]
    surfaces = [
        made({"m": source, "n": "def f(z): ..."}, release=f"0.{i}") for i, source in enumerate(sources)
    ]
    found = history(surfaces, "m.f")
    assert [(span.text(), span.value) for span in found.traits["presence"]] == [
        ("0.0 to 0.1", "function"),
        ("0.2", None),
        ("0.3", "function"),
    ]
    assert [(span.text(), span.value) for span in found.traits["elsewhere"]][1] == ("0.2", "n.f")
    assert [span.value for span in found.traits["parameter b"]] == [
        None,
        "position 1, default 1",
        None,
        "position 1, default 2",
    ]
    assert any("absent" in line for line in found.lines())
    assert "| parameter b | 0.3, the newest | `position 1, default 2` |" in found.markdown()
    assert "| parameter b | 0.0" not in found.markdown()


def test_a_parameter_that_keywords_take_has_not_ended(made):
    sources = ["def f(a): ...", "def f(a, b=1): ...", "def f(a, *old, **kw): ..."]
    found = history([made({"m": source}, release=f"0.{i}") for i, source in enumerate(sources)], "m.f")
    assert [span.value for span in found.traits["parameter b"]] == [
        None,
        "position 1, default 1",
        "taken by **kw",
    ]


def test_unknown_symbol_names_the_nearest(made):
    with pytest.raises(InputError, match=r"m\.function"):
        history([made({"m": "def function(): ..."})], "m.functio")
    with pytest.raises(InputError, match=r"Did you mean m\.a\.g\?"):
        history([made({"m": "", "m.a": "def g(): ..."})], "m.g")


TURNS = [
    *("0.5.3", "0.6.0", "0.6.2", "0.6.3", "0.6.4", "0.6.5", "0.6.7.post3", "0.6.8", "0.6.10.post1"),
    *("0.6.11", "0.6.12", "0.6.13", "0.6.14", "0.6.17", "0.6.18"),
]
"""Releases on both sides of every turn of the known facts."""


@pytest.fixture(scope="module")
def surfaces(library):
    return library.many(TURNS)


def value_at(found, trait, release):
    order = list(found.releases)
    return next(
        span.value
        for span in found.traits[trait]
        if order.index(span.first) <= order.index(release) <= order.index(span.last)
    )


def first(found, trait):
    return next(span.first for span in found.traits[trait] if span.value is not None)


@pytest.mark.wheels
def test_parameters_of_trtllm_bf16_moe(surfaces):
    found = history(surfaces, MOE)
    assert first(found, "presence") == "0.5.3"
    for name, release, position in (
        ("routed_scaling_factor", "0.6.0", 12),
        ("do_finalize", "0.6.5", 16),
        ("activation_type", "0.6.8", 19),
        ("gemm1_alpha", "0.6.13", 22),
        ("output", "0.6.14", 25),
    ):
        assert first(found, f"parameter {name}") == release
        assert value_at(found, f"parameter {name}", release).startswith(f"position {position},")
    assert value_at(found, "parameter activation_type", "0.6.8").endswith("ActivationType.Swiglu.value = 3")


@pytest.mark.wheels
def test_enums(surfaces):
    routing = history(surfaces, "flashinfer.fused_moe.RoutingMethodType")
    numbers = [(span.first, span.value) for span in routing.traits["member Unspecified"]]
    assert [number for _, number in numbers] == ["6", "8", "9", "10"]
    gated = history(surfaces, "flashinfer.fused_moe.core.GatedActType")
    inside = [span for span in gated.traits["presence"][1:-1] if span.value is None]
    assert [(span.first, span.last) for span in inside] == [("0.6.3", "0.6.3")]


@pytest.mark.wheels
@pytest.mark.slow
def test_every_release(library):
    every = library.many([one for one in library.published() if Version(one) >= Version("0.4.0")])
    found = history(every, MOE)
    assert first(found, "presence") == "0.5.3"
    assert first(found, "parameter activation_type") == "0.6.8"
    sentinel = history(every, "flashinfer.fused_moe.RoutingMethodType").traits["member Unspecified"]
    assert [(span.first, span.value) for span in sentinel] == [
        ("0.4.0", "6"),
        ("0.6.8", "8"),
        ("0.6.11", "9"),
        ("0.6.18", "10"),
    ]


@pytest.mark.wheels
def test_inserted_and_renamed(library):
    found = {
        (one.kind.id, one.name)
        for pair in (("0.5.3", "0.6.0"), ("0.6.4", "0.6.5"))
        for one in diff(*library.many(list(pair)), symbol=MOE)
    }
    assert {("inserted-parameter", "routed_scaling_factor"), ("inserted-parameter", "do_finalize")} <= found
    renamed = diff(
        *library.many(["0.6.2", "0.6.3"]), symbol="flashinfer.fused_moe.trtllm_fp4_block_scale_moe"
    )
    assert [(one.kind.id, one.name, one.message) for one in renamed] == [
        (
            "renamed-parameter",
            "gated_act_type",
            "parameter 'gated_act_type' is now called 'activation_type', in the same place",
        )
    ]
