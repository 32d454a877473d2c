"""The contract of an engine release: what its BF16 MoE calls pass, and the defaults they rely on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from matrix import toml
from matrix.errors import unknown

HERE = Path(__file__).parent
BUILT_IN = Path(__file__).with_name("sglang") / "calls.toml"
DEFAULT = "sglang-0.5.12"
BACKENDS = ("trtllm_bf16", "trtllm_bf16_routed")
"""The backends that engines call FlashInfer for."""


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


def recorded(engine: str) -> dict[str, Any]:
    """The contract that replay recorded for an engine release, or an empty one."""
    path = HERE / engine.partition("-")[0] / "contracts" / f"{engine}.json"
    if not engine or not path.is_file():
        return {}
    contract: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return contract
