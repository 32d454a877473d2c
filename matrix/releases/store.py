"""The cache on disk: small files, written whole or not at all, safe to share between processes."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

__all__ = ["Store", "cache_folder"]


def cache_folder() -> Path:
    """Where everything that was read is kept: `KERNEL_MATRIX_CACHE`, else the user's cache folder."""
    named = os.environ.get("KERNEL_MATRIX_CACHE")
    if named:
        return Path(named)
    import platformdirs

    return Path(platformdirs.user_cache_dir("kernel-matrix"))


class Store:
    """Files by kind and key under one folder. What a file means, and its version, is its kind's matter."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or cache_folder()

    def path(self, kind: str, key: str) -> Path:
        """Where a key's file lies, whether it is there or not; a key may name folders with `/`."""
        return self.folder / kind / key

    def read(self, kind: str, key: str) -> bytes | None:
        """The bytes of a file, or nothing where it is not there."""
        try:
            return self.path(kind, key).read_bytes()
        except OSError:
            return None

    def write(self, kind: str, key: str, data: bytes) -> Path:
        """Put a file in place at once, so that no reader sees a part of it; the last writer wins."""
        path = self.path(kind, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        return path
