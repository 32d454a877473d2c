"""Engines that misbehave at import, planted into real environments: the other cells must not notice."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from matrix.cells import axes
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

pytestmark = pytest.mark.wheels

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
ENGINES = {
    "leaves": (NOISY + "os._exit(9)\n", "CRASH", "the process ended with status 9"),
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


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_that_misbehaves_gets_its_own_verdict(run, name):
    _, verdict, reason = ENGINES[name]
    found = ends(run, f"planted-{list(ENGINES).index(name)}")
    assert found
    assert {(end.stage, end.verdict.value) for end in found} == {("replay", verdict)}
    assert all(reason in end.reason for end in found)


def test_the_other_cells_do_not_notice(run):
    plan, _ = run
    cells = [cell for cell in plan.cells if cell.environment == "lean"]
    found = ends(run, "lean")
    assert {end.cell for end in found} == {cell.id for cell in cells}
    assert {end.verdict.value for end in found if end.stage in {"import", "bind", "select", "layout"}} == {
        "PASS"
    }


def test_noise_goes_to_the_log_and_not_into_the_journal(run):
    _, folder = run
    lines = (folder / "journal.jsonl").read_text(encoding="utf-8").splitlines()
    assert all(line.startswith('{"kind": ') for line in lines)
    assert not any("noise" * 1000 in line for line in lines if '"planted-2' in line)
    log = next(folder.glob("logs/*planted-2.log")).read_text(encoding="utf-8")
    assert "noise" * 10_000 in log


def test_what_is_not_replayable_is_told_of_its_pair(run):
    plan, folder = run
    told = [pair for pair in replay.pairs(plan, folder) if pair.reason]
    assert len(told) == 3
    assert all(
        pair.reason.startswith("not replayable: import sglang.srt.server_args raised") for pair in told
    )
    assert all(pair.missing for pair in told)


def test_the_json_document_fits_its_schema(run):
    path = Path(__file__).parents[2] / "docs" / "reference" / "replay.schema.json"
    told = replay.pairs(*run)
    document = {"schema": replay.SCHEMA, "folder": "here", "pairs": [pair.to_json() for pair in told]}
    jsonschema.validate(json.loads(json.dumps(document)), json.loads(path.read_text(encoding="utf-8")))


def test_cells_that_broke_in_different_frames_are_different_findings():
    def end(cell, frame):
        evidence = {"frame": frame}
        return Result(cell=cell, stage=Stage.REPLAY, verdict=Verdict.FAIL_API, reason="x", evidence=evidence)

    ends = [end("1/e/a", "f.py:1056"), end("1/e/b", "f.py:1082"), end("1/e/c", "f.py:1056")]
    found = {finding.evidence["frame"]: finding.cells for finding in replay._findings(ends)}
    assert found == {"f.py:1056": ("a", "c"), "f.py:1082": ("b",)}
