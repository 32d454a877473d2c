"""What sources declare, read for a run folder and rendered from there; the releases and engines are real ones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from matrix.report import RENDERERS, build, declared, document, reading, write

WINDOW = ["0.6.7.post3", "0.6.8.post1"]
SYMBOL = "flashinfer.fused_moe.trtllm_bf16_moe"
SCHEMA = Path(document.__file__).with_name("report.schema.json")


@pytest.fixture
def folder(run_folder):
    run_folder.plan["environments"] = [
        place for place in run_folder.plan["environments"] if place["faulty"] or place["release"] in WINDOW
    ]
    kept = {place["id"] for place in run_folder.plan["environments"]}
    run_folder.plan["cells"] = [cell for cell in run_folder.plan["cells"] if cell["environment_id"] in kept]
    run_folder.plan["engine"] = {"engine": "sglang-0.5.12"}
    return run_folder


def test_what_a_run_is_about_is_read_from_its_plan(folder):
    for name, release in (("sglang", "0.5.11"), ("vllm", "0.33.0")):
        folder.plan["environments"].append(
            {"release": "0.6.14", "engine": {"name": name, "release": release}}
        )
    assert declared._tested(folder.plan) == [*WINDOW, "0.6.14"]
    assert declared._engines(folder.plan) == {"sglang": {"0.5.11", "0.5.12"}, "vllm": {"0.33.0"}}


@pytest.fixture
def read_folder(folder):
    path = folder.write()
    assert declared.ensure(path, "run")
    return path


@pytest.mark.wheels
def test_changes_history_and_engines_are_in_every_format(read_folder):
    write(read_folder)
    found = json.loads((read_folder / "report.json").read_text(encoding="utf-8"))
    jsonschema.validate(found, json.loads(SCHEMA.read_text(encoding="utf-8")))
    (change,) = found["declared"]["changes"]
    assert [change["from"], change["to"]] == WINDOW
    assert change["counts"]["breaking"] > 0
    assert {one["severity"] for one in change["findings"]} <= {"breaking", "silent", "warning"}
    assert any(line.startswith("BF16 relu2 MoE kernels: 0 -> ") for line in change["kernels"])
    history = next(one for one in found["declared"]["histories"] if one["symbol"] == SYMBOL)
    assert ["parameter activation_type", "0.6.8.post1, the newest"] in [row[:2] for row in history["rows"]]

    sglang, vllm = found["declared"]["engines"]
    rows = {row["release"]: row for row in sglang["rows"]}
    assert [each["status"] for each in rows["0.5.12"]["ranges"]] == ["call", "guarded"]
    missing = [
        one for one in sglang["breaks"] if one["symbol"] == SYMBOL and one["name"] == "activation_type"
    ]
    assert missing
    assert {one["flashinfer"] for one in missing} == {"0.6.7.post3"}
    assert "0.5.12" in {one["engine_releases"].partition(" ")[0] for one in missing}
    assert vllm["rows"]

    page = (read_folder / "report.html").read_text(encoding="utf-8")
    text = (read_folder / "report.md").read_text(encoding="utf-8")
    for told in (SYMBOL, "activation_type", sglang["rows"][0]["release"]):
        assert told in page
        assert told in text
    assert "## API changes, 0.6.7.post3 to 0.6.8.post1" in text
    assert 'data-rows="breaks-sglang"' in page


@pytest.mark.wheels
def test_what_was_read_is_kept_and_read_again_only_for_more(read_folder, monkeypatch):
    asked = []
    monkeypatch.setattr(declared, "gather", lambda *words: asked.append(words[2]) or {})
    before = (read_folder / reading.DECLARED).read_bytes()
    assert not declared.ensure(read_folder, "run")
    assert not declared.ensure(read_folder, "none")
    assert (read_folder / reading.DECLARED).read_bytes() == before
    assert declared.ensure(read_folder, "all")
    assert asked == ["all"]


def test_without_a_network_the_report_says_what_is_missing_and_it_is_tried_again(
    folder, tmp_path, monkeypatch
):
    path = folder.write()
    monkeypatch.setenv("KERNEL_MATRIX_CACHE", str(tmp_path / "cache"))
    for name in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/simple")
    assert declared.ensure(path, "run")
    report = write(path)
    assert report.declared["changes"] == []
    (warning,) = [line for line in report.warnings if "not read" in line]
    assert warning.startswith("API changes and history: not read, ")
    assert "127.0.0.1:9" in warning or "index" in warning
    assert declared.ensure(path, "run"), "not tried again"


def test_a_torn_file_is_left_out(folder):
    path = folder.write()
    (path / reading.DECLARED).write_text('{"schema": "kernel-matrix/decl', encoding="utf-8")
    report = write(path)
    assert report.declared is None
    assert json.loads((path / "report.json").read_text(encoding="utf-8"))["declared"] is None


def test_verdicts_of_replay_stand_beside_those_of_reading(folder, records):
    cell = folder.cell("0.6.8.post1")
    for place in folder.plan["environments"]:
        if place["id"] == cell["environment_id"]:
            place["engine"] = {"name": "sglang", "release": "0.5.12"}
    folder.answer(cell, records.end(cell, "replay", "FAIL_API", "TypeError"))
    run = reading.read(folder.write())
    table = {
        "engine": "sglang",
        "flashinfer": WINDOW,
        "not_checkable_share": 0.0,
        "rows": [
            {"release": name, "pin": "", "works": "", "own_pin": "", "ranges": []}
            for name in ("0.5.12", "0.5.11")
        ],
        "breaks": [],
    }
    known = {"level": "run", "changes": [], "histories": [], "engines": [table], "missing": []}
    report = build(replace(run, declared=known))
    first, second = report.declared["engines"][0]["rows"]
    assert first["replayed"] == {"0.6.8.post1": {"FAIL_API": 1}}
    assert second["replayed"] == {}
    for name in ("report.md", "report.html"):
        assert "FAIL_API" in RENDERERS[name](report)
