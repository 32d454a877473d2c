"""Stage `numerics`: the backend's output against the float64 oracle, or its refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matrix.checks.answer import Answer
from matrix.kernels.moe import probe
from matrix.kernels.moe.dispatch import MAJORS, Path, choose
from matrix.verdicts import Verdict

if TYPE_CHECKING:
    from matrix.cells.cell import Cell
    from matrix.checks.bench import Bench
    from matrix.kernels.moe.inputs import Inputs
    from matrix.kernels.moe.oracle import Reference
    from matrix.kernels.moe.problem import Problem

TOKENS = {"target": 64, "draft": 4}


def check(cell: Cell, bench: Bench) -> Answer | None:
    """The fallback's output where the path is the fallback; else the kernel's, or how the GPU refuses it."""
    decision = choose(bench.request(cell), bench.capability)
    if decision.path is Path.FALLBACK:
        return _fallback(cell, bench, decision.reason)
    if bench.compute_capability is None:
        reason = "the trtllm-gen kernel runs on SM100 only, and this machine has no GPU"
        return Answer(Verdict.NOT_RUN, reason, f"On an SM100: {bench.how_to_run(cell)}")
    return _kernel(cell, bench, decision.path)


def _fallback(cell: Cell, bench: Bench, reason: str) -> Answer:
    from matrix.kernels.moe import fallback

    problem, inputs, reference = _question(cell, bench)
    output = fallback.moe(
        problem, inputs.hidden, inputs.gemm1, inputs.gemm2, logits=inputs.logits, bias=inputs.bias
    )
    verdict = Verdict.PASS if cell.point.backend == "torch" else Verdict.FALLBACK
    return _compared(output, reference, verdict, f"the torch fallback is right; {reason}")


def _kernel(cell: Cell, bench: Bench, path: Path) -> Answer:
    from matrix.kernels.moe import backends

    problem, inputs, reference = _question(cell, bench)
    backend = backends.find(cell.point.backend)
    assert bench.compute_capability is not None
    major, minor = bench.compute_capability
    supported = major in MAJORS
    try:
        output = backend.run(bench.capability, problem, inputs, path=path)
    except Exception as error:  # noqa: BLE001 - every exception of a kernel is an answer
        raised = probe.failure_of(error, f"calling {cell.point.backend}")
        refusal = backends.refusal(error)
        evidence = {"type": raised.type, "text": raised.text, "frame": raised.frame, "refusal": refusal}
        if refusal is None:
            return Answer(_broken(error), f"{raised.type}: {raised.text}", "See the frame.", evidence)
        reason = f"refused on SM{major}{minor}: {refusal}"
        verdict = Verdict.BUILD_ERROR if supported else Verdict.UNSUPPORTED
        return Answer(verdict, reason, f"On an SM100: {bench.how_to_run(cell)}", evidence)
    return _compared(output, reference, Verdict.PASS, f"the {path.value} path is right")


def _question(cell: Cell, bench: Bench) -> tuple[Problem, Inputs, Reference]:
    """Layer, inputs and right answer: the published shape on a GPU, its scaled form on a CPU."""
    from matrix.kernels.moe import inputs, oracle
    from matrix.kernels.moe.problem import Problem
    from matrix.kernels.moe.profiles import Profile

    profile = Profile(**bench.profile(cell))
    if bench.device == "cpu":
        profile = profile.scaled()
    problem = Problem.from_profile(
        profile.to_json(),
        tokens=TOKENS[cell.point.role],
        routing=cell.point.routing,
        activation=cell.point.activation,
        gated=cell.point.gating == "gated",
    )
    made = inputs.make(problem, cell.point.id, bias_dtype=cell.point.bias, device=bench.device)
    ids, weights = oracle.route(
        problem.routing,
        made.logits,
        made.bias,
        top_k=problem.top_k,
        n_group=problem.n_group,
        topk_group=problem.topk_group,
        scaling=problem.scaling,
    )
    return problem, made, oracle.moe(problem, made.hidden, made.gemm1, made.gemm2, ids=ids, weights=weights)


def _compared(output: Any, reference: Reference, verdict: Verdict, reason: str) -> Answer:
    from matrix.kernels.moe.compare import compare

    comparison = compare(output, reference)
    if comparison.right:
        return Answer(verdict, reason, evidence=comparison.to_json())
    remedy = "Do not ship this path; compare the layer's weights and routing with the oracle."
    return Answer(Verdict.FAIL_NUMERIC, comparison.reason, remedy, comparison.to_json())


def _broken(error: Exception) -> Verdict:
    import torch

    if isinstance(error, torch.OutOfMemoryError):
        return Verdict.OUT_OF_MEMORY
    if type(error).__name__ == "AcceleratorError":
        return Verdict.GPU_POISONED
    return Verdict.FAIL_API if isinstance(error, TypeError) else Verdict.CRASH
