"""Stage `kernel`: does the release ship a GPU kernel for the cell, and does its own code find one for the shape?

Answered without a GPU: from the names of the release's kernels, and from what its selection code said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matrix.checks.answer import Answer
from matrix.checks.numerics import TOKENS
from matrix.kernels.moe import activations
from matrix.kernels.moe.dispatch import MAJORS, Path, choose
from matrix.verdicts import Verdict

if TYPE_CHECKING:
    from matrix.cells.cell import Cell, Point
    from matrix.checks.bench import Bench
    from matrix.cubins.shipped import Shipped
    from matrix.kernels.moe.dispatch import Decision


def check(cell: Cell, bench: Bench) -> Answer | None:
    """PASS where dispatcher and kernels agree: a kernel is there and taken, or there is none and it falls back."""
    if cell.point.backend == "torch" or cell.point.backend in bench.capability.failures:
        return None
    decision = choose(bench.request(cell), bench.capability)
    known = bench.kernels()
    if known is None:
        return _unknown(cell, bench, decision)
    activation = activations.find(cell.point.activation, gated=cell.point.gating == "gated")
    count = known.kernels.get(activation.member, 0)
    told = known.configurations(cell.point.profile, activation.id, TOKENS[cell.point.role])
    evidence: dict[str, Any] = {
        "kernels": count,
        "configurations": told,
        "splits": known.splits(cell.point.profile, activation.id),
        "origin": known.origin,
        "made": known.made,
        "by_signature": choose(bench.request(cell, shipped=None, unfit=""), bench.capability).path.value,
    }
    there, told_there = found(cell.point, known)
    if decision.path is not Path.FALLBACK:
        if there:
            return Answer(Verdict.PASS, told_there, "", evidence)
        reason = (
            f"the dispatcher takes the path {decision.path.value}, and the release would refuse: {told_there}"
        )
        return Answer(Verdict.FAIL_API, reason, "Fall back for this layer on this release.", evidence)
    if there and _would_be_taken(cell, bench):
        reason = f"the dispatcher falls back ({decision.reason}), and the release has a kernel: {told_there}"
        return Answer(Verdict.FAIL_API, reason, "Correct the dispatcher.", evidence)
    reason = (
        f"{told_there}; not taken: {decision.reason}" if there else f"the dispatcher falls back: {told_there}"
    )
    return Answer(Verdict.PASS, reason, "", evidence)


def found(point: Point, known: Shipped) -> tuple[bool, str]:
    """Whether a release has a kernel for a point, and what it has in words; a refusal as the release writes it.

    Without an answer of its selection code the names alone decide.
    """
    activation = activations.find(point.activation, gated=point.gating == "gated")
    told = known.configurations(point.profile, activation.id, TOKENS[point.role])
    there = bool(known.kernels.get(activation.member)) and (
        told is None or (isinstance(told, int) and told > 0)
    )
    return there, _words(known, activation.member, told)


def _words(known: Shipped, member: str, told: int | str | None) -> str:
    count = known.kernels.get(member, 0)
    kernels = (
        f"{count} BF16 {member} kernels by name" if count else f"no BF16 {member} kernel in this release"
    )
    if told is None:
        return f"{kernels}; its selection code does not say for the shape"
    if isinstance(told, str):
        return f"{kernels}; {told}"
    return f"{kernels}, {told or 'no'} configurations for the shape"


def _would_be_taken(cell: Cell, bench: Bench) -> bool:
    """Whether the dispatcher would take the kernel if it were told of one."""
    activation = activations.find(cell.point.activation, gated=cell.point.gating == "gated")
    request = bench.request(cell, shipped=(activation.member,), unfit="")
    return choose(request, bench.capability).path is not Path.FALLBACK


def _unknown(cell: Cell, bench: Bench, decision: Decision) -> Answer | None:
    """NOT_RUN, except where a later stage answers better: the fallback, or the kernel on its own GPU."""
    gpu = bench.compute_capability
    if decision.path is Path.FALLBACK or (gpu is not None and gpu[0] in MAJORS):
        return None
    problem = bench.plan.get("kernels", {}).get(cell.release, {}).get("problem", {})
    reason = problem.get("reason", f"the kernels of FlashInfer {cell.release} are not known here")
    return Answer(Verdict.NOT_RUN, reason, problem.get("remedy", f"On an SM100: {bench.how_to_run(cell)}"))
