"""Stage `layout`: weights prepared by the release's own functions, undone by an independent inverse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matrix.checks.answer import Answer
from matrix.kernels.moe.dispatch import Path, choose
from matrix.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matrix.cells.cell import Cell
    from matrix.checks.bench import Bench


def check(cell: Cell, bench: Bench) -> Answer | None:
    """FAIL_NUMERIC where the prepared weights, undone, are not the original; the same for equal shapes."""
    if choose(bench.request(cell), bench.capability).path is Path.FALLBACK:
        return None
    profile, gated = bench.profile(cell), cell.point.gating == "gated"
    shape = (gated, profile["hidden"] > profile["intermediate"])
    if shape not in bench.cache:
        bench.cache[shape] = _answer(profile, gated=gated)
    answer: Answer = bench.cache[shape]
    return answer


def _answer(profile: Mapping[str, Any], *, gated: bool) -> Answer:
    import torch

    from matrix.kernels.moe import layout
    from matrix.kernels.moe.profiles import Profile

    scaled = Profile(**profile).scaled()
    generator = torch.Generator().manual_seed(0)
    rows = scaled.intermediate * (2 if gated else 1)
    gemm1, gemm2 = (
        torch.randn(shape, generator=generator).bfloat16()
        for shape in ((2, rows, scaled.hidden), (2, scaled.hidden, scaled.intermediate))
    )
    prepared = layout.prepare(layout.Functions.live(), gemm1, gemm2, gated=gated)
    evidence = {
        "gemm1": list(prepared.gemm1.shape),
        "gemm2": list(prepared.gemm2.shape),
        "note": prepared.note,
    }
    difference = layout.difference(prepared, gemm1, gemm2, gated=gated)
    if difference:
        remedy = "Do not load weights for this backend on this release: its results would be wrong without an error."
        return Answer(Verdict.FAIL_NUMERIC, difference, remedy, evidence)
    kind = "gated" if gated else "non-gated"
    return Answer(Verdict.PASS, f"{kind} weights come back from the release's layout", "", evidence)
