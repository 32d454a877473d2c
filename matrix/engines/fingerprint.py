"""The versions of what reads engine sources and of what judges them, by their content."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["fingerprint", "judged_by", "judging", "read_by"]

_HERE = Path(__file__).parent
_MODULES = (
    "conditions",
    "config",
    "facts",
    "layout",
    "linking",
    "mirrors",
    "patched",
    "pins",
    "questions",
    "release",
    "screening",
    "uses",
)
_JUDGING = (
    "binding",
    "classes",
    "columns",
    "excuses",
    "comparing",
    "found",
    "functions",
    "integers",
    "judge",
    "provider",
    "source",
    "upstream",
    "verdict",
)


def read_by() -> list[Path]:
    """The code and data that decide what a reading of an engine says."""
    return [
        *(_HERE / f"{name}.py" for name in _MODULES),
        *sorted((_HERE / "reading").glob("*.py")),
        _HERE / "common.toml",
        *sorted(_HERE.glob("*/engine.toml")),
    ]


@lru_cache
def fingerprint() -> str:
    """Of the code and data that read sources: what another version of them kept is not used."""
    return _digest(read_by())


def judged_by() -> list[Path]:
    """The code and data that decide a verdict."""
    return [*read_by(), *(_HERE / f"{name}.py" for name in _JUDGING)]


@lru_cache
def judging() -> str:
    """Of the code that judges and of what reads the sources: verdicts of another version are not used."""
    return _digest(judged_by())


def _digest(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
