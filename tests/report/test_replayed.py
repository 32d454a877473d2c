"""What replay tells apart from its cells fails a run as it fails `kernel-matrix replay`, in every format."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from matrix.engines import contracts
from matrix.report import RENDERERS, build, document, reading, write

RELEASE = "0.6.8.post1"
SCHEMA = Path(document.__file__).with_name("report.schema.json")
POINT = {"architecture": "Qwen3MoeForCausalLM", "quantization": "none", "draft_requested": None}
POLICY = {
    "summary": "1 of 1 points answered",
    "disagreeing": 1,
    "disagreements": [
        {"point": POINT, "engine": "target triton, draft auto", "rules": "target flashinfer_trtllm"}
    ],
    "unanswered": {},
}
CALL = {"kind": "call", "symbol": "flashinfer.fused_moe.trtllm_bf16_moe", "file": "a.py", "line": 1}
REFUSED = (
    "sglang-0.5.12 breaks: TypeError: trtllm_bf16_moe() got an unexpected keyword argument 'activation_type'"
)


@pytest.fixture
def replayed(run_folder, records):
    """A function that writes a run in which SGLang 0.5.12 was replayed, with its facts and one cell's result."""

    def made(verdict="PASS", reason="right", **facts):
        cell = run_folder.cell(RELEASE)
        place = next(one for one in run_folder.plan["environments"] if one["id"] == cell["environment_id"])
        place["engine"] = {"name": "sglang", "release": "0.5.12"}
        run_folder.answer(cell, records.end(cell, "replay", verdict, reason))
        path = run_folder.write()
        line = {
            "kind": "replay",
            "environment": place["id"],
            "weights": {},
            "contract": {},
            "policy": {},
        } | facts
        with (path / reading.JOURNAL).open("a", encoding="utf-8") as journal:
            journal.write(json.dumps(line) + "\n")
        return path

    return made


def told(path):
    """The exit code, and what every format says."""
    report = write(path)
    found = json.loads((path / "report.json").read_text(encoding="utf-8"))
    jsonschema.validate(found, json.loads(SCHEMA.read_text(encoding="utf-8")))
    texts = [(path / name).read_text(encoding="utf-8") for name in ("report.md", "report.html")]
    return report.exit_code, found["replays"], [*texts, "\n".join(report.summary_lines())]


def test_a_policy_that_disagrees_fails_the_run_with_both_answers(replayed):
    code, (found,), texts = told(replayed(policy=POLICY))
    assert code == 1
    assert not found["sound"]
    assert found["policy"]["disagreements"] == POLICY["disagreements"]
    for text in texts:
        assert "the engine says target triton, draft auto; our rules say target flashinfer" in text
        assert "1 replayed pair not as recorded, ruled or read" in text


def test_a_contract_that_differs_fails_the_run_with_both_answers(replayed):
    kept = contracts.recorded("sglang-0.5.12")
    bent = kept | {"accepts": ["silu-gated"]}
    code, (found,), texts = told(replayed(contract=bent))
    assert code == 1
    (difference,) = found["contract"]["differences"]
    assert difference == f"accepts: {kept['accepts']!r} is recorded, ['silu-gated'] is passed"
    assert all("is recorded, " in text for text in texts)


def test_an_engine_that_is_as_kept_changes_nothing(replayed):
    kept = contracts.recorded("sglang-0.5.12")
    policy = POLICY | {"disagreeing": 0, "disagreements": []}
    code, (found,), texts = told(replayed(contract=kept, policy=policy))
    assert code == 0
    assert found["sound"]
    assert "## Replay: contracts and policies" in texts[0]
    assert 'id="replays"' in texts[1]


def declared(verdict, breaks, reason=""):
    use = CALL | {"verdict": verdict, "breaks": breaks, "reason": reason}
    row = {"release": "0.5.12", "pin": "", "works": f"=={RELEASE}", "own_pin": "", "ranges": []}
    row["read"] = {RELEASE: {"uses": [use]}}
    table = {
        "engine": "sglang",
        "flashinfer": [RELEASE],
        "not_checkable_share": 0.0,
        "rows": [row],
        "breaks": [],
    }
    return {"level": "run", "changes": [], "histories": [], "engines": [table], "missing": []}


@pytest.mark.parametrize(
    ("verdict", "reason", "static", "agrees"),
    [
        ("PASS", "right", declared("bound", breaks=False), True),
        ("FAIL_NUMERIC", "binds and gives a wrong result", declared("bound", breaks=False), True),
        ("FAIL_API", REFUSED, declared("broken at call", breaks=True, reason=REFUSED), True),
        ("FAIL_API", REFUSED, declared("bound", breaks=False), False),
        ("PASS", "right", declared("broken at call", breaks=True, reason=REFUSED), False),
    ],
)
def test_sources_as_read_and_code_as_called_are_held_against_each_other(
    replayed, verdict, reason, static, agrees
):
    report = build(replace(reading.read(replayed(verdict, reason)), declared=static))
    (found,) = report.replays
    assert [side["agrees"] for side in found["sides"]] == [agrees]
    assert found["sound"] is agrees
    assert report.declared["engines"][0]["rows"][0]["sides"] == {RELEASE: found["sides"]}
    if not agrees:
        assert report.exit_code == 1
    for name in ("report.md", "report.html"):
        text = RENDERERS[name](report)
        assert ("they disagree" in text) is not agrees
        assert ("wrong results when replayed on" in text) is (verdict == "FAIL_NUMERIC")
