from __future__ import annotations

import copy

import pytest

from matrix.checks import selecting
from matrix.kernels.moe.dispatch import Path
from matrix.kernels.moe.probe import Failure
from matrix.verdicts import Verdict

SILU = "trtllm_bf16/silu-gated/deepseek_v3/draft/bias-fp32/deepseek-v3"
TARGET = "trtllm_bf16/silu-gated/deepseek_v3/target/bias-fp32/deepseek-v3"
RELU2 = "trtllm_bf16/relu2-nongated/deepseek_v3/draft/bias-fp32/nemotron-h"
TORCH = "torch/relu2-nongated/deepseek_v3/draft/bias-fp32/nemotron-h"


def test_the_dispatcher_and_the_history_agree_on_every_must_cell(bench, must_cells):
    for cell in must_cells:
        answer = selecting.check(cell, bench)
        assert answer.verdict is Verdict.PASS, answer
        assert answer.evidence["here"] == "fallback"  # this machine has no SM100
        wanted = "fallback" if cell.point.backend == "torch" else "activation_type"
        assert answer.evidence["path"] == wanted


def test_they_agree_on_every_point_of_the_matrix(bench, named):
    """Whatever its strength a run must not blame a release for what the two disagree on."""
    from matrix.cells import axes, covering

    wrong = [
        (point.id, answer.reason)
        for point in covering.cover(axes.load(), "all")
        if (answer := selecting.check(named(point.id), bench)).verdict is not Verdict.PASS
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("change_history", "reason"),
    [
        (
            lambda history: history.update(activation_type=">=0.8"),
            "the dispatcher chooses activation_type (the kernel takes activation_type=Swiglu), not legacy",
        ),
        (
            lambda history: history["kernel"].update(trtllm_bf16=">=0.8"),
            "not fallback: 0.7.2 lacks the function",
        ),
        (
            lambda history: history["activation"].pop("silu-gated"),
            "not fallback: 0.7.2 lacks a kernel for the activation",
        ),
        (
            lambda history: history["routing"].update(deepseek_v3=">=0.8"),
            "not fallback: 0.7.2 lacks the routing",
        ),
        (
            lambda history: history["grouped_top_k"].update(after_activation_type=4),
            "not fallback: 0.7.2 lacks the routing's limits",
        ),
        (
            lambda history: history.update(routed_scaling_factor=">=0.8"),
            "not fallback: 0.7.2 lacks routed_scaling_factor",
        ),
    ],
)
def test_a_history_that_says_otherwise_is_a_failure(change, plan, named, change_history, reason):
    paths = copy.deepcopy(plan["paths"])
    change_history(paths)
    answer = selecting.check(named(SILU), change(plan={"paths": paths}))
    assert answer.verdict is Verdict.FAIL_API
    assert reason in answer.reason
    assert answer.remedy


def test_a_release_that_lost_its_keyword_is_a_failure(change, named, signature):
    bench = change(signatures=signature("activation_type", remove=True))
    answer = selecting.check(named(SILU), bench)
    assert answer.verdict is Verdict.FAIL_API
    assert "the dispatcher chooses legacy" in answer.reason
    assert "not activation_type: 0.7.2 takes activation_type" in answer.reason


def test_where_nothing_was_imported_the_fallback_is_right(change, named):
    failure = Failure(moment="import flashinfer", type="RuntimeError", text="no", frame="f")
    bench = change(release=None, failures={"trtllm_bf16": failure})
    answer = selecting.check(named(SILU), bench)
    assert answer.verdict is Verdict.PASS
    assert answer.reason.startswith("fallback: import flashinfer raised RuntimeError")


def test_a_draft_is_told_what_each_engine_would_give_it(bench, named):
    drafts = selecting.check(named(SILU), bench).evidence["drafts"]
    assert drafts["sglang-0.5.11"] == "target auto, draft auto"
    assert drafts["sglang-0.5.12"] == "target flashinfer_trtllm, draft flashinfer_trtllm"
    assert "drafts" not in selecting.check(named(TARGET), bench).evidence


def test_a_policy_that_avoids_nothing_is_a_failure(bench, named, monkeypatch):
    """The mutation of the dispatcher that the check looks for: a policy that is read and not obeyed."""
    original = selecting.choose

    def deaf(request, capability):
        return original(type(request)(**vars(request) | {"draft_policy": "same_as_target"}), capability)

    monkeypatch.setattr(selecting, "choose", deaf)
    answer = selecting.check(named(SILU), bench)
    assert answer.verdict is Verdict.FAIL_API
    assert answer.reason == "the policy avoid_trtllm gives a draft the path activation_type"


def test_the_paths_of_the_torch_backend(bench, named):
    assert selecting.expected(named(TORCH), bench) == (Path.FALLBACK, "the torch backend")
    assert selecting.expected(named(RELU2), bench)[0] is Path.ACTIVATION_TYPE
