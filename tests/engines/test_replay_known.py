"""The built-in expectations on what SGLang's own code is known to do: each entry excuses its own failure alone."""

from __future__ import annotations

from datetime import date

import pytest

from matrix.cells.cell import Cell, Point
from matrix.expectations import BUILT_IN, Outcome, Subject, judge, load
from matrix.verdicts import Verdict

REFUSED = "sglang breaks: TypeError: {}() got an unexpected keyword argument '{}'"
MOE, ROUTED = "trtllm_bf16_moe", "trtllm_bf16_routed_moe"
ABSENT = "sglang raises ImportError: Can't import trtllm_bf16_routed_moe from flashinfer. Please check"
LAYOUT = "sglang's own preparation of non-gated weights is not what the kernel reads: gemm1: 4 of 8 rows"
SILU = "sglang binds, but gemm1_weights is x; activation_type is Swiglu, the layer's is Silu"
SIGMOID = "binds, but it is the engine's RoutingMethodType.Sigmoid, and RoutingMethodType.Unspecified here"
RELU2, NONGATED = "relu2-nongated", "silu-nongated"


def outcome(*told):
    engine, release, backend, kind, routing, verdict, reason = told
    activation, gating = kind.split("-")
    point = Point(
        backend=backend,
        activation=activation,
        gating=gating,
        routing=routing,
        role="draft",
        bias="none",
        profile="nemotron-h",
    )
    subject = Subject(
        cell=Cell(release=release, environment=f"sglang-{engine}", point=point),
        capability="",
        verdict=Verdict(verdict),
        results=[("replay", Verdict(verdict))],
        reasons={"replay": reason},
    )
    return judge(load(BUILT_IN), date(2026, 11, 24))(subject).outcome


KNOWN = [
    (
        "0.5.12",
        "0.6.7.post3",
        "trtllm_bf16",
        RELU2,
        "renormalize",
        "FAIL_API",
        REFUSED.format(MOE, "activation_type"),
    ),
    (
        "0.5.12",
        "0.6.7.post3",
        "trtllm_bf16_routed",
        RELU2,
        "topk",
        "FAIL_API",
        REFUSED.format(ROUTED, "activation_type"),
    ),
    (
        "0.5.13",
        "0.6.7.post3",
        "trtllm_bf16",
        RELU2,
        "minimax2",
        "FAIL_API",
        REFUSED.format(MOE, "activation_type"),
    ),
    (
        "0.5.12",
        "0.5.3",
        "trtllm_bf16",
        RELU2,
        "renormalize",
        "FAIL_API",
        REFUSED.format(MOE, "routed_scaling_factor"),
    ),
    (
        "0.5.13",
        "0.5.3",
        "trtllm_bf16",
        RELU2,
        "minimax2",
        "FAIL_API",
        REFUSED.format(MOE, "routed_scaling_factor"),
    ),
    ("0.5.12", "0.5.3", "trtllm_bf16_routed", RELU2, "topk", "IMPORT_ERROR", ABSENT),
    ("0.5.12", "0.6.8.post1", "trtllm_bf16", RELU2, "renormalize", "FAIL_NUMERIC", LAYOUT),
    ("0.5.12.post1", "0.6.12", "trtllm_bf16_routed", NONGATED, "topk", "FAIL_API", SILU),
    ("0.5.13", "0.6.8.post1", "trtllm_bf16_routed", RELU2, "sigmoid", "FAIL_API", SIGMOID),
]


@pytest.mark.parametrize("told", KNOWN)
def test_what_is_known_is_excused_and_nothing_else(told):
    assert outcome(*told) is Outcome.XFAIL
    assert outcome(*told[:-1], "sglang breaks: TypeError: another") is Outcome.UNEXPECTED
    assert outcome(*told[:-2], "PASS", "right") is Outcome.XPASS
    assert outcome(*told[:2], told[2], "gelu-gated", *told[4:5], "UNSUPPORTED", "refuses") is (
        Outcome.XPASS if told[-1] is ABSENT else Outcome.EXPECTED
    )


def test_every_entry_of_replay_is_about_one_of_these():
    entries = [entry for entry in load(BUILT_IN).entries if "replay" in entry.stages]
    assert len(entries) == len(KNOWN) - 1  # that of activation_type covers both functions


def test_the_next_release_of_the_engine_is_held_to_more():
    assert (
        outcome("0.5.13", "0.6.12", "trtllm_bf16", RELU2, "renormalize", "FAIL_NUMERIC", LAYOUT)
        is Outcome.UNEXPECTED
    )
