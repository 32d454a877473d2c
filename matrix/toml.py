"""TOML files, read with errors that name the file and the line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from matrix.errors import InputError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from pathlib import Path


def load(path: Path) -> dict[str, Any]:
    """The tables of one TOML file.

    Raises:
        InputError: the file cannot be read or is not TOML; names the file, and line and column.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}.", "Give the path of a readable TOML file.") from error
    try:
        document: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not valid TOML: {error}.", "Mend the line named above.") from error
    return document
