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
    from matrix.kernels.moe.inputs import Inputs, Weights
    from matrix.kernels.moe.oracle import Reference
    from matrix.kernels.moe.problem import Problem

TOKENS = {"target": 64, "draft": 4}
SCALED_TOKENS = {"target": 16, "draft": 4}


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

    published = bench.device == "cuda" and cell.point.backend == "torch"
    problem, inputs, reference = question(cell, bench, published=published)
    output = fallback.moe(
        problem, inputs.hidden, inputs.gemm1, inputs.gemm2, logits=inputs.logits, bias=inputs.bias
    )
    verdict = Verdict.PASS if cell.point.backend == "torch" else Verdict.FALLBACK
    return _compared(output, reference, verdict, f"the torch fallback is right; {reason}")


def _kernel(cell: Cell, bench: Bench, path: Path) -> Answer:
    import torch

    from matrix.kernels.moe import backends

    assert bench.compute_capability is not None
    major, minor = bench.compute_capability
    supported = major in MAJORS
    problem, inputs, reference = question(cell, bench, published=supported)
    backend = backends.find(cell.point.backend)
    evidence: dict[str, Any] = {} if supported else {"offline": backends.offline()}
    try:
        prepared = backend.prepare(problem, inputs.gemm1, inputs.gemm2)
        output = backend.call(problem, prepared, inputs, path=path.value)
        torch.cuda.synchronize()
    except Exception as error:  # noqa: BLE001 - whatever a kernel raises is an answer
        error = _sticky() or error  # a refusal may hide a fault that only the next synchronization shows
        raised = probe.failure_of(error, f"calling {cell.point.backend}")
        refusal = backends.refusal(error)
        evidence |= {"type": raised.type, "text": raised.text, "frame": raised.frame}
        if refusal is None:
            return Answer(_broken(error), f"{raised.type}: {raised.text}", "See the frame.", evidence)
        verdict = Verdict.BUILD_ERROR if supported else Verdict.UNSUPPORTED
        reason = f"refused on SM{major}{minor}: {refusal}"
        return Answer(verdict, reason, f"On an SM100: {bench.how_to_run(cell)}", evidence)
    return _compared(output, reference, Verdict.PASS, f"the {path.value} path is right")


def question(cell: Cell, bench: Bench, *, published: bool) -> tuple[Problem, Inputs, Reference]:
    """Layer, inputs and right answer, of the published shape or of its scaled form."""
    from matrix.kernels.moe import inputs, oracle
    from matrix.kernels.moe.problem import Problem
    from matrix.kernels.moe.profiles import Profile

    profile, tokens = Profile(**bench.profile(cell)), TOKENS
    if not published:
        profile, tokens = profile.scaled(), SCALED_TOKENS
    problem = Problem.from_profile(
        profile.to_json(),
        tokens=tokens[cell.point.role],
        routing=cell.point.routing,
        activation=cell.point.activation,
        gated=cell.point.gating == "gated",
    )
    shared = None if published else _shared_weights(problem, bench)
    made = inputs.make(problem, cell.point.id, bias_dtype=cell.point.bias, device=bench.device, given=shared)
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


def _shared_weights(problem: Problem, bench: Bench) -> Weights:
    """Weights that scaled cells of one shape share: drawing them would take most of a CPU check's time."""
    from matrix.kernels.moe import inputs

    name = f"{problem.experts}/{problem.gemm1_rows}/{problem.hidden}"
    if name not in bench.cache:
        bench.cache[name] = inputs.weights(problem, name, device=bench.device)
    weights: Weights = bench.cache[name]
    return weights


def _compared(output: Any, reference: Reference, verdict: Verdict, reason: str) -> Answer:
    from matrix.kernels.moe.compare import compare

    comparison = compare(output, reference)
    if comparison.right:
        return Answer(verdict, reason, evidence=comparison.to_json())
    remedy = "Do not ship this path; compare the layer's weights and routing with the oracle."
    return Answer(Verdict.FAIL_NUMERIC, comparison.reason, remedy, comparison.to_json())


def _sticky() -> Exception | None:
    """The CUDA error that this process can no longer get rid of, if there is one."""
    import torch

    try:
        torch.cuda.synchronize()
    except Exception as error:  # noqa: BLE001 - its type differs by version of torch
        return error
    return None


def _broken(error: Exception) -> Verdict:
    """The verdict of an exception that is no refusal."""
    import torch

    if isinstance(error, torch.OutOfMemoryError):
        return Verdict.OUT_OF_MEMORY
    if type(error).__name__ == "AcceleratorError" or str(error).startswith("CUDA error"):
        return Verdict.GPU_POISONED
    if any(sign in str(error) for sign in ("Ninja build failed", "wrong checksum")):
        return Verdict.BUILD_ERROR
    return Verdict.FAIL_API
