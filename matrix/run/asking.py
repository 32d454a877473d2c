"""One cell asked of one release after the other, as deep as a stage: from its wheel, its kernels, or in a run."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from matrix.cells import selection
from matrix.cells.cell import Cell, parse
from matrix.checks import binding, importing, kernel
from matrix.checks.bench import Bench
from matrix.cubins import answers
from matrix.cubins.shipped import Shipped
from matrix.errors import EnvironmentBuildError, InputError, KernelMatrixError
from matrix.releases.window import Release
from matrix.report import settle
from matrix.run import journal, session
from matrix.run.bisect import Step
from matrix.run.declared import capability
from matrix.run.plan import STAGES, Question, make
from matrix.verdicts import Result, Stage, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matrix.cells.axes import Axes
    from matrix.cells.cell import Point
    from matrix.environments.recipes import Recipes
    from matrix.run.supervisor import Options
    from matrix.surface.library import Library

STATIC = (Stage.SURFACE, Stage.KERNEL)
"""Stages that are answered without an installation."""
DEPTHS = (Stage.SURFACE, *STAGES)
SHOWN = 8


def named(text: str, axes: Axes, points: Sequence[Point], environment: str) -> tuple[Point, str]:
    """The one point that a cell id or an expression names, and the environment where the id names one.

    Args:
        text: a cell id, with or without release and environment (the release is passed over), or an expression.
        axes: the axes.
        points: those that an expression chooses from.
        environment: what the id's own environment goes before.

    Raises:
        InputError: it names none, several, or something that does not exist.
    """
    if text.count("/") in {5, 7} and not any(mark in text for mark in "*?[ "):
        return axes.point(text), parse(text).get("environment", environment)
    chosen = selection.parse(text, axes.values)
    found = [point for point in points if chosen(Cell(release="R", environment=environment, point=point))]
    if len(found) == 1:
        return found[0], environment
    if not found:
        raise InputError(f"'{text}' names no cell.", "`kernel-matrix cells` lists them; or give a cell's id.")
    shown = [*(f"\n    {point.id}" for point in found[:SHOWN]), "\n    ..." * (len(found) > SHOWN)]
    raise InputError(
        f"'{text}' names {len(found)} cells, and one is asked at a time:{''.join(shown)}",
        "Give one of these.",
    )


@dataclass(frozen=True, kw_only=True)
class Declared:
    """Stage `surface`: the engine's import and call against what the release's wheel declares.

    Args:
        point: what is asked.
        library: reads wheels.
        engine: contract of the engine.
    """

    point: Point
    library: Library
    engine: dict[str, Any]

    def __call__(self, release: str) -> Step:
        """The release's answer; NOT_RUN where its wheel cannot be read."""
        started = time.monotonic()
        try:
            found = capability(self.library.get(release))
        except KernelMatrixError as error:
            found = None
            told = Step(release=release, verdict=Verdict.NOT_RUN, stage="surface", reason=error.what)
        if found:
            cell = Cell(release=release, environment="declared", point=self.point)
            plan = {"engine": self.engine}
            bench = Bench(plan=plan, faulty=False, capability=found, device="cpu", compute_capability=None)
            checked = [check(cell, bench) for check in (importing.check, binding.check)]
            answer = next((a for a in checked if a and a.verdict is not Verdict.PASS), checked[-1])
            assert answer is not None
            told = Step(
                release=release,
                verdict=answer.verdict,
                stage="surface",
                reason=answer.reason,
                remedy=answer.remedy,
            )
        return replace(told, seconds=round(time.monotonic() - started, 3))


@dataclass(frozen=True, kw_only=True)
class Kernels:
    """Stage `kernel`: does the release ship a kernel for the cell, and does its own code find one for the shape?

    Read from the answers in the cache folder and the package alone; those of a local package (`kernels --cubins`)
    stand only for releases of which nothing else is known.

    Args:
        point: what is asked.
    """

    point: Point

    def __call__(self, release: str) -> Step:
        """PASS with both numbers, UNSUPPORTED with the release's refusal, or NOT_RUN where nothing is known."""
        known = answers.find(release)
        facts = known.for_worker() if known else {"problem": answers.missing(release)}
        if "kernels" not in facts:
            problem = facts["problem"]
            reason, remedy = problem["reason"], problem["remedy"]
            return Step(
                release=release, verdict=Verdict.NOT_RUN, stage="kernel", reason=reason, remedy=remedy
            )
        there, reason = kernel.found(self.point, Shipped.of(facts))
        if known and known.local:
            reason += f" (of a local package: {known.origin})"
        verdict = Verdict.PASS if there else Verdict.UNSUPPORTED
        return Step(release=release, verdict=verdict, stage="kernel", reason=reason)


@dataclass(frozen=True, kw_only=True)
class Run:
    """The other stages: the release installed, and every stage up to one of them asked as in any run.

    Args:
        point: what is asked.
        stage: the deepest.
        question: as for a run, without releases.
        axes: the axes.
        recipes: of environments.
        folder: each release has a run folder in it.
        options: how to run.
        wheels: to install from, or None for the index.
    """

    point: Point
    stage: Stage
    question: Question
    axes: Axes
    recipes: Recipes
    folder: Path
    options: Options
    wheels: Path | None

    def __call__(self, release: str) -> Step:
        """The release's answer; INSTALL_ERROR where it cannot be installed."""
        started = time.monotonic()
        asked = replace(
            self.question,
            releases=[Release(version=release, reason="bisect")],
            selection=self.point.id,
        )
        plan = make(asked, replace(self.axes, must=(self.point,)), self.recipes)
        plan.document["stages"] = [stage.value for stage in STAGES[: STAGES.index(self.stage) + 1]]
        session.check(plan, self.wheels, None)
        folder = session.create(plan, self.folder / release)
        with suppress(EnvironmentBuildError):  # the journal holds the cell's verdict
            session.execute(plan, folder, self.options, self.wheels)
        ends = settle.by_cell(journal.read(folder / "journal.jsonl").ends).get(plan.cells[0].id, [])
        told = self._told(release, ends)
        return replace(told, seconds=round(time.monotonic() - started, 3))

    def _told(self, release: str, ends: Sequence[Result]) -> Step:
        """The verdict of the stages that ran; NOT_RUN where all passed and the deepest did not run."""
        ran = [end for end in ends if end.verdict is not Verdict.NOT_RUN]
        decisive = settle.decisive(ran)
        deepest = next((end for end in ends if end.stage == self.stage.value), None)
        if (
            deepest
            and deepest.verdict is Verdict.NOT_RUN
            and (not decisive or decisive.verdict is Verdict.PASS)
        ):
            decisive = deepest
        if decisive is None:
            return Step(
                release=release, verdict=Verdict.NOT_RUN, stage=self.stage.value, reason="no stage answered"
            )
        return Step(
            release=release,
            verdict=decisive.verdict,
            stage=decisive.stage,
            reason=decisive.reason,
            remedy=decisive.remedy,
        )
