"""The folder where what was downloaded and built stays between runs."""

from __future__ import annotations

import os
from pathlib import Path

from matrix.errors import InputError

VARIABLE = "KERNEL_MATRIX_CACHE"


def folder(name: str) -> Path:
    """A folder of that name in the cache: under $KERNEL_MATRIX_CACHE, else where the system keeps caches.

    Raises:
        InputError: it cannot be made.
    """
    chosen = os.environ.get(VARIABLE)
    if chosen:
        root = Path(chosen)
    else:
        from platformdirs import user_cache_path

        root = user_cache_path("kernel-matrix")
    path = (root / name).absolute()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the cache folder {path}: {error}.", f"Set {VARIABLE}.") from error
    return path
