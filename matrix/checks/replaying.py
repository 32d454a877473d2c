"""Stage `replay`: the engine's own runner and weight loader, called with the cell's layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matrix.checks import numerics
from matrix.checks.answer import Answer
from matrix.verdicts import Verdict

if TYPE_CHECKING:
    from matrix.cells.cell import Cell
    from matrix.checks.bench import Bench
    from matrix.engines.replay.replay import Outcome, Replay
    from matrix.kernels.moe.inputs import Inputs
    from matrix.kernels.moe.layout import Prepared
    from matrix.kernels.moe.problem import Problem

REMEDIES = {
    Verdict.NOT_RUN: "Teach matrix/engines/<engine>/replay.py how this release is called.",
    Verdict.FAIL_API: "Pin a FlashInfer release that this engine release was written for, or the other way round.",
    Verdict.IMPORT_ERROR: "Pin a FlashInfer release that has the function.",
    Verdict.FAIL_NUMERIC: "Do not serve this layer with this backend: its result would be wrong without an error.",
    Verdict.UNSUPPORTED: "Choose another MoE runner backend for this layer.",
}


def check(cell: Cell, bench: Bench) -> Answer | None:
    """PASS where the engine's call gives the oracle's result; its own refusal is UNSUPPORTED.

    The call is made with weights as the kernel reads them, so that a fault of the loader does not hide how
    the call fares; a loader that lays them out otherwise then makes the cell FAIL_NUMERIC.
    """
    if bench.replayed is None:
        reason = f"not replayable: {bench.unreplayable}"
        return Answer(
            Verdict.NOT_RUN, reason, "Add what the import asks for to the engine's environment.toml."
        )
    from matrix.engines.replay.replay import Kind
    from matrix.kernels.moe import oracle

    failure = bench.capability.failures.get("flashinfer")
    if failure is not None:
        return Answer(Verdict.IMPORT_ERROR, f"{failure.moment} raises {failure.type}: {failure.text}")
    verdicts = {
        Kind.RIGHT: Verdict.PASS,
        Kind.WRONG: Verdict.FAIL_NUMERIC,
        Kind.LAYOUT: Verdict.FAIL_NUMERIC,
        Kind.REFUSED: Verdict.UNSUPPORTED,
        Kind.IMPORT: Verdict.IMPORT_ERROR,
        Kind.BROKEN: Verdict.FAIL_API,
        Kind.UNASKED: Verdict.NOT_RUN,
    }
    problem, made, reference = numerics.question(cell, bench, published=False)
    prepared, loader = _prepared(problem, made, bench.replayed, bench.cache)
    experts = None
    if cell.point.backend == "trtllm_bf16_routed":
        experts = oracle.route(
            problem.routing,
            made.logits,
            made.bias,
            top_k=problem.top_k,
            n_group=problem.n_group,
            topk_group=problem.topk_group,
            scaling=problem.scaling,
        )
    outcome = bench.replayed.layer(problem, made, reference, prepared, experts)
    evidence: dict[str, Any] = {**outcome.evidence, "loader": loader.reason}
    if outcome.kind is Kind.RIGHT and loader.kind is not Kind.RIGHT:
        outcome = loader
    verdict = verdicts[outcome.kind]
    return Answer(verdict, outcome.reason, REMEDIES.get(verdict, ""), evidence)


def _prepared(
    problem: Problem, made: Inputs, replay: Replay, cache: dict[Any, Any]
) -> tuple[Prepared, Outcome]:
    """Weights as the kernel reads them, by the engine's loader if that is right, and how it fares.

    Cells of one shape share their weights.
    """
    from matrix.engines.replay.replay import Kind
    from matrix.kernels.moe import layout

    shape = ("prepared", problem.experts, problem.gemm1_rows, problem.hidden, problem.gated)
    if shape not in cache:
        prepared, outcome = replay.loader(problem, made.gemm1, made.gemm2)
        if prepared is None or outcome.kind is not Kind.RIGHT:
            prepared = layout.prepare(layout.Functions.live(), made.gemm1, made.gemm2, gated=problem.gated)
        cache[shape] = (prepared, outcome)
    found: tuple[Prepared, Outcome] = cache[shape]
    return found
