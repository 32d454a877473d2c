"""The backend policies of engine releases, read from their data."""

from __future__ import annotations

from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matrix import toml
from matrix.errors import InputError, unknown
from matrix.kernels.moe.policy import Constraint, Family, Policy

if TYPE_CHECKING:
    from collections.abc import Iterable

BUILT_IN = Path(__file__).with_name("sglang") / "policies.toml"
DRAFT_POLICIES = ("avoid_trtllm", "same_as_target")


def load(path: Path = BUILT_IN) -> dict[str, Policy]:
    """Every rule set of a file, by engine and release.

    `also` names releases with the very same rules, `after` the rule set above it that this one changes: its
    families come in the place of those of the same name, and `without` names families that are gone.

    Raises:
        InputError: not TOML, a key that does not exist, or an `after` that does not; names file and rule set.
    """
    tables = {name: table for name, table in toml.load(path).items() if name != "schema"}
    whole: dict[str, dict[str, Any]] = {}
    policies = {}
    for name, table in tables.items():
        where = f"{path}, [{name}]"
        whole[name] = _changed(table, whole, where)
        own = _policy(whole[name], where)
        for engine in (own.engine, *table.get("also", ())):
            policies[engine] = replace(own, engine=engine)
    return policies


def _changed(table: dict[str, Any], whole: dict[str, dict[str, Any]], where: str) -> dict[str, Any]:
    """A rule set with what it takes over from the one that it comes after."""
    own = {key: value for key, value in table.items() if key not in {"also", "after", "without"}}
    if "after" not in table:
        return own
    if table["after"] not in whole:
        raise unknown("rule set", table["after"], whole, where)
    before = whole[table["after"]]
    families = {family["name"]: family for family in before.get("family", ())}
    for gone in table.get("without", ()):
        if families.pop(gone, None) is None:
            raise unknown("family", gone, families, where)
    families |= {family.get("name", ""): family for family in own.get("family", ())}
    return {**before, **own, "family": list(families.values())}


def _policy(table: dict[str, Any], where: str) -> Policy:
    parts: dict[str, Any] = {
        plural: tuple(kind(**_checked(one, kind, where)) for one in table.get(singular, []))
        for singular, plural, kind in (
            ("family", "families", Family),
            ("constraint", "constraints", Constraint),
        )
    }
    rest = {key: value for key, value in table.items() if key not in {"family", "constraint"}}
    takes = {backend: tuple(quantizations) for backend, quantizations in rest.pop("takes", {}).items()}
    policy = Policy(**_checked(rest, Policy, where, given=parts), **parts, takes=takes)
    if policy.draft not in DRAFT_POLICIES:
        raise unknown("draft policy", policy.draft, DRAFT_POLICIES, where)
    return policy


def _checked(table: dict[str, Any], kind: type[Any], where: str, given: Iterable[str] = ()) -> dict[str, Any]:
    known = fields(kind)
    names = {one.name for one in known}
    for key in table.keys() - names:
        raise unknown("key", key, names, where)
    required = {one.name for one in known if one.default is MISSING and one.default_factory is MISSING}
    missing = sorted(required - table.keys() - set(given))
    if missing:
        told = f"{' and '.join(map(repr, missing))} {'is' if len(missing) == 1 else 'are'} missing"
        raise InputError(f"{where}: {told}.", f"A {kind.__name__.lower()} has {', '.join(sorted(required))}.")
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
