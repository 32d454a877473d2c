"""Verdicts against what really importing a release and binding the call shows."""

import sys
from collections import Counter
from pathlib import Path

import pytest

from matrix import toml
from matrix.engines.verdict import CallVerdict

SAMPLE = toml.load(Path(__file__).with_name("sample.toml"))["verdict"]
LEAST = 120
FITS = {
    CallVerdict.BOUND: {"ok", "members"},
    CallVerdict.BROKEN_IMPORT: {"missing"},
    CallVerdict.BROKEN_CALL: {"missing", "misfit"},
    CallVerdict.GUARDED: {"missing", "misfit"},
    CallVerdict.SHIFTED: {"ok", "members"},
    CallVerdict.NOT_CHECKABLE: {"ok", "misfit", "missing"},
}
KEYS = ("engine", "release", "flashinfer")


def pairs():
    return sorted({tuple(entry[key] for key in KEYS) for entry in SAMPLE})


def place(use):
    return use.file, use.line, use.symbol, use.form


@pytest.fixture(scope="module")
def judged(judge, engine_release):
    """Every use of every pair of the sample, with its judgement, by pair."""
    return {pair: judge(*pair).all(engine_release(*pair[:2])) for pair in pairs()}


@pytest.fixture(scope="module")
def answered(judged, judge, live, asked):
    """What each of them really meets, by pair; one process a FlashInfer release."""
    answers = {}
    for flashinfer in sorted({pair[2] for pair in judged}):
        mine = [pair for pair in judged if pair[2] == flashinfer]
        uses = [asked(use, judge(*pair)) for pair in mine for use, _ in judged[pair]]
        found = iter(live(flashinfer, uses))
        answers |= {pair: [next(found) for _ in judged[pair]] for pair in mine}
    return answers


def test_the_sample_is_wide():
    assert len(SAMPLE) >= LEAST
    assert {entry["engine"] for entry in SAMPLE} == {"sglang", "vllm"}
    assert {entry["verdict"] for entry in SAMPLE} == {verdict.value for verdict in CallVerdict}
    assert len({entry["flashinfer"] for entry in SAMPLE}) >= 6
    settled_by_reading = {"guarded", "shifted", "not checkable"}
    assert all(entry.get("read") for entry in SAMPLE if entry["verdict"] in settled_by_reading)
    assert all(entry["live"] in FITS[CallVerdict(entry["verdict"])] for entry in SAMPLE)


@pytest.mark.wheels
def test_the_verdicts_of_the_sample(judged):
    wrong = []
    for entry in SAMPLE:
        found = {
            (judgement.verdict.value, judgement.name)
            for use, judgement in judged[tuple(entry[key] for key in KEYS)]
            if place(use) == (entry["file"], entry["line"], entry["symbol"], entry["form"])
        }
        if (entry["verdict"], entry.get("name", "")) not in found:
            wrong.append((entry, found))
    assert not wrong


@pytest.mark.wheels
def test_the_sample_as_imports_show_it(judged, answered):
    wrong = []
    for entry in SAMPLE:
        pair = tuple(entry[key] for key in KEYS)
        found = {
            answer["answer"]
            for (use, _), answer in zip(judged[pair], answered[pair], strict=True)
            if place(use) == (entry["file"], entry["line"], entry["symbol"], entry["form"])
        }
        if entry["live"] not in found:
            wrong.append((entry, found))
    assert not wrong


@pytest.mark.wheels
def test_no_verdict_of_these_pairs_disagrees_with_imports(judged, answered):
    """Not the sample only: every use, wherever the lean environment can say anything."""
    told, wrong = Counter(), []
    for pair, uses in judged.items():
        for (use, judgement), answer in zip(uses, answered[pair], strict=True):
            kind = answer["answer"]
            if kind == "unavailable" or (kind == "missing" and judgement.needs):
                continue
            told[judgement.verdict.value, kind] += 1
            if kind not in FITS[judgement.verdict]:
                wrong.append((pair, place(use), judgement, answer))
    sys.stderr.write(f"{sum(told.values())} verdicts: {dict(told)}\n")
    assert sum(told.values()) > 1000
    assert not wrong


@pytest.mark.wheels
def test_a_copied_enum_is_compared_with_the_live_one(judged, answered):
    seen = 0
    for pair, uses in judged.items():
        for (use, judgement), answer in zip(uses, answered[pair], strict=True):
            if answer["answer"] == "members":
                name, value = use.member
                agrees = answer["members"].get(name) == value
                foreign = name not in answer["members"] and value not in answer["members"].values()
                assert (judgement.verdict is CallVerdict.BOUND) == (agrees or foreign), (pair, use, answer)
                seen += 1
    assert seen


@pytest.mark.wheels
def test_a_shifted_argument_lands_where_the_verdict_says(judged, answered):
    seen = 0
    for pair, uses in judged.items():
        for (use, judgement), answer in zip(uses, answered[pair], strict=True):
            if judgement.verdict is CallVerdict.SHIFTED and judgement.cls == "inserted-parameter":
                slots = answer.get("slots", [])
                if slots:
                    assert judgement.name in slots[: use.arguments.positional], (pair, use, slots)
                    seen += 1
    assert seen
