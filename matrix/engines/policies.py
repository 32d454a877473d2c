"""The backend policies of engine releases, read from their data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matrix import toml
from matrix.errors import unknown
from matrix.kernels.moe.policy import Family, Policy

BUILT_IN = Path(__file__).with_name("sglang") / "policies.toml"


def load(path: Path = BUILT_IN) -> dict[str, Policy]:
    """Every rule set of a file, by engine and release.

    Raises:
        InputError: not TOML, or a key that does not exist; names file and rule set.
    """
    tables = {name: table for name, table in toml.load(path).items() if name != "schema"}
    policies = [_policy(table, f"{path}, [{name}]") for name, table in tables.items()]
    return {policy.engine: policy for policy in policies}


def _policy(table: dict[str, Any], where: str) -> Policy:
    families = tuple(Family(**_known(family, Family, where)) for family in table.get("family", []))
    rest = {key: value for key, value in table.items() if key != "family"}
    return Policy(**_known(rest, Policy, where), families=families)


def _known(table: dict[str, Any], kind: type[Family | Policy], where: str) -> dict[str, Any]:
    for key in table.keys() - set(kind.__dataclass_fields__):
        raise unknown("key", key, kind.__dataclass_fields__, where)
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
