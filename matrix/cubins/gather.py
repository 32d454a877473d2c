"""From a release to what is known of its kernels: read now, asked now, or kept from before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from matrix.cubins import answers, module, questions, selection, sources
from matrix.cubins.answers import Known
from matrix.cubins.refusals import NoSelectionError
from matrix.errors import KernelMatrixError
from matrix.kernels.moe import profiles

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matrix.cubins.module import Workshop
    from matrix.releases.index import Index


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One release: what is known of it, or why nothing is."""

    release: str
    known: Known | None
    problem: dict[str, str]


def look(release: str, path: Path | None, index: Index) -> Finding:
    """The kernels of a release from a path or the index, else as they were kept; with the answers that were kept.

    Raises:
        InputError: there is no such release of FlashInfer, or none of its kernels at the path.
    """
    kept = answers.find(release, index.store)
    try:
        inventory = sources.in_path(release, path, index) if path else sources.on_index(release, index)
    except KernelMatrixError as error:
        if path:
            raise
        if kept:
            return Finding(release=release, known=kept, problem={})
        index.release(sources.LIBRARY, release)
        problem = {"verdict": "NOT_RUN", "reason": error.what, "remedy": error.remedy}
        return Finding(release=release, known=None, problem=problem)
    known = Known(
        inventory=inventory,
        selection=kept.selection if kept else None,
        problem=kept.problem if kept else _not_asked(release),
        made=kept.made if kept else {},
    )
    return Finding(release=release, known=known, problem={})


def _not_asked(release: str) -> dict[str, str]:
    remedy = f"kernel-matrix kernels {release} --select"
    return {"verdict": "NOT_RUN", "reason": "its selection code was not asked yet", "remedy": remedy}


def ask(found: Finding, workshop: Workshop | NoSelectionError, command: Sequence[str]) -> Finding:
    """Ask the selection code of a release whose kernels were found; a failure is kept as the release's problem.

    Args:
        found: the release.
        workshop: what to build with, or why there is nothing to build with.
        command: what reproduces the answers.
    """
    if found.known is None:
        return found
    made = {"command": " ".join(command)}
    answered, problem = None, {}
    try:
        if isinstance(workshop, NoSelectionError):
            raise workshop
        compiled = module.make(found.release, workshop)
        asked = questions.every(profiles.load(), workshop.settings.ask)
        told = selection.ask(compiled, asked, workshop.settings, workshop.toolchain)
        answered = selection.arrange(asked, told, workshop.settings)
        made |= {
            "cuda": workshop.toolchain.version,
            "arch": workshop.arch,
            "sources": compiled.source_hash[:16],
        }
    except NoSelectionError as error:
        problem = {"verdict": error.verdict.value, "reason": error.what, "remedy": error.remedy}
    known = Known(inventory=found.known.inventory, selection=answered, problem=problem, made=made)
    return Finding(release=found.release, known=known, problem={})
