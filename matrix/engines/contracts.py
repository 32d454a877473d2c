"""The contract of an engine release: what its BF16 MoE calls pass, and the defaults they rely on.

Contracts are recorded from the engine's own code (`kernel-matrix replay --record`), one file a release.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from matrix.errors import unknown

HERE = Path(__file__).parent
DEFAULT = "sglang-0.5.12"
BACKENDS = ("trtllm_bf16", "trtllm_bf16_routed")
"""The backends that engines call FlashInfer for."""


def names() -> list[str]:
    """Every engine release with a contract."""
    return sorted(path.stem for path in HERE.glob("*/contracts/*.json"))


def recorded(engine: str) -> dict[str, Any]:
    """The contract of an engine release, or an empty one where there is none."""
    path = HERE / engine.partition("-")[0] / "contracts" / f"{engine}.json"
    if not engine or not path.is_file():
        return {}
    contract: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return contract


def differences(found: dict[str, Any]) -> list[str]:
    """Where a contract recorded anew is not the kept one, path by path; none where none is kept for that release."""
    from matrix.engines.replay import contract

    kept = recorded(found.get("engine", ""))
    if not kept or kept["flashinfer"] != found["flashinfer"]:
        return []
    return list(contract.differences(kept, found))


def load(engine: str) -> dict[str, Any]:
    """The contract of one engine release, in the plain form that a worker gets.

    Raises:
        InputError: there is none; names the nearest.
    """
    contract = recorded(engine)
    if not contract:
        raise unknown("engine", engine, names())
    return contract
