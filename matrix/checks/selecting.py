"""Stage `select`: does the dispatcher choose the path that it should on this release?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packaging.specifiers import SpecifierSet

from matrix.checks.answer import Answer
from matrix.kernels.moe.dispatch import Path, choose
from matrix.kernels.moe.policy import Policy
from matrix.verdicts import Verdict

if TYPE_CHECKING:
    from matrix.cells.cell import Cell
    from matrix.checks.bench import Bench


def check(cell: Cell, bench: Bench) -> Answer | None:
    """FAIL_API where the dispatcher's path is not the one that the release's known history asks for."""
    decision = choose(bench.request(cell), bench.capability)
    here = choose(bench.request(cell, compute_capability=bench.compute_capability), bench.capability)
    wanted, why = expected(cell, bench)
    evidence: dict[str, Any] = {
        "path": decision.path.value,
        "why": decision.reason,
        "left_out": list(decision.left_out),
        "here": here.path.value,
        "why_here": here.reason,
    }
    if cell.point.role == "draft":
        evidence["drafts"] = drafts(cell, bench)
        avoided = choose(bench.request(cell, draft_policy="avoid_trtllm"), bench.capability)
        if avoided.path is not Path.FALLBACK:
            reason = f"the policy avoid_trtllm gives a draft the path {avoided.path.value}"
            return Answer(Verdict.FAIL_API, reason, "Report this.", evidence)
    if decision.path is not wanted:
        reason = (
            f"the dispatcher chooses {decision.path.value} ({decision.reason}), not {wanted.value}: {why}"
        )
        return Answer(
            Verdict.FAIL_API, reason, "Correct the dispatcher, or the history in paths.toml.", evidence
        )
    return Answer(Verdict.PASS, f"{decision.path.value}: {decision.reason}", "", evidence)


def expected(cell: Cell, bench: Bench) -> tuple[Path, str]:
    """The path that a release's history asks for on SM100, and the line of it that decides."""
    history, release = bench.plan["paths"], bench.capability.release
    point, profile = cell.point, bench.profile(cell)
    if point.backend == "torch":
        return Path.FALLBACK, "the torch backend"
    if release is None:
        return Path.FALLBACK, "nothing was imported"
    activation = f"{point.activation}-{point.gating}"
    takes_activation = _since(history["activation_type"], release)
    grouped = point.routing == "deepseek_v3"
    scaled = grouped and profile["routed_scaling_factor"] != 1.0
    blockers = {
        "the function": not _since(history["kernel"].get(point.backend), release),
        "a kernel for the activation": not _since(history["activation"].get(activation), release),
        "a kernel for the shape": bool(profile["intermediate"] % history["intermediate_multiple"]),
        "routed_scaling_factor": scaled and not _since(history["routed_scaling_factor"], release),
    }
    if point.backend == "trtllm_bf16":
        top_k, experts = history["limit"][point.routing]
        if grouped:
            known = history["grouped_top_k"]
            before = known["before_activation_type"]
            after = known["after_activation_type"] if profile["n_group"] > 1 else top_k
            top_k = after if takes_activation else before
        blockers["the routing"] = not _since(history["routing"].get(point.routing), release)
        blockers["the routing's limits"] = profile["top_k"] > top_k or profile["experts"] > experts
    for what, blocks in blockers.items():
        if blocks:
            return Path.FALLBACK, f"{release} lacks {what}"
    if takes_activation:
        return Path.ACTIVATION_TYPE, f"{release} takes activation_type"
    return Path.LEGACY, f"{release} computes gated silu without activation_type"


def _since(specifier: str | None, release: str) -> bool:
    return specifier is not None and SpecifierSet(specifier).contains(release, prereleases=True)


def drafts(cell: Cell, bench: Bench) -> dict[str, str]:
    """The backend that each engine's rules give an unquantized target on SM100, and then its draft."""
    architecture = bench.profile(cell)["architecture"]
    told = {}
    for name, table in bench.plan["policies"].items():
        policy = Policy.from_json(table)
        target = policy.target(architecture, (10, 0)).backend or "auto"
        told[name] = f"target {target}, draft {policy.drafted(target).backend}"
    return told
