"""Engines that misbehave at import, planted into real environments: the other cells must not notice."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from matrix.cells import axes
from matrix.engines.agreement import Side
from matrix.engines.replay import recipe
from matrix.engines.replay.recipe import Subject
from matrix.environments import recipes
from matrix.environments.build import _site_packages, build
from matrix.environments.installer import Installer
from matrix.releases.window import Release
from matrix.run import replay, session
from matrix.run.plan import Question, make
from matrix.run.supervisor import Options
from matrix.verdicts import Result, Stage, Verdict

RELEASE = "0.6.11.post1"
SELECTION = "routing=renormalize and backend=trtllm_bf16 and activation=silu"
NOISY = """
import os, sys, threading, time
print("noise" * 10_000)
print("noise", file=sys.stderr)
os.environ["FLASHINFER_NO_DOWNLOAD"] = "0"
os.environ["CUDA_VISIBLE_DEVICES"] = "7"
threading.Thread(target=time.sleep, args=(3600,)).start()
"""
IMPORTED = "while FlashInfer and sglang==0.5.12 were imported"
ENGINES = {
    "leaves": (NOISY + "os._exit(0)\n", "CRASH", f"the process ended with status 0 {IMPORTED}"),
    "dies": (NOISY + "import ctypes; ctypes.string_at(0)\n", "CRASH", "the process died of SIGSEGV"),
    "raises": (
        NOISY + "raise KeyError('engine')\n",
        "NOT_RUN",
        "import sglang.srt.server_args raised KeyError: 'engine'",
    ),
    "exits": (
        NOISY + "sys.exit('no GPU')\n",
        "NOT_RUN",
        "import sglang.srt.server_args raised SystemExit: no GPU",
    ),
    "lacks a package": (NOISY, "NOT_RUN", "raised ModuleNotFoundError: No module named 'sglang.srt'"),
}


def planted(name):
    """A recipe of an engine that is planted, on the torch that `lean` stands on."""
    known = recipes.load()
    made = recipe.recipe(Subject(engine="sglang", release="0.5.12"), [])
    lean = known.named("lean")
    number = list(ENGINES).index(name)
    return replace(made, name=f"planted-{number}", base=lean.base, exact=lean.exact, layer=()), known.torch


wheels = pytest.mark.wheels


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One run of the release alone and beside each planted engine."""
    window = [Release(version=RELEASE, reason="here")]
    made = [planted(name) for name in ENGINES]
    question = Question(releases=window, recipes=["lean"], selection=SELECTION, replayed=made)
    plan = make(question, axes.load(), recipes.load())
    for environment in plan.environments:
        if environment.recipe.engine:
            folder = _site_packages(build(environment, Installer.find()).prefix) / "sglang"
            folder.mkdir(exist_ok=True)
            source = list(ENGINES.values())[int(environment.recipe.name[-1])][0]
            (folder / "__init__.py").write_text(source, encoding="utf-8")
    folder = session.create(plan, tmp_path_factory.mktemp("run") / "run")
    session.execute(plan, folder, Options(jobs=2, timeout=120), None)
    return plan, folder


def ends(run, environment):
    from matrix.run import journal

    _, folder = run
    record = journal.read(folder / "journal.jsonl")
    return [end for end in record.ends if end.cell.split("/")[1] == environment]


@wheels
@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_that_misbehaves_gets_its_own_verdict(run, name):
    _, verdict, reason = ENGINES[name]
    found = ends(run, f"planted-{list(ENGINES).index(name)}")
    assert found
    assert {(end.stage, end.verdict.value) for end in found} == {("replay", verdict)}
    assert all(reason in end.reason for end in found)


@wheels
def test_the_other_cells_do_not_notice(run):
    plan, _ = run
    cells = [cell for cell in plan.cells if cell.environment == "lean"]
    found = ends(run, "lean")
    assert {end.cell for end in found} == {cell.id for cell in cells}
    assert {end.verdict.value for end in found if end.stage in {"import", "bind", "select", "layout"}} == {
        "PASS"
    }


@wheels
def test_noise_goes_to_the_log_and_not_into_the_journal(run):
    _, folder = run
    lines = (folder / "journal.jsonl").read_text(encoding="utf-8").splitlines()
    assert all(line.startswith('{"kind": ') for line in lines)
    assert not any("noise" * 1000 in line for line in lines if '"planted-2' in line)
    log = next(folder.glob("logs/*planted-2.log")).read_text(encoding="utf-8")
    assert "noise" * 10_000 in log


@wheels
def test_what_is_not_replayable_is_told_of_its_pair(run):
    plan, folder = run
    told = [pair for pair in replay.pairs(plan, folder) if pair.reason]
    assert len(told) == 3
    assert all(
        pair.reason.startswith("not replayable: import sglang.srt.server_args raised") for pair in told
    )
    assert all(pair.missing for pair in told)


