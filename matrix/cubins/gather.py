"""From a release to what is known of its kernels: read now, asked now, or kept from before."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from matrix.cubins import answers, module, questions, selection, sources
from matrix.cubins.answers import Known
from matrix.cubins.refusals import NoSelectionError
from matrix.cubins.sources import UnreachableError
from matrix.errors import KernelMatrixError, NetworkError
from matrix.kernels.moe import profiles
from matrix.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from matrix.cubins.inventory import Inventory
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
        arch: that the answers are for.
        cubins: digest of the headers where the kernels are those of a local package; else empty.
    """

    release: str
    known: Known | None
    problem: dict[str, str]
    note: str = ""
    arch: str = answers.ARCH
    cubins: str = ""


def look_all(
    releases: Sequence[str], path: Path | None, index: Index, arch: str = answers.ARCH
) -> list[Finding]:
    """The kernels of several releases, as `look` finds each; an index that does not answer is asked once."""
    down: list[UnreachableError] = []

    def read(release: str) -> Inventory:
        if path:
            return sources.in_path(release, path, index)
        if down:
            raise down[0]
        try:
            return sources.on_index(release, index)
        except UnreachableError as error:
            down.append(error)
            raise

    return [_look(release, path, index, arch, read) for release in releases]


def _look(
    release: str, path: Path | None, index: Index, arch: str, read: Callable[[str], Inventory]
) -> Finding:
    """The kernels of a release from a path or the index, else as they were kept; with the answers that were kept."""
    cubins = sources.fingerprint(release, path, index) if path else ""
    kept = answers.find(release, index.store, arch=arch, cubins=cubins)
    note = ""
    try:
        inventory = read(release)
    except KernelMatrixError as error:
        if path or not kept:
            problem = {"verdict": Verdict.NOT_RUN.value, "reason": error.what, "remedy": error.remedy}
            return Finding(release=release, known=None, problem=problem)
        inventory, cubins = kept.inventory, kept.made.get("cubins", "")
        if isinstance(error, NetworkError):
            note = f"the index could not be read, kept names are shown: {error.what}"
    except OSError as error:
        problem = _here("names cannot be read", error)
        if path or not kept:
            return Finding(release=release, known=None, problem=problem)
        inventory, note = kept.inventory, f"kept names are shown: {problem['reason']}"
        cubins = kept.made.get("cubins", "")
    if kept and kept.local and kept.made["cubins"] != cubins:
        kept = None
    known = Known(
        inventory=inventory,
        selection=kept.selection if kept else None,
        problem=kept.problem if kept else answers.not_asked(release, arch),
        made=kept.made | {"origin": kept.origin} if kept and kept.selection else {},
    )
    return Finding(release=release, known=known, problem={}, note=note, arch=arch, cubins=cubins)


def _here(what: str, error: OSError) -> dict[str, str]:
    """A problem of this machine's disk."""
    where = f" ({error.filename})" if error.filename else ""
    return {
        "verdict": Verdict.NOT_RUN.value,
        "reason": f"{what} here: {error.strerror or error}{where}.",
        "remedy": sources.SPACE,
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
    made = {"command": shlex.join(command), "arch": arch, "origin": found.known.inventory.origin}
    if found.cubins:
        made["cubins"] = found.cubins
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
