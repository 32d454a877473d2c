"""SGLang's own code, from its own wheels. Minutes, and 6 GB for a CUDA build of torch: `nox -s slow`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import jsonschema
import pytest

from matrix.engines import contracts
from matrix.engines.replay import recipe
from matrix.engines.replay.recipe import Subject
from matrix.environments.build import Environment, build
from matrix.environments.installer import Installer

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
KINDS = ("silu-gated", "relu2-nongated", "gelu-gated")
CELLS = (
    "(activation=silu or activation=relu2 or activation=gelu) and backend=trtllm_bf16 and routing=deepseek_v3"
)
PAIRS = {
    ("0.5.11", "0.6.8.post1"): {
        "silu-gated": ("PASS", "calls trtllm_bf16_moe rightly"),
        "relu2-nongated": ("UNSUPPORTED", "AssertionError: Only silu is supported for flashinfer trtllm moe"),
        "gelu-gated": ("UNSUPPORTED", "AssertionError: Only silu is supported for flashinfer trtllm moe"),
    },
    ("0.5.12", "0.6.7.post3"): {
        "silu-gated": (
            "FAIL_API",
            "TypeError: trtllm_bf16_moe() got an unexpected keyword argument 'activation_type'",
        ),
        "relu2-nongated": ("FAIL_API", "got an unexpected keyword argument 'activation_type'"),
        "gelu-gated": ("UNSUPPORTED", "AssertionError: Only {"),
    },
    ("0.5.12", "0.6.8"): {
        "silu-gated": ("PASS", "rightly"),
        "relu2-nongated": (
            "FAIL_NUMERIC",
            "own preparation of non-gated weights is not what the kernel reads: gemm1",
        ),
        "gelu-gated": ("UNSUPPORTED", "AssertionError: Only {"),
    },
    ("0.5.12.post1", "0.6.11.post1"): {
        "silu-gated": ("PASS", "rightly"),
        "relu2-nongated": ("FAIL_NUMERIC", "own preparation of non-gated weights"),
        "gelu-gated": ("UNSUPPORTED", "AssertionError: Only {"),
    },
    ("0.5.13", "0.6.12"): {
        "silu-gated": ("PASS", "rightly"),
        "relu2-nongated": ("PASS", "rightly"),
        "gelu-gated": ("UNSUPPORTED", "AssertionError: Only {"),
    },
}
DRAFTS = {
    "0.5.11": "auto",
    "0.5.12": "flashinfer_trtllm",
    "0.5.12.post1": "flashinfer_trtllm",
    "0.5.13": "flashinfer_trtllm",
}


@pytest.fixture(scope="module")
def pairs(kernel_matrix, tmp_path_factory):
    """What `kernel-matrix replay` tells of each pair, by engine and FlashInfer release."""
    told = {}
    for number, (engine, flashinfer) in enumerate(PAIRS):
        out = tmp_path_factory.mktemp("replay") / str(number)
        done = kernel_matrix(
            "replay", f"sglang=={engine}", "--against", flashinfer, "--cells", CELLS, "--out", out, "--json"
        )
        (pair,) = done.json()["pairs"]
        told[engine, flashinfer] = pair | {"code": done.code}
    return told


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
@pytest.mark.parametrize("kind", KINDS)
def test_the_known_results_come_out_by_themselves(pairs, pair, kind):
    wanted, reason = PAIRS[pair][kind]
    found = {
        (finding["verdict"], finding["reason"])
        for finding in pairs[pair]["findings"]
        for cell in finding["cells"]
        if cell.split("/")[1] == kind
    }
    assert {verdict for verdict, _ in found} == {wanted}
    assert all(reason in text for _, text in found)


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_the_exit_code_tells_a_broken_pair(pairs, pair):
    broken = any(verdict.startswith("FAIL") for verdict in pairs[pair]["verdicts"])
    assert pairs[pair]["code"] == (1 if broken else 0)


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_what_is_replaced_is_reported_with_a_reason(pairs, pair):
    names = {standin["name"].rpartition(":")[2] for standin in pairs[pair]["replaced"]}
    assert {"use_symmetric_memory", "get_tp_group", "get_trtllm_moe_sm100_module"} <= names
    assert all(standin["why"] for standin in pairs[pair]["replaced"])


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_the_loader_by_its_own_code(pairs, pair):
    weights = pairs[pair]["weights"]
    assert weights["gated"]["right"]
    assert weights["non-gated"]["right"] == (pair[0] == "0.5.13")


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_our_rules_agree_with_the_engine_at_every_point(pairs, pair):
    policy = pairs[pair]["policy"]
    assert policy["answered"] == policy["points"] > 10_000
    assert policy["rules"]
    assert policy["disagreements"] == []
    draft = policy["table"]["DeepseekV3ForCausalLM"]["modelopt_fp4"]
    assert draft == f"target flashinfer_trtllm, draft {DRAFTS[pair[0]]}"


@pytest.mark.parametrize(
    "pair", [pair for pair in PAIRS if pair[1] not in {"0.6.7.post3", "0.6.8"}], ids="-".join
)
def test_the_recorded_contract_is_reproduced(pairs, pair):
    kept = contracts.recorded(f"sglang-{pair[0]}")
    assert kept["flashinfer"] == pair[1]
    assert pairs[pair]["contract"] == kept
    assert pairs[pair]["contract_differences"] == []


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_a_failure_shows_the_engines_own_frames(pairs, pair):
    for finding in pairs[pair]["findings"]:
        if finding["verdict"] == "FAIL_API":
            traceback = finding["evidence"]["traceback"]
            assert traceback[0] == "Traceback (most recent call last):"
            assert any(line.startswith('  File "sglang/srt/') for line in traceback)
            assert not any("/matrix/" in line for line in traceback)
            assert finding["evidence"]["frame"].startswith("sglang/srt/")


def test_the_output_fits_its_schema(pairs):
    schema = json.loads((ROOT / "docs" / "reference" / "replay.schema.json").read_text(encoding="utf-8"))
    told = [{key: value for key, value in pair.items() if key != "code"} for pair in pairs.values()]
    jsonschema.validate({"schema": "kernel-matrix/replay/1", "folder": "here", "pairs": told}, schema)


REASONS = {
    "drops activation_type": ("layer", "broken", "activation_type is Swiglu, the layer's is Relu2"),
    "swaps two group keywords": ("layer", "broken", "n_group is 2, the layer's is 4"),
    "swaps two weights": ("layer", "broken", "gemm1_weights is bfloat16 [16, 4, 384, 64]"),
    "swaps two figures": ("layer", "broken", "local_num_experts is 0, the layer's is 16"),
    "takes the wrong activation": ("layer", "wrong", "activation_type is Geglu, the layer's is Swiglu"),
    "takes the wrong routing": (
        "layer",
        "wrong",
        "routing_method_type is Renormalize, the layer's is DeepSeekV3",
    ),
    "copies an enum with other integers": (
        "layer",
        "broken",
        "the engine's RoutingMethodType.DeepSeekV3, and",
    ),
    "forgets the scaling factor": ("layer", "wrong", "routed_scaling_factor is None, the layer's is 2.5"),
    "cuts blocks of another width": ("loader", "layout", "gemm1 has the shape [16, 12, 512, 32]"),
    "tiles the epilogue otherwise": ("loader", "layout", "rows are not where the kernel reads them"),
    "takes non-gated weights for gated": ("loader", "layout", "in expert 0, row 1 holds its row 128"),
}


@pytest.fixture(scope="module")
def bent():
    """What replay says of SGLang 0.5.13 with one change of its source at a time."""
    subject = Subject(engine="sglang", release="0.5.13")
    made = recipe.recipe(subject, recipe.metadata(subject))
    environment = Environment(release="0.6.12", recipe=made, torch=recipe.load("sglang").torch)
    built = build(environment, Installer.find())
    script = Path(__file__).with_name("replayed") / "bend.py"
    done = subprocess.run(
        [built.python, script, ROOT, "0.5.13"], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_an_engine_as_published_is_right_before_and_after(bent):
    assert bent["right"] == bent["again"]
    assert {kind for told in bent["right"].values() for kind, _ in told.values()} == {"right"}


@pytest.mark.parametrize("change", REASONS)
def test_a_change_of_the_engines_source_is_caught_with_the_right_reason(bent, change):
    part, kind, reason = REASONS[change]
    found, text = bent[change][part]
    assert found == kind
    assert reason in text
    other = bent[change]["loader" if part == "layer" else "layer"]
    assert other[0] == "right", "the change is blamed on something else"


def test_every_change_is_judged(bent):
    assert set(bent) - {"right", "again"} == set(REASONS)
