"""From the journal's lines to one verdict a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matrix.verdicts import Result, Stage, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from matrix.report.model import Environment

ORDER = {stage.value: number for number, stage in enumerate(Stage)}
GOOD = frozenset(verdict for verdict in Verdict if verdict.good)


def by_cell(ends: Iterable[Result]) -> dict[str, list[Result]]:
    """The standing result of every stage of every cell, cheapest stage first.

    A later line for the same cell and stage replaces an earlier one (the retry was asked for), but what was
    not run never replaces what was.
    """
    latest: dict[str, dict[str, Result]] = {}
    for end in ends:
        stages = latest.setdefault(end.cell, {})
        if end.verdict is not Verdict.NOT_RUN or end.stage not in stages:
            stages[end.stage] = end
    return {
        cell: sorted(stages.values(), key=lambda end: ORDER.get(end.stage, len(ORDER)))
        for cell, stages in latest.items()
    }


def retries(ends: Iterable[Result]) -> dict[str, str]:
    """For each cell whose tries of one stage disagree, a clause that says so."""
    seen: dict[tuple[str, str], list[Verdict]] = {}
    for end in ends:
        tries = seen.setdefault((end.cell, end.stage), [])
        if end.verdict is not Verdict.NOT_RUN and end.verdict not in tries:
            tries.append(end.verdict)
    return {
        cell: f"tries of {stage} gave " + ", then ".join(verdict.value for verdict in tries)
        for (cell, stage), tries in seen.items()
        if len(tries) > 1
    }


def decisive(results: Sequence[Result]) -> Result | None:
    """The result that is the cell's verdict.

    The first failure; without one the first fallback or refusal; without one the first stage that was not
    run; else the last stage, which passed. A failure is never hidden behind an earlier fallback.
    """
    for kind in (_failed, _answered_otherwise, _not_run):
        for result in results:
            if kind(result.verdict):
                return result
    return results[-1] if results else None


def _failed(verdict: Verdict) -> bool:
    return verdict not in GOOD and verdict is not Verdict.NOT_RUN


def _answered_otherwise(verdict: Verdict) -> bool:
    return verdict in {Verdict.FALLBACK, Verdict.UNSUPPORTED}


def _not_run(verdict: Verdict) -> bool:
    return verdict is Verdict.NOT_RUN


def unbuilt(cell: str, environment: Environment | None) -> list[Result]:
    """The result of a cell that never ran because its environment failed; none where it did not fail."""
    if environment is None or environment.verdict in {"", Verdict.PASS.value}:
        return []
    return [
        Result(
            cell=cell,
            stage=Stage.IMPORT.value,
            verdict=Verdict(environment.verdict),
            reason=environment.reason,
            remedy=environment.remedy,
            evidence={"environment": environment.id},
        )
    ]


def fell_back(results: Sequence[Result]) -> bool:
    """Whether the fallback answered at some stage."""
    return any(result.verdict is Verdict.FALLBACK for result in results)


def measured(results: Sequence[Result]) -> bool:
    """Whether the numerics ran and passed."""
    return any(result.stage == Stage.NUMERICS.value and result.verdict is Verdict.PASS for result in results)


def counts(names: Iterable[str]) -> Mapping[str, int]:
    """How often each name occurs, the most frequent first, then by name."""
    found: dict[str, int] = {}
    for name in names:
        found[name] = found.get(name, 0) + 1
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
