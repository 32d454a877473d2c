"""From a release to what is known of its kernels: read now, asked now, or kept from before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from matrix.cubins import answers, module, questions, selection, sources
from matrix.cubins.answers import Known
from matrix.cubins.refusals import NoSelectionError
from matrix.errors import KernelMatrixError, NetworkError
from matrix.kernels.moe import profiles
from matrix.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matrix.cubins.module import Workshop
    from matrix.releases.index import Index


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One release.

    Attributes:
        release: version of FlashInfer.
        known: what is known of it, or None.
        problem: why nothing is known of it, or why its selection code could not be asked now; else empty.
        note: what else to know, such as that the index could not be read; else empty.
    """

    release: str
    known: Known | None
    problem: dict[str, str]
    note: str = ""


def look(release: str, path: Path | None, index: Index, arch: str = answers.ARCH) -> Finding:
    """The kernels of a release from a path or the index, else as they were kept; with the answers that were kept."""
    kept = answers.find(release, index.store, arch=arch)
    note = ""
    try:
        inventory = sources.in_path(release, path, index) if path else sources.on_index(release, index)
    except KernelMatrixError as error:
        if path or not kept:
            problem = {"verdict": Verdict.NOT_RUN.value, "reason": error.what, "remedy": error.remedy}
            return Finding(release=release, known=None, problem=problem)
        inventory = kept.inventory
        if isinstance(error, NetworkError):
            note = f"the index could not be read, kept names are shown: {error.what}"
    except OSError as error:
        problem = _here("names cannot be read", error)
        if path or not kept:
            return Finding(release=release, known=None, problem=problem)
        inventory, note = kept.inventory, f"kept names are shown: {problem['reason']}"
    known = Known(
        inventory=inventory,
        selection=kept.selection if kept else None,
        problem=kept.problem if kept else answers.not_asked(release, arch),
        made=kept.made if kept else {},
    )
    return Finding(release=release, known=known, problem={}, note=note)


def _here(what: str, error: OSError) -> dict[str, str]:
    """A problem of this machine's disk."""
    where = f" ({error.filename})" if error.filename else ""
    return {
        "verdict": Verdict.NOT_RUN.value,
        "reason": f"{what} here: {error.strerror or error}{where}.",
        "remedy": "Free some space, or set KERNEL_MATRIX_CACHE.",
    }


def ask(found: Finding, workshop: Workshop | NoSelectionError, command: Sequence[str], arch: str) -> Finding:
    """Ask the selection code of a release whose kernels were found; a failure leaves answers of before as they were.

    Args:
        found: the release.
        workshop: what to build with, or why there is nothing to build with.
        command: what reproduces the answers.
        arch: that they are for.
    """
    if found.known is None:
        return found
    made = {"command": " ".join(command), "arch": arch}
    try:
        if isinstance(workshop, NoSelectionError):
            raise workshop
        compiled = module.make(found.release, workshop)
        asked = questions.every(profiles.load(), workshop.settings.ask)
        told = selection.ask(compiled, asked, workshop.settings, workshop.toolchain)
    except NoSelectionError as error:
        problem = {"verdict": error.verdict.value, "reason": error.what, "remedy": error.remedy}
    except KernelMatrixError as error:
        problem = {"verdict": Verdict.NOT_RUN.value, "reason": error.what, "remedy": error.remedy}
    except OSError as error:
        problem = _here("nothing can be built", error)
    else:
        made |= {"cuda": workshop.toolchain.version, "sources": compiled.source_hash[:16]}
        answered = selection.arrange(asked, told, workshop.settings)
        return replace(found, known=replace(found.known, selection=answered, problem={}, made=made))
    known = found.known
    if known.selection is None:
        known = replace(known, problem=problem, made=made)
    return replace(found, known=known, problem=problem)
