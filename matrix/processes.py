"""Work on all cores: processes that share it, and how an interrupt ends them."""

from __future__ import annotations

import os
import signal
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import active_children, get_context
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Executor

__all__ = ["cores", "end_processes", "processes", "spread", "unheard"]

T = TypeVar("T")

_MOST = 8
_AFTER_AN_INTERRUPT = "ignore:resource_tracker:UserWarning"
"""The process that tidies up what interrupted ones held says so, where nobody asked."""


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processes(**more: Any) -> ProcessPoolExecutor:
    """One process a processor, started afresh, as threads may be running here."""
    if _AFTER_AN_INTERRUPT not in sys.warnoptions:  # which started processes take over
        sys.warnoptions.append(_AFTER_AN_INTERRUPT)
    return ProcessPoolExecutor(min(cores(), _MOST), mp_context=get_context("spawn"), **more)


def spread(pool: Executor, work: Callable[..., T], items: Iterable[Any], chunk: int) -> Iterator[T]:
    """`pool.map` in processes that do not hear an interrupt: this one ends them."""
    heard = unheard()
    try:
        return pool.map(work, items, chunksize=chunk)  # processes start here, and inherit what is blocked
    finally:
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_SETMASK, heard)


def unheard() -> set[Any]:
    """Keep interrupts from this thread and the processes that it starts; returns what was blocked before."""
    if not hasattr(signal, "pthread_sigmask"):
        return set()
    return signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def end_processes() -> None:
    """End what `processes` started, so that an interrupted reader need not wait for it.

    The threads that minded those processes are about to end, and what they say about it is of no use.
    """
    threading.excepthook = lambda _: None
    for child in active_children():
        child.terminate()
