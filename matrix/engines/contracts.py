"""The contract of an engine release: what its BF16 MoE calls pass, and the defaults they rely on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matrix import toml
from matrix.errors import unknown

BUILT_IN = Path(__file__).with_name("sglang") / "calls.toml"
DEFAULT = "sglang-0.5.12"


def load(engine: str, path: Path = BUILT_IN) -> dict[str, Any]:
    """The calls of one engine release, in the plain form that a worker gets.

    Raises:
        InputError: no such engine release in the file; names the nearest.
    """
    tables = {table["engine"]: table for name, table in toml.load(path).items() if name != "schema"}
    if engine not in tables:
        raise unknown("engine", engine, tables, path.name)
    contract: dict[str, Any] = tables[engine]
    return contract
