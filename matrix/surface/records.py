"""Parsed files, one record for each distinct content, and the surfaces put together from them."""

from __future__ import annotations

import gc
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zlib import crc32

from matrix.releases.store import Store
from matrix.surface import collecting, model
from matrix.surface.version import READER

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Source", "assemble_from", "is_recorded", "parse_into"]


@dataclass(frozen=True, kw_only=True)
class Source:
    """One Python file of a release: its module, its place and the key of its content."""

    module: str
    file: str
    content: str


def is_recorded(store: Store, content: str) -> bool:
    """Whether a content was parsed before."""
    return store.path("records", _key(content)).exists()


def parse_into(folder: Path, contents: dict[str, bytes]) -> None:
    """Parse files and keep their records.

    Args:
        folder: of the store.
        contents: by key.
    """
    from matrix.surface.parse import parse

    store = Store(folder)
    with collecting.paused():
        for key, content in contents.items():
            record = json.dumps(parse(content), separators=(",", ":")).encode()
            store.write("records", _key(key), b"%08x\n%b" % (crc32(record), record))
    gc.collect()  # syntax trees have cycles


def assemble_from(folder: Path, release: str, sources: list[Source]) -> bytes | None:
    """Put a release together from kept records.

    Args:
        folder: of the store.
        release: its label.
        sources: its files.

    Returns:
        What `model.load` reads; nothing where some records were torn, which are removed.
    """
    from matrix.surface.assemble import assemble
    from matrix.surface.namespace import Module

    store = Store(folder)
    with collecting.paused():
        records = [_record(store, source.content) for source in sources]
        modules = [
            Module(name=source.module, file=source.file, record=record)
            for source, record in zip(sources, records, strict=True)
            if record is not None
        ]
        whole = len(modules) == len(sources)
        data = model.dump(assemble(release, modules)) if whole else None
    gc.collect()
    return data


def _record(store: Store, content: str) -> dict[str, Any] | None:
    """The record of a content, or nothing where the file is not the one that was written; that one is removed."""
    checksum, _, body = (store.read("records", _key(content)) or b"").partition(b"\n")
    if checksum != b"%08x" % crc32(body):
        store.path("records", _key(content)).unlink(missing_ok=True)
        return None
    record: dict[str, Any] = json.loads(body)
    return record


def _key(content: str) -> str:
    return f"{READER}/{content[:2]}/{content}.json"
