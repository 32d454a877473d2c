"""What is known of the window, on the real wheels: each release imported in its lean environment."""

from __future__ import annotations

import functools
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from matrix.cells import axes
from matrix.engines import contracts
from matrix.environments import recipes
from matrix.environments.build import build
from matrix.environments.installer import Installer
from matrix.releases import window
from matrix.run.plan import Question, make

pytestmark = pytest.mark.wheels
HERE = Path(__file__).parent
ENGINES = ("sglang-0.5.11", "sglang-0.5.12", "sglang-0.5.23")
ROUTINGS = ["Default", "Renormalize", "DeepSeekV3", "Llama4", "RenormalizeNaive", "TopK"]
ACTIVATIONS = ["Gelu", "Relu", "Silu", "Swiglu", "Geglu", "SwigluBias", "Relu2"]


@dataclass(frozen=True, kw_only=True)
class Known:
    """What one release is known for.

    Args:
        parameters: of trtllm_bf16_moe.
        binds: which of ENGINES' calls it takes.
        routings: members of RoutingMethodType after ROUTINGS, in order.
        activations: members of ActivationType after ACTIVATIONS, in order.
    """

    parameters: int
    binds: tuple[str, ...]
    routings: tuple[str, ...]
    activations: tuple[str, ...]


FIRST = ("SigmoidRenorm", "MiniMax2")
WINDOW = {
    "0.5.3": Known(
        parameters=17, binds=(), routings=("Unspecified",), activations=("Identity", "InvalidType")
    ),
    "0.6.7.post3": Known(
        parameters=19,
        binds=ENGINES[:1],
        routings=("Unspecified",),
        activations=("Identity", "InvalidType"),
    ),
    "0.6.8.post1": Known(
        parameters=22,
        binds=ENGINES,
        routings=(*FIRST, "Unspecified"),
        activations=("Identity", "InvalidType"),
    ),
    "0.6.11.post1": Known(
        parameters=22,
        binds=ENGINES,
        routings=(*FIRST, "Sigmoid", "Unspecified"),
        activations=("Identity", "InvalidType"),
    ),
    "0.6.14": Known(
        parameters=26,
        binds=ENGINES,
        routings=(*FIRST, "Sigmoid", "Unspecified"),
        activations=("SwigluStep", "GegluTanh", "Identity", "InvalidType"),
    ),
    "0.6.18.post1": Known(
        parameters=26,
        binds=ENGINES,
        routings=(*FIRST, "Sigmoid", "TopKSigmoid", "Unspecified"),
        activations=("SwigluStep", "GegluTanh", "Identity", "Situ", "InvalidType"),
    ),
    "0.7.2.post1": Known(
        parameters=26,
        binds=ENGINES,
        routings=(*FIRST, "Sigmoid", "TopKSigmoid", "Unspecified"),
        activations=("SwigluStep", "GegluTanh", "Identity", "Situ", "InvalidType", "ClampedRelu2"),
    ),
}


def test_every_release_of_the_window_has_its_facts():
    assert [release.version for release in window.load(window.BUILT_IN).releases] == list(WINDOW)


@pytest.fixture(scope="module")
def look(tmp_path_factory):
    """Ask a release in a process of its environment; once, however many tests want to know."""
    known = recipes.load()

    @functools.cache
    def ask(release):
        question = Question(releases=[window.Release(version=release, reason="test")], recipes=["lean"])
        plan = make(question, axes.load(), known)
        document = plan.document | {
            "cells": [cell.to_json() for cell in plan.cells if cell.must and cell.point.backend != "torch"],
            "contracts": {engine: contracts.load(engine) for engine in ENGINES},
        }
        path = tmp_path_factory.mktemp(release) / "plan.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        built = build(plan.environments[0], Installer.find())
        done = subprocess.run(
            [built.python, HERE / "window_report.py", path],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ
            | {
                "PYTHONPATH": str(HERE.parent),
                "CUDA_VISIBLE_DEVICES": "",
                "FLASHINFER_WORKSPACE_BASE": str(path.parent),
            },
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout[done.stdout.index("{") :])

    return ask


@pytest.mark.parametrize("release", WINDOW)
def test_the_known_facts(look, release):
    known, found = WINDOW[release], look(release)
    routed = release != "0.5.3"

    assert found["release"] == release
    assert sorted(found["failures"]) == ([] if routed else ["trtllm_bf16_routed"])
    assert found["parameters"]["trtllm_bf16"] == known.parameters
    assert ("trtllm_bf16_routed" in found["parameters"]) is routed

    bound = {engine for engine, told in found["binds"].items() if not any(told.values())}
    assert bound == set(known.binds), found["binds"]
    assert ("activation_type" in found["defaults"]) is (ENGINES[1] in known.binds)

    defaults = found["defaults"]
    assert defaults["use_shuffled_weight"] is True
    assert defaults["weight_layout"] in {"BlockMajorK", found["enums"]["WeightLayout"]["BlockMajorK"]}
    assert defaults.get("norm_topk_prob", True) is True
    assert defaults.get("activation_type", 3) == found["enums"]["ActivationType"]["Swiglu"] == 3

    for enum, names in (
        ("RoutingMethodType", [*ROUTINGS, *known.routings]),
        ("ActivationType", [*ACTIVATIONS, *known.activations]),
    ):
        assert found["enums"][enum] == {name: number for number, name in enumerate(names)}


@pytest.mark.parametrize("release", WINDOW)
def test_the_stages_say_the_same(look, release):
    known, found = WINDOW[release], look(release)
    for cell, answer in found["bind"].items():
        if "/trtllm_bf16_routed/" in cell and release == "0.5.3":
            assert answer is None
            continue
        verdict, reason = answer
        assert (verdict == "PASS") is (ENGINES[1] in known.binds), reason
        if verdict != "PASS":
            assert "activation_type, which trtllm_bf16" in reason
    assert {verdict for verdict, _ in found["select"].values()} == {"PASS"}, found["select"]
    if release != "0.5.3":
        assert found["bind_without_activation_type"][0] == "FAIL_API"


@pytest.mark.parametrize("release", WINDOW)
def test_experts_without_a_gate_laid_out_as_gated_ones_are_caught(look, release):
    found = look(release)
    if ENGINES[1] not in WINDOW[release].binds:  # no kernel would read them
        assert found["layout"] is found["layout_mistaken"] is None
        return
    assert found["layout"][0] == "PASS"
    verdict, reason = found["layout_mistaken"]
    assert verdict == "FAIL_NUMERIC"
    assert "rows are not where the kernel reads them" in reason


def test_which_members_of_the_engines_mirror_mean_something_else(look):
    """Latent as long as the engine does not pass them: SGLang 0.5.12 beside its own pin, 0.5.23 beside its own."""
    for engine, release, means in (
        ("sglang-0.5.11", "0.6.8.post1", "SigmoidRenorm"),
        ("sglang-0.5.12", "0.6.11.post1", "SigmoidRenorm"),
        ("sglang-0.5.23", "0.7.2.post1", "TopKSigmoid"),
    ):
        mirror, live = contracts.load(engine)["mirror"], look(release)["enums"]["RoutingMethodType"]
        names = {number: name for name, number in live.items()}
        shifted = {name: names[number] for name, number in mirror.items() if names[number] != name}
        assert shifted == {"Unspecified": means}
