"""How each release stands in each environment, since when, why, and what to do."""

from __future__ import annotations

from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

from matrix.report import ranges, words
from matrix.report.model import Span, Standing
from matrix.report.settle import GOOD, counts, fell_back, measured
from matrix.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matrix.report.findings import Grouping
    from matrix.report.model import Cell, Finding

FALLBACK_BACKEND = "torch"
UNTOLD = frozenset({Verdict.INSTALL_ERROR, Verdict.OUT_OF_MEMORY})
MOST_STEPS = 4
BEST_FIRST = (Standing.SAFE, Standing.BINDS, Standing.FALLS_BACK)


def standing(cells: Sequence[Cell], *, faulty: bool) -> Standing:
    """How one release stands in one environment, by its cells there.

    Args:
        cells: all planned cells of the release in the environment.
        faulty: the environment is meant to fail: a cell whose fallback answered is as it should be.
    """
    failed = [cell for cell in cells if not _holds(cell, faulty=faulty)]
    if any(cell.verdict not in UNTOLD for cell in failed):
        return Standing.UNSAFE
    if failed or any(cell.verdict is None for cell in cells):
        return Standing.UNKNOWN
    kernels = [cell for cell in cells if cell.axes["backend"] != FALLBACK_BACKEND]
    reached = [cell for cell in kernels if cell.verdict in {Verdict.PASS, Verdict.NOT_RUN}]
    if not reached:
        return Standing.FALLS_BACK
    if all(measured(cell.results) for cell in reached):
        return Standing.SAFE
    passed_something = any(result.verdict is Verdict.PASS for cell in reached for result in cell.results)
    return Standing.BINDS if passed_something else Standing.UNKNOWN


def _holds(cell: Cell, *, faulty: bool) -> bool:
    return (
        cell.verdict is None
        or cell.verdict in GOOD
        or cell.verdict is Verdict.NOT_RUN
        or (faulty and fell_back(cell.results))
    )


def spans(
    cells: Sequence[Cell], faulty: frozenset[str], tested: Sequence[str], group: Grouping
) -> tuple[Span, ...]:
    """Ranges of releases that stand alike, environment by environment; those meant to fail come last.

    Args:
        cells: all cells of the report.
        faulty: ids of the environments that are meant to fail.
        tested: every release of the report, oldest first.
        group: puts cells that answered alike together.
    """
    places: dict[tuple[bool, str], dict[str, list[Cell]]] = {}
    for cell in cells:
        place = places.setdefault((cell.environment_id in faulty, cell.environment), {})
        place.setdefault(cell.release, []).append(cell)
    found: list[Span] = []
    for (is_faulty, environment), releases in sorted(places.items()):
        stands = [
            (standing(releases[release], faulty=is_faulty), release)
            for release in tested
            if release in releases
        ]
        for stand, run in groupby(stands, key=lambda pair: pair[0]):
            names = tuple(release for _, release in run)
            found.append(
                _span(
                    environment=environment,
                    faulty=is_faulty,
                    stand=stand,
                    releases=names,
                    cells=[cell for name in names for cell in releases[name]],
                    todo=partial(_todo, stands),
                    group=group,
                )
            )
    return tuple(found)


def _span(
    *,
    environment: str,
    faulty: bool,
    stand: Standing,
    releases: tuple[str, ...],
    cells: list[Cell],
    todo: Callable[[Standing, tuple[Finding, ...]], tuple[str, ...]],
    group: Grouping,
) -> Span:
    bad = group(cell for cell in cells if cell.verdict not in GOOD and cell.verdict is not Verdict.NOT_RUN)
    soft = group(cell for cell in cells if cell.verdict in {Verdict.FALLBACK, Verdict.UNSUPPORTED})
    not_run = group(cell for cell in cells if cell.verdict is Verdict.NOT_RUN)
    why = {
        Standing.UNSAFE: bad,
        Standing.UNKNOWN: bad or not_run,
        Standing.BINDS: not_run,
        Standing.FALLS_BACK: soft or bad,
        Standing.SAFE: (),
    }[stand]
    return Span(
        environment=environment,
        faulty=faulty,
        standing=stand,
        releases=releases,
        cells=len(cells),
        counts=counts(cell.verdict.value if cell.verdict else "MISSING" for cell in cells),
        why=why,
        notes=tuple(finding for finding in (*bad, *soft, *not_run) if finding not in why),
        todo=todo(stand, why),
    )


def _todo(stands: list[tuple[Standing, str]], stand: Standing, why: tuple[Finding, ...]) -> tuple[str, ...]:
    """What to do, step by step; first the release to take, where another one here is better."""
    steps: list[str] = []
    if stand in {Standing.UNSAFE, Standing.UNKNOWN}:
        for better in BEST_FIRST:
            names = [release for found, release in stands if found is better and release != ranges.NONE]
            if names:
                steps.append(f"Use {names[-1]} ({better.value} in this environment).")
                break
    if stand is Standing.UNKNOWN and not any(finding.remedy for finding in why):
        steps.append("Finish the run: kernel-matrix resume DIR.")
    for finding in why:
        step = words.remedy(finding)
        if step and step not in steps:
            steps.append(step)
    return tuple(steps[:MOST_STEPS])
