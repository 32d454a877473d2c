"""What `selection.toml` says, as one object."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from matrix import toml
from matrix.errors import InputError

FILE = Path(__file__).with_name("selection.toml")
SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The tables of `selection.toml`, where each key is explained."""

    code: dict[str, Any]
    toolchain: dict[str, Any]
    parameter: dict[str, dict[str, Any]]
    ask: dict[str, list[int]]


@cache
def load(path: Path = FILE) -> Settings:
    """Read the file.

    Raises:
        InputError: it is not TOML, of another schema, or a table is missing.
    """
    data = toml.load(path)
    if data.pop("schema", None) != SCHEMA:
        raise InputError(f"{path} is not of schema {SCHEMA}.", f"Set schema = {SCHEMA}.")
    try:
        return Settings(**data)
    except TypeError as error:
        tables = ", ".join(Settings.__dataclass_fields__)
        raise InputError(f"{path}: {error}.", f"It has the tables {tables}.") from error
