"""One module a stage: where kernels, engines and surface meet. Runs inside a release's environment."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from matrix.checks import binding, importing, kernel, layout, numerics, replaying, selecting
from matrix.checks.answer import Answer
from matrix.kernels.moe.probe import failure_of
from matrix.verdicts import Result, Stage, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from matrix.cells.cell import Cell
    from matrix.checks.bench import Bench

CHECKS = {
    Stage.IMPORT: importing.check,
    Stage.BIND: binding.check,
    Stage.REPLAY: replaying.check,
    Stage.SELECT: selecting.check,
    Stage.KERNEL: kernel.check,
    Stage.LAYOUT: layout.check,
    Stage.NUMERICS: numerics.check,
}


def results(cell: Cell, bench: Bench, begin: Callable[[str], None] | None = None) -> Iterator[Result]:
    """One result a stage, cheapest first, each given out as soon as it is there; `begin` is told of each before.

    The cell's verdict is the first that is not PASS. The stages after it still run where they can, for they
    tell what the dispatcher makes of the failure: the fallback, and whether that answers rightly.
    """
    for stage, check in CHECKS.items():
        if stage.value not in bench.stages:
            continue
        if begin:
            begin(stage.value)
        started = time.perf_counter()
        try:
            answer = check(cell, bench)
        except Exception as error:  # noqa: BLE001 - a check that breaks must not take the others along
            raised = failure_of(error, f"stage {stage.value}")
            poisoned = raised.type == "AcceleratorError"
            answer = Answer(
                Verdict.GPU_POISONED if poisoned else Verdict.CRASH,
                f"a CUDA error reached {raised}" if poisoned else f"the check itself broke: {raised}",
                "See the frame." if poisoned else "Report this.",
                asdict(raised),
            )
        if answer is not None:
            yield Result(
                cell=cell.id,
                stage=stage.value,
                verdict=answer.verdict,
                reason=answer.reason,
                remedy=answer.remedy,
                seconds=round(time.perf_counter() - started, 6),
                evidence=answer.evidence,
            )
