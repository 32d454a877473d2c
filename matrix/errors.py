"""Exit codes, and the errors that carry one: what happened, where, and what to do."""

from __future__ import annotations

import difflib
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


MOST_NAMES = 16


class Exit(IntEnum):
    """What the exit code of every command means."""

    AS_EXPECTED = 0
    UNEXPECTED = 1
    BAD_INPUT = 2
    INCOMPLETE = 3
    INTERRUPTED = 130


class KernelMatrixError(Exception):
    """A fatal error of the tool itself, shown as one message without a traceback.

    Args:
        what: one sentence on what happened and where.
        remedy: what the user can do about it.
    """

    exit_code = Exit.BAD_INPUT

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what}\n  {self.remedy}" if self.remedy else self.what


class InputError(KernelMatrixError):
    """A release, cell, axis value, key or file that the user named and that does not hold."""


class EmptySelectionError(InputError):
    """A selection that holds, but that no cell matches."""


class EnvironmentBuildError(KernelMatrixError):
    """An environment that could not be built: a verdict for its cells, fatal only where nothing else is left."""


class NetworkError(KernelMatrixError):
    """The package index could not be reached, or answered something else than it should."""


def unknown(kind: str, name: str, known: Iterable[str], where: str = "") -> InputError:
    """An error for a name that does not exist, with the nearest names that do."""
    names = sorted(set(known))
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    some = (
        names if len(names) <= MOST_NAMES else [*names[: MOST_NAMES // 2], "...", *names[-MOST_NAMES // 2 :]]
    )
    remedy = f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(some) or 'none'}."
    return InputError(f"{where + ': ' if where else ''}unknown {kind} '{name}'.", remedy)
