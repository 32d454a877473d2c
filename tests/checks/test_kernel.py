"""Stage `kernel`: the dispatcher held against what a release ships and finds."""

import inspect
from dataclasses import replace

import pytest

from matrix.cells import axes
from matrix.cells.cell import Cell
from matrix.checks import kernel
from matrix.checks.bench import Bench
from matrix.cubins import answers
from matrix.kernels.moe import activations, routings
from matrix.kernels.moe.dispatch import Path, choose
from matrix.kernels.moe.probe import Capability, Failure
from matrix.releases.store import Store
from matrix.verdicts import Verdict

RELU2 = "trtllm_bf16/relu2-nongated/deepseek_v3/draft/bias-fp32/nemotron-h"
SILU = "trtllm_bf16/silu-gated/deepseek_v3/target/bias-fp32/deepseek-v3"
GEGLU = "trtllm_bf16/gelu-gated/deepseek_v3/target/bias-fp32/deepseek-v3"
NANO = "trtllm_bf16/relu2-nongated/deepseek_v3/target/bias-fp32/nemotron-h-nano"
TORCH = "torch/relu2-nongated/deepseek_v3/draft/bias-fp32/nemotron-h"


def old(routing_logits, routed_scaling_factor=1.0):
    """A call without activation_type."""


def new(routing_logits, routed_scaling_factor=1.0, activation_type=3):
    """A call with it."""


@pytest.fixture(scope="module")
def known_axes():
    return axes.load()


@pytest.fixture
def make(known_axes, tmp_path):
    """A bench of one release, and a cell on it."""

    def bench(release, cell, *, call=new, gpu=None, facts=None, **capability):
        if facts is None:
            known = answers.find(release, Store(tmp_path))
            facts = known.for_worker() if known else {"problem": answers.missing(release)}
        found = Capability(
            release=release,
            signatures={"trtllm_bf16": inspect.signature(call)},
            enums={
                "ActivationType": {a.member: number for number, a in enumerate(activations.ACTIVATIONS)},
                "RoutingMethodType": {r.member: number for number, r in enumerate(routings.ROUTINGS)},
            },
            **capability,
        )
        plan = {
            "profiles": {name: profile.to_json() for name, profile in known_axes.profiles.items()},
            "kernels": {release: facts},
        }
        made = Bench(
            plan=plan,
            faulty=False,
            capability=found,
            device="cuda" if gpu else "cpu",
            compute_capability=gpu,
        )
        return Cell(release=release, environment="lean", point=known_axes.point(cell)), made

    return bench


def test_a_kernel_that_is_there_and_taken(make):
    answer = kernel.check(*make("0.6.11.post1", RELU2))
    assert answer.verdict is Verdict.PASS
    assert answer.reason == "36 BF16 Relu2 kernels by name, 176 configurations for the shape"
    assert answer.evidence["kernels"] == 36
    assert answer.evidence["configurations"] == 176
    assert answer.evidence["splits"]["EP1 TP2"] == 0
    assert answer.evidence["made"]["command"] == "kernel-matrix kernels 0.6.11.post1 --select"


def test_none_and_a_dispatcher_that_falls_back_agree(make):
    answer = kernel.check(*make("0.6.11.post1", GEGLU))
    assert answer.verdict is Verdict.PASS
    assert answer.reason.startswith(
        "the dispatcher falls back: no BF16 Geglu kernel in this release; RuntimeError"
    )
    assert "No kernel found for the given options" in answer.reason


def test_the_dispatcher_takes_the_kernels_into_account(make):
    cell, bench = make("0.6.7.post3", RELU2)  # as if a backport took activation_type, without the kernels
    decision = choose(bench.request(cell), bench.capability)
    assert decision.path is Path.FALLBACK
    assert decision.reason == "this release ships no BF16 trtllm-gen kernel for Relu2"
    answer = kernel.check(cell, bench)
    assert answer.verdict is Verdict.PASS
    assert answer.evidence["by_signature"] == "activation_type"


def test_a_dispatcher_that_takes_a_path_without_a_kernel_is_caught(make, monkeypatch):
    monkeypatch.setattr(Bench, "shipped", lambda self, cell: {})
    answer = kernel.check(*make("0.6.7.post3", RELU2))
    assert answer.verdict is Verdict.FAIL_API
    assert (
        "takes the path activation_type, and the release would refuse: no BF16 Relu2 kernel" in answer.reason
    )
    assert "No kernel found for the given options" in answer.reason


def test_a_dispatcher_that_misses_a_kernel_is_caught(make, monkeypatch):
    monkeypatch.setattr(Bench, "shipped", lambda self, cell: {"shipped": (), "unfit": ""})
    answer = kernel.check(*make("0.6.11.post1", SILU))
    assert answer.verdict is Verdict.FAIL_API
    assert "falls back (this release ships no BF16 trtllm-gen kernel for Swiglu)" in answer.reason
    assert "36 BF16 Swiglu kernels by name, 352 configurations" in answer.reason


def test_a_shape_that_no_configuration_takes(make, tmp_path):
    known = answers.find("0.6.11.post1", Store(tmp_path))
    counts = {
        shape: {name: [[0] * len(column) for column in columns] for name, columns in table.items()}
        if shape == "deepseek-v3"
        else table
        for shape, table in known.selection.counts.items()
    }
    facts = replace(known, selection=replace(known.selection, counts=counts)).for_worker()
    cell, bench = make("0.6.11.post1", SILU, facts=facts)
    assert choose(bench.request(cell), bench.capability).reason == (
        "no configuration of its Swiglu kernels takes the shape"
    )
    answer = kernel.check(cell, bench)
    assert answer.verdict is Verdict.PASS
    assert answer.reason.startswith(
        "the dispatcher falls back: 36 BF16 Swiglu kernels by name, no configurations"
    )


def test_a_size_that_every_launcher_refuses(make):
    cell, bench = make("0.6.11.post1", NANO)
    assert (
        "1856 is no multiple of 128: pad the weights to 1920"
        in choose(bench.request(cell), bench.capability).reason
    )
    assert kernel.check(cell, bench).verdict is Verdict.PASS


def test_only_names_count_where_the_list_is_always_empty(make):
    answer = kernel.check(*make("0.5.3", SILU, call=old))
    assert answer.verdict is Verdict.PASS
    assert answer.reason == "36 BF16 Swiglu kernels by name; its selection code does not say for the shape"


def test_another_reason_to_fall_back(make):
    answer = kernel.check(*make("0.6.11.post1", RELU2, call=old))
    assert answer.verdict is Verdict.PASS
    assert answer.reason.endswith(
        "not taken: relu2-nongated needs activation_type, which this release does not take"
    )


def test_nothing_known(make):
    answer = kernel.check(*make("0.6.14", SILU))
    assert answer.verdict is Verdict.NOT_RUN
    assert "0.6.14 are not known here" in answer.reason
    assert "--select" in answer.remedy
    assert kernel.check(*make("0.6.14", GEGLU)) is None  # the fallback answers
    assert kernel.check(*make("0.6.14", SILU, gpu=(10, 0))) is None  # the kernel itself answers
    assert kernel.check(*make("0.6.14", SILU, gpu=(9, 0))).verdict is Verdict.NOT_RUN


def test_other_cells_have_no_kernel_stage(make):
    assert kernel.check(*make("0.6.11.post1", TORCH)) is None
    failure = Failure(moment="import flashinfer", type="RuntimeError", text="", frame="")
    assert kernel.check(*make("0.6.11.post1", SILU, failures={"trtllm_bf16": failure})) is None
