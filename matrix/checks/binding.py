"""Stage `bind`: the engine's call against the live signature, its defaults, and the enums it mirrors."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from matrix.checks.answer import Answer
from matrix.checks.importing import NEEDED
from matrix.kernels.moe import activations, routings
from matrix.verdicts import Verdict

if TYPE_CHECKING:
    import inspect
    from collections.abc import Mapping

    from matrix.cells.cell import Cell
    from matrix.checks.bench import Bench


def check(cell: Cell, bench: Bench) -> Answer | None:
    """FAIL_API where the call does not bind, or binds to something else than the engine means."""
    backend = cell.point.backend
    if {backend, *NEEDED} & bench.capability.failures.keys() or backend == "torch":
        return None
    engine = bench.plan["engine"]
    signature = bench.capability.signatures[backend]
    call = engine["call"][backend]
    name = engine["engine"]
    problem = (
        unbound(signature, call["keywords"], function=call["function"], engine=name)
        or changed_default(signature, engine["relies_on"], bench.capability.enums)
        or shifted_routing(cell, engine, bench.capability.enums)
        or absent_activation(cell, bench.capability.enums)
    )
    evidence = {
        "parameters": len(signature.parameters),
        "keywords": len(call["keywords"]),
        "not_passed": [name for name in signature.parameters if name not in call["keywords"]],
        "latent": latent(engine["mirror"], bench.capability.enums["RoutingMethodType"]),
        "engine_accepts": f"{cell.point.activation}-{cell.point.gating}" in engine["accepts"],
    }
    if problem:
        return Answer(Verdict.FAIL_API, f"{problem} (FlashInfer {bench.release})", _remedy(problem), evidence)
    return Answer(
        Verdict.PASS, f"{name}'s call binds to {len(signature.parameters)} parameters", "", evidence
    )


def unbound(signature: inspect.Signature, keywords: list[str], *, function: str, engine: str) -> str:
    """Why a call with these keywords does not bind, in words; empty where it does."""
    try:
        signature.bind(**dict.fromkeys(keywords))
    except TypeError as error:
        lacking = [keyword for keyword in keywords if keyword not in signature.parameters]
        if lacking:
            return f"{engine} passes {' and '.join(lacking)}, which {function} does not take"
        return f"{engine}'s call of {function} does not bind: {error}"
    return ""


def changed_default(
    signature: inspect.Signature, relies_on: Mapping[str, str], enums: Mapping[str, Mapping[str, int]]
) -> str:
    """Which default that the engine relies on without passing it has another value now; empty if none has."""
    for name, wanted in relies_on.items():
        if name in signature.parameters:
            found = signature.parameters[name].default
            if not _is_value(found, wanted, enums):
                return f"the default of {name} is {found!r}, not {wanted}"
    return ""


def _is_value(found: Any, wanted: str, enums: Mapping[str, Mapping[str, int]]) -> bool:
    if isinstance(found, Enum):
        return found.name == wanted
    if isinstance(found, bool):
        return str(found) == wanted
    return any(wanted in members and members[wanted] == found for members in enums.values())


def shifted_routing(cell: Cell, engine: Mapping[str, Any], enums: Mapping[str, Mapping[str, int]]) -> str:
    """What else the engine's integer for this routing means in this release; empty where it means the same."""
    member = routings.find(cell.point.routing).member
    live = enums["RoutingMethodType"]
    passed = engine["mirror"].get(member)
    if passed is None or live.get(member) == passed:
        return ""
    means = next((name for name, value in live.items() if value == passed), "no method")
    return f"{engine['engine']} passes {passed} for {member}, which now means {means}"


def absent_activation(cell: Cell, enums: Mapping[str, Mapping[str, int]]) -> str:
    """Whether the activation is one that the engine maps to a member which this release lacks."""
    member = activations.find(cell.point.activation, gated=cell.point.gating == "gated").member
    if member in {"Swiglu", "Relu2"} and member not in enums["ActivationType"]:
        return f"ActivationType has no {member}"
    return ""


def latent(mirror: Mapping[str, int], live: Mapping[str, int]) -> list[str]:
    """Members whose integers differ, whether or not the engine passes them."""
    names = {value: name for name, value in live.items()}
    return [
        f"{member}={value} is {names.get(value, 'nothing')} in this release"
        for member, value in mirror.items()
        if live.get(member) != value
    ]


def _remedy(problem: str) -> str:
    if "default of" in problem:
        return "Pass the value instead of relying on the default."
    if "activation_type" in problem:
        return "Pin flashinfer-python>=0.6.8, or leave activation_type out for gated silu and fall back for the rest."
    if "does not take" in problem:
        return (
            "Pin a release whose function takes the keyword, or pass it only where the live signature has it."
        )
    return "Pass enum members by name from the live module, never by integer."
