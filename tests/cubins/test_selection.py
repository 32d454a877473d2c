"""Answers in their compact form."""

import json

import pytest

from matrix.cubins import questions, selection
from matrix.cubins.selection import Answers
from matrix.cubins.settings import Settings
from matrix.kernels.moe import profiles

ASK = {"tokens": [1, 64], "expert_parallel": [1, 3], "tensor_parallel": [1, 2]}
SETTINGS = Settings(code={}, toolchain={}, parameter={}, ask=ASK)


@pytest.fixture(scope="module")
def asked():
    known = profiles.load()
    return questions.every({name: known[name] for name in ("deepseek-v3", "nemotron-h-nano")}, ASK)


@pytest.fixture
def answers(asked):
    def answer(question):
        if question.activation == "silu-gated":
            return 352 if question.tokens == 1 else 8
        return 0 if question.activation == "relu2-nongated" else f"RuntimeError: no {question.member}"

    return selection.arrange(asked, [answer(question) for question in asked], SETTINGS)


def test_written_and_read_back(answers):
    text = json.dumps(answers.to_json())
    assert Answers.from_json(json.loads(text)) == answers
    assert len(text) < 2000


def test_find(answers):
    assert answers.find("deepseek-v3", "silu-gated", tokens=1) == 352
    assert answers.find("deepseek-v3", "silu-gated", tokens=4) == 8
    assert answers.find("deepseek-v3", "silu-gated", tokens=10**6) == 8
    assert answers.find("deepseek-v3", "relu2-nongated", tokens=1) == 0
    assert answers.find("deepseek-v3", "gelu-gated", tokens=1) == "RuntimeError: no Geglu"
    assert answers.find("deepseek-v3", "silu-gated", tokens=1, split=(3, 1)) is None  # 3 does not divide 256
    assert answers.find("deepseek-v3", "silu-gated", tokens=1, split=(7, 7)) is None
    assert answers.find("no-such", "silu-gated", tokens=1) is None


def test_a_list_that_is_always_empty_says_nothing(asked, answers):
    assert not answers.silent
    told = ["RuntimeError: no" if question.member == "Geglu" else 0 for question in asked]
    assert selection.arrange(asked, told, SETTINGS).silent


def test_folders_of_the_machine_are_no_part_of_a_refusal():
    text = "RuntimeError: at /root/x/y-1.2/site-packages/flashinfer/data/csrc/a.cu:143: No kernel found: mTileSize: 8"
    assert (
        selection._clean(text)
        == "RuntimeError: at flashinfer/data/csrc/a.cu:143: No kernel found: mTileSize: 8"
    )
    assert selection._clean(3) == 3
