"""Surfaces that were kept, each with what shows that its file is whole and its wheel is the same still."""

from __future__ import annotations

import json
import mmap
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

from matrix.surface import model
from matrix.surface.version import READER

if TYPE_CHECKING:
    from matrix.releases.store import Store
    from matrix.surface.model import Surface

__all__ = ["Kept"]


class Kept:
    """Surfaces of published releases in a store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def load(self, project: str, version: str) -> Surface | None:
        """A surface, or nothing where it is not kept, is damaged, or its wheel was replaced."""
        if "/" in version or "/" in project:
            return None
        key = _key(project, version)
        try:
            checksum, origin = json.loads(self.store.read("surfaces", _note_key(key)) or b"")
            with self.store.path("surfaces", key).open("rb") as file:
                data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError, TypeError):
            return None
        if crc32(data) != checksum or (origin and _stamp(origin[0]) not in (None, origin)):
            return None
        return model.load(data)

    def keep(self, project: str, version: str, data: bytes, origin: str | None) -> None:
        """Write a surface.

        Args:
            project: the distribution.
            version: its release.
            data: what `model.dump` made.
            origin: the local file that it was read from, if any.
        """
        key = _key(project, version)
        self.store.write("surfaces", key, data)
        note = json.dumps([crc32(data), _stamp(origin) if origin else None])
        self.store.write("surfaces", _note_key(key), note.encode())


def _key(project: str, version: str) -> str:
    return f"{model.SCHEMA}.{READER}/{project}/{version}.jsonl"


def _note_key(key: str) -> str:
    return f"{key}.note"


def _stamp(path: str) -> list[str | int] | None:
    """What tells a file from one that was put in its place."""
    try:
        told = Path(path).stat()
    except OSError:
        return None
    return [path, told.st_size, told.st_mtime_ns]
