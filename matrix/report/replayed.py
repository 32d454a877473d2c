"""What the replay of an engine release tells beside its cells, held against what is kept of it and what is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matrix.engines import agreement, contracts
from matrix.engines.replay.policy import sound
from matrix.verdicts import Stage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from matrix.report.model import Cell
    from matrix.report.reading import Run

MOST = 8
"""Disagreements of the backends that are shown; `report.json` has more."""
_POLICY = ("summary", "error", "disagreeing", "disagreements", "unanswered")


def replays(run: Run, cells: Iterable[Cell]) -> tuple[dict[str, Any], ...]:
    """One entry for each replayed environment: its contract, its choice of backends, and what its sources say."""
    results: dict[str, list[dict[str, Any]]] = {}
    for cell in cells:
        for result in cell.results:
            if result.stage == Stage.REPLAY.value:
                one = {"verdict": result.verdict.value, "reason": result.reason, "cells": [cell.id]}
                results.setdefault(cell.environment_id, []).append(one)
    found = []
    for place in run.plan["environments"]:
        if not place.get("engine"):
            continue
        facts = run.replays.get(place["id"], {})
        contract, policy = facts.get("contract", {}), facts.get("policy", {})
        static = _static(run.declared or {}, place)
        sides = agreement.sides(static, {"findings": results.get(place["id"], [])}) if static else []
        differences = contracts.differences(contract) if "engine" in contract else []
        found.append(
            {
                "environment": place["id"],
                "engine": place["engine"]["name"],
                "engine_release": place["engine"]["release"],
                "flashinfer": place["release"],
                "weights": facts.get("weights", {}),
                "contract": {"error": contract.get("error", ""), "differences": differences},
                "policy": {key: policy[key] for key in _POLICY if key in policy},
                "sides": [side.to_json() | {"text": str(side)} for side in sides],
                "sound": sound(policy) and not differences and all(side.agrees for side in sides),
            }
        )
    return tuple(found)


def _static(declared: Mapping[str, Any], place: Mapping[str, Any]) -> dict[str, Any] | None:
    for table in declared.get("engines", ()):
        for row in table["rows"]:
            if (table["engine"], row["release"]) == (place["engine"]["name"], place["engine"]["release"]):
                known: dict[str, Any] | None = row.get("read", {}).get(place["release"])
                return known
    return None


def disagreements(replay: Mapping[str, Any]) -> list[str]:
    """Everything in which an engine's own code is not what is kept or read of it, with both answers."""
    told = [f"contract: {difference}" for difference in replay["contract"]["differences"]]
    policy = replay["policy"]
    if policy.get("error"):
        told.append(f"policy: not asked: {policy['error']}")
    for one in policy.get("disagreements", ())[:MOST]:
        point = ", ".join(f"{axis} {value}" for axis, value in one["point"].items() if value is not None)
        told.append(f"policy: {point}: the engine says {one['engine']}; our rules say {one['rules']}")
    more = policy.get("disagreeing", 0) - MOST
    if more > 0:
        told.append(f"policy: {more} more points")
    told += [
        f"policy: {count} points not asked: {why}" for why, count in policy.get("unanswered", {}).items()
    ]
    return told + [side["text"] for side in replay["sides"] if not side["agrees"]]


def agreements(replay: Mapping[str, Any]) -> list[str]:
    """The rest: what was held against the engine's own code and is so, and what could not be asked."""
    told = [side["text"] for side in replay["sides"] if side["agrees"]]
    policy, contract = replay["policy"], replay["contract"]
    told += [f"policy: {policy['summary']}"] if policy.get("summary") else []
    told += [f"contract: not recorded: {contract['error']}"] if contract["error"] else []
    told += [
        f"weights, {kind}: {one['reason']}" for kind, one in replay["weights"].items() if not one["right"]
    ]
    return told


def name(replay: Mapping[str, Any]) -> str:
    """`sglang 0.5.12 on FlashInfer 0.6.8.post1`."""
    return f"{replay['engine']} {replay['engine_release']} on FlashInfer {replay['flashinfer']}"
