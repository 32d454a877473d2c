"""A question put to an engine in a process of its own, so that its crash takes nothing along but the answer."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

from matrix.kernels.moe.probe import failure_of

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 240.0
"""Longest time for one question; the choice of backends, the longest, takes about ten."""
CHUNK = 1 << 16


def apart(ask: Callable[[], dict[str, Any]], seconds: float = SECONDS) -> dict[str, Any]:
    """What `ask` returns, from a copy of this process; `{"error": ...}` where it raises, dies or does not end.

    Args:
        ask: gives plain data.
        seconds: after which the copy is killed.
    """
    source, sink = os.pipe()
    child = os.fork()
    if child == 0:
        _answer(ask, sink)
    os.close(sink)
    text = _read(source, time.monotonic() + seconds)
    os.close(source)
    if text is None:
        os.kill(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if text is None:
        return {"error": f"no answer within {seconds:.0f} s; killed"}
    if status < 0:
        return {"error": f"the process that was asked died of {signal.Signals(-status).name}"}
    if not text:
        return {"error": f"the process that was asked ended with status {status}"}
    told: dict[str, Any] = json.loads(text)
    return told


def _answer(ask: Callable[[], dict[str, Any]], sink: int) -> None:
    """In the copy: nothing of it may go on with what the original was doing, so it ends here.

    The threads that torch computes with are not copied, and it would wait for them: here it does with one.
    """
    try:
        if torch := sys.modules.get("torch"):
            torch.set_num_threads(1)
        try:
            text = json.dumps(ask())
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the engine raises is an answer
            text = json.dumps({"error": str(failure_of(error, "asking"))})
        with os.fdopen(sink, "wb") as pipe:
            pipe.write(text.encode())
    finally:
        os._exit(0)


def _read(source: int, deadline: float) -> bytes | None:
    """All that comes until the other end closes; None where that takes too long."""
    chunks: list[bytes] = []
    while select.select([source], [], [], max(0.0, deadline - time.monotonic()))[0]:
        chunk = os.read(source, CHUNK)
        if not chunk:
            return b"".join(chunks)
        chunks.append(chunk)
    return None
