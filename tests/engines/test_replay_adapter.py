"""An adapter of ours that does not fit a release must not be blamed on the engine."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

pytest.importorskip("torch")

from matrix.engines.replay.record import Recorder
from matrix.engines.replay.replay import Kind, Replay
from matrix.kernels.moe.probe import Capability

ADAPTER = """
import types

class Engine:
    replaced = ()
    def __init__(self, engine):
        self.engine = engine
    def prepare(self, problem, gemm1, gemm2):
        return self.engine.prepare(gemm1)
"""
ENGINE = """
def prepare(weights):
    return inner(
        weights,
        layout="x",
    )

def inner(weights):
    return weights
"""


class Module:
    """What a file holds."""

    def __init__(self, source, path):
        if path.parent != path:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source, encoding="utf-8")
        exec(compile(source, str(path), "exec"), self.__dict__)


def replay(tmp_path, source, adapter=ADAPTER):
    engine = Module(source, tmp_path / "site-packages" / "planted" / "moe.py")
    adapter = Module(adapter, tmp_path / "matrix" / "engines" / "planted" / "replay.py").Engine(engine)
    recorder = Recorder(capability=Capability(release="0", kernels={}, signatures={}, enums={}), answer=None)
    return Replay(name="planted-1", engine=adapter, recorder=recorder, package="planted")


def outcome(tmp_path, source):
    from matrix.kernels.moe.problem import Problem

    problem = Problem(
        tokens=1,
        hidden=128,
        intermediate=128,
        experts=2,
        top_k=1,
        routing="renormalize",
        activation="silu",
        gated=True,
    )
    return replay(tmp_path, source).loader(problem, "gemm1", "gemm2")[1]


def test_a_name_that_the_adapter_misses_is_not_replayable(tmp_path):
    found = outcome(tmp_path, "nothing = 1")
    assert found.kind is Kind.UNASKED
    assert found.reason.startswith(
        "not replayable: its adapter here does not fit this release: AttributeError"
    )


def test_what_breaks_within_the_engine_has_its_traceback_whole(tmp_path):
    found = outcome(tmp_path, ENGINE)
    assert found.kind is Kind.BROKEN
    assert found.evidence["frame"] == "planted/moe.py:3 in prepare: return inner("
    assert found.evidence["engine_frame"] == found.evidence["frame"]
    lines = found.evidence["traceback"]
    assert lines[:3] == [
        "Traceback (most recent call last):",
        '  File "planted/moe.py", line 3, in prepare',
        "    return inner(",
    ]
    assert lines[-1] == "TypeError: inner() got an unexpected keyword argument 'layout'"


def test_what_an_error_came_from_is_told_too(tmp_path):
    caught = "    except AttributeError as error:\n        raise OSError(1) from error\n"
    source = f"def prepare(weights):\n    try:\n        weights.x\n{caught}"
    lines = outcome(tmp_path, source).evidence["traceback"]
    assert "AttributeError: 'str' object has no attribute 'x'" in lines
    assert lines[-1] == "OSError: 1"
    assert not any("/matrix/" in line for line in lines)


CRASHING = """
import types

class Engine:
    replaced = ()
    chooser = None
    mirror = {}
    def __init__(self, engine):
        self.engine = engine
    def prepare(self, problem, gemm1, gemm2):
        return self.engine.prepare(problem.activation)
    def call(self, problem, inputs, prepared, *, experts=None):
        return self.engine.prepare(problem.activation)
"""


def test_a_crash_for_one_activation_takes_neither_this_process_nor_other_answers_along(tmp_path, monkeypatch):
    from matrix.kernels.moe import layout

    # No FlashInfer stands here whose own preparation could be asked.
    monkeypatch.setattr(layout.Functions, "live", lambda: None)
    monkeypatch.setattr(layout, "prepare", lambda *_, **__: None)
    monkeypatch.setattr(Recorder, "listening", lambda recorder: nullcontext(recorder.calls))
    engine = (
        "import ctypes\n\ndef prepare(kind):\n    return ctypes.string_at(0) if kind == 'relu2' else 1 / 0\n"
    )
    found = replay(tmp_path, engine, CRASHING)
    facts = found.facts(None)
    assert facts["contract"] == {"error": "the process that was asked died of SIGSEGV"}
    assert facts["weights"]["non-gated"] == {"right": False, "reason": facts["contract"]["error"]}
    assert facts["weights"]["gated"]["reason"] == "planted-1 breaks: ZeroDivisionError: division by zero"


def test_a_traceback_is_bounded(tmp_path):
    found = outcome(tmp_path, "def prepare(w, n=60):\n    return prepare(w, n - 1) if n else 1 / 0\n")
    assert found.kind is Kind.BROKEN
    assert len(found.evidence["traceback"]) < 50
    assert found.evidence["traceback"][1] == "  ... 41 frames before"