@wheels
def test_the_json_document_fits_its_schema(run):
    path = Path(__file__).parents[2] / "docs" / "reference" / "replay.schema.json"
    told = replay.pairs(*run)
    document = {"schema": replay.SCHEMA, "folder": "here", "pairs": [pair.to_json() for pair in told]}
    jsonschema.validate(json.loads(json.dumps(document)), json.loads(path.read_text(encoding="utf-8")))


def end(cell, verdict="FAIL_API", reason="x", **evidence):
    return Result(
        cell=f"1/e/{cell}", stage=Stage.REPLAY, verdict=Verdict(verdict), reason=reason, evidence=evidence
    )


def test_cells_that_broke_in_different_frames_are_different_findings():
    ends = [end("a", frame="f.py:1056"), end("b", frame="f.py:1082"), end("c", frame="f.py:1056")]
    found = {finding.evidence["frame"]: finding.cells for finding in replay._findings(ends)}
    assert found == {"f.py:1056": ("a", "c"), "f.py:1082": ("b",)}


def test_figures_of_the_data_do_not_tell_findings_apart_and_the_worst_is_shown():
    ends = [
        end(cell, "FAIL_NUMERIC", f"wrong: expert {expert} of 64, error {worst}", numerics={"worst": worst})
        for cell, expert, worst in (("a", 15714, 0.25), ("b", 9, 31.5), ("c", 70, 2.0))
    ]
    (found,) = replay._findings(ends)
    assert found.reason == "wrong: expert 9 … 15714 of 64, error 0.25 … 31.5"
    assert found.cells == ("a", "b", "c")
    assert found.evidence == {"numerics": {"worst": 31.5}, "of": "b"}


def test_a_cell_that_passes_against_the_recorded_contract_says_so():
    cells = ["trtllm_bf16_routed/silu-gated/topk/draft", "trtllm_bf16/silu-gated/topk/draft"]
    difference = (
        "routings.trtllm_bf16_routed.topk: {'member': 'TopK'} is recorded, {'member': 'Default'} is passed"
    )
    told = replay._findings([end(cell, "PASS", "right") for cell in cells], [difference])
    assert {finding.reason: finding.cells for finding in told} == {
        "right": (cells[1],),
        f"right; but the recorded contract says otherwise: {difference}": (cells[0],),
    }


@pytest.mark.parametrize(
    ("contract", "why"),
    [
        ({}, "nothing was recorded"),
        ({"error": "died of SIGSEGV"}, "died of SIGSEGV"),
        ({"call": {}, "accepts": [], "activations": {}}, "no call of the engine reached FlashInfer"),
        (
            {"call": {"a": 1}, "accepts": ["silu-gated", "relu2-nongated"], "activations": {"silu-gated": 1}},
            "the call breaks with relu2-nongated",
        ),
        ({"call": {"a": 1}, "accepts": ["silu-gated"], "activations": {}}, ""),
    ],
)
def test_what_a_broken_pair_passes_is_no_contract(contract, why):
    pair = replay.Pair(engine="sglang", engine_release="1", flashinfer="1", contract=contract)
    assert replay.why_no_contract(pair) == why


def test_a_disagreement_of_any_kind_fails_a_pair():
    pair = replay.Pair(engine="sglang", engine_release="1", flashinfer="1")
    side = Side(function="f", static=("bound",), replay="refused", name="x", agrees=False)
    assert pair.good
    for change in (
        {"sides": (side,)},
        {"contract_differences": ("x",)},
        {"policy": {"error": "died"}},
        {"policy": {"disagreements": [1]}},
    ):
        assert not replace(pair, **change).good


def test_a_folder_for_contracts_that_cannot_be_written_is_told_before_the_work(tmp_path):
    from matrix.cli.replay import _check_writable
    from matrix.errors import InputError

    _check_writable(tmp_path / "new")
    with pytest.raises(InputError, match="--record: cannot write into /proc/x: "):
        _check_writable(Path("/proc/x"))


def test_what_breaks_names_its_activations_and_both_frames_and_what_cannot_be_asked_no_traceback():
    from matrix.cli.replay import _details

    frames = {
        "frame": "flashinfer/core.py:2",
        "engine_frame": "sglang/moe.py:1",
        "traceback": ["Traceback", "x"],
    }
    cells = ("trtllm_bf16/relu2-nongated/topk", "trtllm_bf16/silu-gated/topk")
    finding = replay.Finding(verdict="FAIL_API", reason="", remedy="", cells=cells, evidence=frames)
    named = "activations: relu2-nongated, silu-gated"
    assert _details(finding, whole=False) == [named, "sglang/moe.py:1", "flashinfer/core.py:2"]
    assert _details(finding, whole=True) == [named, "Traceback", "x"]
    unasked = replace(finding, verdict="UNSUPPORTED", evidence={"type": "UnspokenError", "text": "no word"})
    assert _details(unasked, whole=True) == []
