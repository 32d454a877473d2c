"""Every release of the window, really imported in its lean environment: its enums, its layout, its calls."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from matrix.environments import recipes
from matrix.environments.build import Environment, build
from matrix.environments.installer import Installer
from matrix.kernels.moe import activations, routings
from matrix.releases import window

HERE = Path(__file__).parent
RELEASES = [release.version for release in window.load().releases]
WITHOUT_KEYWORD = {"0.5.3", "0.6.7.post3"}
UNREACHED = ("its kernels are not present", "there is no GPU")

pytestmark = pytest.mark.wheels


@pytest.fixture(
    scope="module",
    params=[pytest.param(release, marks=pytest.mark.xdist_group(release)) for release in RELEASES],
)
def report(request, tmp_path_factory):
    """What `release_report.py` found in the environment of one release."""
    known = recipes.load()
    environment = Environment(release=request.param, recipe=known.named("lean"), torch=known.torch)
    built = build(environment, Installer.find())
    done = subprocess.run(
        [built.python, HERE / "release_report.py"],
        capture_output=True,
        check=False,
        text=True,
        env=os.environ
        | {
            "PYTHONPATH": str(HERE.parents[2]),
            "CUDA_VISIBLE_DEVICES": "",
            "FLASHINFER_WORKSPACE_BASE": str(tmp_path_factory.mktemp("workspace")),
        },
    )
    assert done.returncode == 0, done.stderr
    return {"release": request.param} | json.loads(done.stdout[done.stdout.index("{") :])


def test_every_member_is_covered(report):
    known = {a.member for a in activations.ACTIVATIONS} | {activations.NO_ACTIVATION}
    assert set(report["activations"]) <= known
    assert {"Swiglu", "Relu2"} <= set(report["activations"])
    assert set(report["routings"]) <= {r.member for r in routings.ROUTINGS} | {routings.NO_ROUTING}
    if report["release"] == RELEASES[-1]:  # what we know is no more than what exists
        assert known == set(report["activations"])
        assert {r.member for r in routings.ROUTINGS} == set(report["routings"]) - {routings.NO_ROUTING}


def test_prepared_weights_undone_give_the_original(report):
    assert report["layout"]["gated"] == ""
    assert report["layout"]["nongated"] == ""
    assert report["bound"]["shapes"] == [[8, 2, 512, 64], [8, 4, 128, 64]]


def test_experts_prepared_as_if_they_were_gated_are_reported(report):
    assert report["layout"]["nongated_mistaken"] == (
        "gemm1: 2032 of 2048 rows are not where the kernel reads them; "
        "first, in expert 0, row 1 holds its row 128"
    )
    assert "row 1 holds its row 2" in report["layout"]["gated_mistaken"]


def test_only_the_oldest_cannot_lay_out_experts_without_a_gate(report):
    oldest = report["release"] == "0.5.3"
    assert report["layout"]["knows_nongated"] is not oldest
    assert bool(report["layout"]["nongated_note"]) is oldest
    assert report["layout"]["gated_note"] == ""


def test_which_releases_cache_a_permutation_without_its_gating(report):
    forgetful = {"0.6.7.post3", "0.6.8.post1", "0.6.11.post1", "0.6.14"}
    assert report["layout"].get("cache_forgets_gating", False) is (report["release"] in forgetful)


def test_the_call_binds_where_the_keyword_exists(report):
    missing = {
        "0.5.3": ["activation_type", "routed_scaling_factor"],
        "0.6.7.post3": ["activation_type"],
    }
    assert report["bound"]["unknown"] == missing.get(report["release"], [])
    assert report["bound"]["missing"] == []


def test_a_call_is_refused_at_once(report):
    call = report["calls"]["gated, legacy"]
    assert call["refusal"].startswith(UNREACHED), call
    assert call["seconds"] < 5
    assert ("replaced" in report["offline"]) is (report["release"] == "0.5.3")


@pytest.mark.parametrize("backend", ["nongated", "routed"])
def test_the_keyword_is_passed_and_never_dropped(report, backend):
    call = report["calls"][f"{backend}, activation_type"]
    if report["release"] == "0.5.3" and backend == "routed":
        assert call["type"] == "AttributeError"
    elif report["release"] in WITHOUT_KEYWORD:
        assert call["type"] == "TypeError"
        assert "activation_type" in call["text"]
        assert call["refusal"] is None
    else:
        assert call["refusal"].startswith(UNREACHED), call


def test_without_the_keyword_only_gated_silu_is_called(report):
    assert "computes silu-gated, not relu2-nongated" in report["calls"]["nongated, legacy"]["refusal"]


def test_a_scaling_factor_is_never_dropped(report):
    refusal = report["calls"]["scaled, legacy"]["refusal"]
    if report["release"] == "0.5.3":
        assert "takes no routed_scaling_factor, and 2.5" in refusal
    else:
        assert refusal.startswith(UNREACHED)


def test_a_member_that_the_release_lacks_is_named(report):
    refusal = report["calls"]["situ"]["refusal"]
    assert ("Situ" in report["activations"]) is refusal.startswith(UNREACHED)
    assert ("Situ" in report["activations"]) is not ("no member Situ" in refusal)


def test_the_torch_backend_answers(report):
    assert report["calls"]["torch"] == {"type": "", "text": "", "refusal": None} | {
        "seconds": report["calls"]["torch"]["seconds"]
    }
