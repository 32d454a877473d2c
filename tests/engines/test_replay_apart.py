"""A question put to an engine in a process of its own."""

from __future__ import annotations

import ctypes
import os
import sys
import time

import pytest

from matrix.engines.replay.apart import apart


def test_an_answer_comes_back_whole():
    told = {"long": "x" * 1_000_000, "list": [1, None, {"a": True}]}
    assert apart(lambda: told) == told


@pytest.mark.parametrize(
    ("ask", "error"),
    [
        (lambda: ctypes.string_at(0), "the process that was asked died of SIGSEGV"),
        (lambda: os._exit(3), "the process that was asked ended with status 3"),
        (lambda: os._exit(0), "the process that was asked ended with status 0"),
        (lambda: sys.exit("no GPU"), "asking raised SystemExit: no GPU"),
        (lambda: {}["x"], "asking raised KeyError: 'x'"),
        (lambda: {"x": object()}, "asking raised TypeError: Object of type object is not JSON serializable"),
    ],
)
def test_whatever_becomes_of_it_this_process_goes_on_and_says_so(ask, error):
    (told,) = apart(ask).values()
    assert told.startswith(error)


def test_torch_computes_in_the_copy_after_it_computed_here():
    torch = pytest.importorskip("torch")
    values = torch.rand(1024, 1024)

    def total():
        return {"total": float((values @ values).exp().sum())}

    assert total()["total"] > 0
    assert "total" in apart(total, seconds=30)


def test_a_question_without_an_end_is_given_up():
    began = time.monotonic()
    assert apart(lambda: time.sleep(60), seconds=0.2) == {"error": "no answer within 0 s; killed"}
    assert time.monotonic() - began < 10
