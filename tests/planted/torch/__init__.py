"""Stands for torch in tests of processes: a worker that asks no more of it starts in no time."""

from __future__ import annotations

from types import SimpleNamespace

__version__ = "0"
cuda = SimpleNamespace(is_available=lambda: False)


def set_num_threads(_: int) -> None:
    """Nothing to share."""
