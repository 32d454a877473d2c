"""The version of what reads engine sources, by its content."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

__all__ = ["fingerprint", "read_by"]

_HERE = Path(__file__).parent
_MODULES = (
    "conditions",
    "config",
    "facts",
    "layout",
    "linking",
    "mirrors",
    "pins",
    "questions",
    "release",
    "screening",
    "uses",
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
    digest = hashlib.sha256()
    for path in read_by():
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
