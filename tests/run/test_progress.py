from __future__ import annotations

import io
from contextlib import suppress

from rich.console import Console

from matrix.run.progress import Watcher
from matrix.verdicts import Result, Verdict

CELL = "0.6.14/lean/trtllm_bf16/x"


def result(verdict, cell=CELL):
    return Result(cell=cell, stage="bind", verdict=verdict, reason="")


def watched(*, terminal=False):
    out = io.StringIO()
    return out, Watcher(
        total=3, console=Console(file=out, force_terminal=terminal, width=60, highlight=False)
    )


def test_a_log_gets_a_line_a_fact_and_no_control_characters():
    out, watcher = watched()
    with watcher:
        watcher.failed(
            "0.5.3/lean", "[red]could not be built: a very long reason that goes on and on and on, to the end"
        )
        for verdict in (Verdict.PASS, Verdict.FAIL_API, Verdict.FALLBACK):
            watcher.result(result(verdict))
        watcher.finished(CELL)
        watcher.finished("0.6.14/lean/other")
        watcher.closed("0.6.14/lean", 2.345)
    assert out.getvalue().splitlines() == [
        "0.5.3/lean: [red]could not be built: a very long reason that goes on and on and on, to the end",
        "0.6.14/lean: 2 cells in 2.3 s: 1 FAIL_API, 1 NOT_RUN",
    ]
    assert "\x1b" not in out.getvalue()


def test_a_terminal_gets_a_live_line_that_is_gone_at_the_end():
    out, watcher = watched(terminal=True)
    with watcher:
        watcher.finished(CELL)
        watcher.say("a fact")
    assert "a fact" in out.getvalue()
    assert "\x1b[2K" in out.getvalue()


def test_an_error_takes_the_live_line_away():
    out, watcher = watched(terminal=True)
    with suppress(KeyboardInterrupt), watcher:
        raise KeyboardInterrupt
    assert out.getvalue().endswith("\x1b[2K")
