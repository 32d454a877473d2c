"""Show the GPU kernels that a release ships, by name, and what its own selection code finds for each model's shape.

The names come from the release's cubin package, of which only the list of files is read. With --select the release's
own host code is compiled without a GPU and asked; without it, answers that come with this tool are shown.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matrix.cli import options

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matrix.cubins.gather import Finding
    from matrix.cubins.module import Workshop
    from matrix.cubins.refusals import NoSelectionError
    from matrix.releases.index import Index

HELP = "list the GPU kernels that a release ships, and what its selection code finds"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `kernels`."""
    parser.epilog = (
        "examples:\n  kernel-matrix kernels 0.6.8.post1 --against 0.6.7.post3\n  kernel-matrix kernels --history\n"
        "  kernel-matrix kernels 0.6.11.post1 --select"
    )
    parser.add_argument("releases", nargs="*", metavar="R", help="versions, or terms such as window")
    parser.add_argument("--against", metavar="R2", help="the difference to an earlier release")
    parser.add_argument(
        "--history",
        action="store_true",
        help="how BF16 MoE kernels came and went over the releases on the index",
    )
    parser.add_argument("--all", action="store_true", help="with --history: kernels of every dtype")
    parser.add_argument(
        "--cubins",
        type=_path,
        metavar="PATH",
        help="a cubin wheel, the site-packages folder it is installed in, or FlashInfer's cache of cubins",
    )
    parser.add_argument(
        "--select", action="store_true", help="compile the release's selection code and ask it"
    )
    parser.add_argument(
        "--arch", default="10.0a", metavar="X.Y", help="architecture of the answers (default: %(default)s)"
    )
    parser.add_argument(
        "--jobs", type=options.positive(int), default=2, metavar="N", help="compilers at a time (default: 2)"
    )
    parser.add_argument(
        "--write",
        type=Path,
        metavar="DIR",
        help="with --select: keep the answers there instead of in the cache folder",
    )
    parser.add_argument(
        "--package",
        type=Path,
        metavar="DIR",
        help="with --select and one release: lay out its module for a GPU that the release must refuse (tests/gpu)",
    )
    options.add_json(parser)


def _path(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("the path is empty")
    return Path(text)


def run(arguments: argparse.Namespace) -> int:
    """Print what was found; 1 where names and selection disagree, 3 where something could not be read or asked."""
    from matrix.cubins import agreement, show
    from matrix.errors import Exit
    from matrix.releases.index import Index

    _check(arguments)
    index = Index()
    select = _selector(index)
    found = _found(arguments, select, index)
    told = [f"{note}\n" for note in dict.fromkeys(each.note for each in found) if note]
    told += [line for each in found for line in (*show.lines(each), "")]
    document: dict[str, Any] = {"releases": [show.document(each) for each in found]}
    lacking = any(
        each.problem or each.known is None or each.known.failed or not each.known.inventory.groups
        for each in found
    )
    if arguments.against:
        lines, document["difference"], unknown = _difference(arguments.against, found, select, index)
        told += lines
        lacking |= unknown
    if arguments.history:
        lines, document["history"] = _history(index, every=arguments.all)
        told += lines
        lacking |= bool(document["history"]["not_read"])
    if arguments.json:
        options.print_json(document)
    else:
        print("\n".join(told).rstrip())
    if any(each.known and agreement.disagreements(each.known) for each in found):
        return Exit.UNEXPECTED
    return Exit.INCOMPLETE if lacking else Exit.AS_EXPECTED


def _check(arguments: argparse.Namespace) -> None:
    """Refuse what cannot be meant, before anything is read."""
    from matrix.cubins import settings, sources
    from matrix.errors import InputError, unknown

    needed = arguments.select or arguments.against or not arguments.history
    if not all(term.strip(" ,") for term in arguments.releases) or (needed and not arguments.releases):
        raise InputError("no release was named.", "Name one, as in `kernel-matrix kernels 0.6.8.post1`.")
    if arguments.against is not None and not arguments.against.strip(" ,"):
        raise InputError("--against names no release.", "Name one, as in --against 0.6.7.post3.")
    architectures = settings.load().code["architectures"]
    if arguments.arch not in architectures:
        raise unknown("architecture", arguments.arch, architectures, "--arch")
    for option in ("write", "package"):
        if getattr(arguments, option) and not arguments.select:
            raise InputError(f"--{option} keeps what --select makes.", "Add --select.")
    if arguments.cubins:
        arguments.cubins = arguments.cubins.expanduser().absolute()
        sources.check(arguments.cubins)


def _found(
    arguments: argparse.Namespace, select: Callable[[Sequence[str]], list[str]], index: Index
) -> list[Finding]:
    from matrix.cubins import gather
    from matrix.errors import InputError

    chosen = select(arguments.releases)
    if arguments.package and len(chosen) != 1:
        raise InputError(f"--package lays out one release, not {len(chosen)}.", "Name one release.")
    for option in ("write", "package"):
        if getattr(arguments, option):
            _make(option, getattr(arguments, option))
    found = gather.look_all(chosen, arguments.cubins, index, arguments.arch)
    if arguments.select:
        workshop = _workshop(arguments, index)
        found = [_asked(each, workshop, arguments) for each in found]
        for each in found:
            _keep(each, arguments.write, index)
        if arguments.package:
            _package(found[0].release, workshop, arguments)
    return found


def _make(option: str, folder: Path) -> None:
    """See that a folder can be written before minutes go into what it is for."""
    import tempfile

    from matrix.errors import InputError

    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        reason = f"--{option}: nothing can be written in {folder}: {error.strerror or error}."
        raise InputError(reason, "Name a folder that may be written.") from error


def _selector(index: Index) -> Callable[[Sequence[str]], list[str]]:
    """From terms to releases; the index is asked once, whether it answers or not."""
    from functools import cache

    from matrix.releases import window

    published = cache(lambda: _published(index))

    def select(terms: Sequence[str]) -> list[str]:
        chosen = window.select(terms, window.load(), published) if terms else []
        return [release.version for release in chosen]

    return select


def _keep(found: Finding, folder: Path | None, index: Index) -> None:
    """Keep what was asked; a cache folder that cannot be written takes nothing from what is shown."""
    from matrix.cubins import answers

    if found.known is None or (found.problem and found.known.selection):  # nothing new
        return
    try:
        answers.write(found.known, folder, index.store)
    except OSError as error:
        if folder:
            error.filename = error.filename or folder
            raise
        print(f"kernel-matrix: not kept in the cache folder: {error.strerror or error}.", file=sys.stderr)


def _package(release: str, workshop: Workshop | NoSelectionError, arguments: argparse.Namespace) -> None:
    from matrix.cubins import module, package, sources

    if isinstance(workshop, Exception):
        raise workshop
    headers = sources.headers(release, arguments.cubins, workshop.index)
    package.write(arguments.package, release, module.make(release, workshop), headers, arguments.arch)


def _published(index: Index) -> list[str]:
    """Every release, or those that come with the package where no index can be asked, or none be noted down."""
    from matrix.cubins import answers
    from matrix.errors import KernelMatrixError
    from matrix.releases.index import published

    try:
        return published(pre=True, index=index)
    except (KernelMatrixError, OSError):
        return answers.known()


def _workshop(arguments: argparse.Namespace, index: Index) -> Workshop | NoSelectionError:
    from matrix.cubins import module, settings, toolchain
    from matrix.cubins.refusals import NoSelectionError
    from matrix.environments.installer import Installer
    from matrix.errors import KernelMatrixError
    from matrix.verdicts import Verdict

    loaded, installer = settings.load(), Installer.find()
    try:
        compiler = toolchain.find(loaded, installer)
    except NoSelectionError as error:
        return error
    except KernelMatrixError as error:
        return NoSelectionError(Verdict.NOT_RUN, error.what, error.remedy)
    return module.Workshop(
        settings=loaded,
        toolchain=compiler,
        installer=installer,
        index=index,
        cubins=arguments.cubins,
        jobs=arguments.jobs,
        arch=arguments.arch,
    )


def _asked(found: Finding, workshop: Workshop | NoSelectionError, arguments: argparse.Namespace) -> Finding:
    from matrix.cubins import answers, gather

    if found.known:
        print(f"{found.release}: compiling and asking its selection code", file=sys.stderr)
    command = ["kernel-matrix", "kernels", found.release, "--select"]
    if arguments.arch != answers.ARCH:
        command += ["--arch", arguments.arch]
    if arguments.cubins:
        command += ["--cubins", str(arguments.cubins)]
    return gather.ask(found, workshop, command, arguments.arch)


def _difference(
    term: str, found: Sequence[Finding], select: Callable[[Sequence[str]], list[str]], index: Index
) -> tuple[list[str], list[dict[str, Any]], bool]:
    """Lines, rows, and whether a release is not known."""
    from matrix.cubins import gather, inventory, show
    from matrix.errors import InputError

    older, *more = select([term])
    if more:
        raise InputError(f"--against names {len(more) + 1} releases.", "Name one.")
    (before,) = gather.look_all([older], None, index)
    told, rows, lacking = [], [], False
    for each in found:
        if before.known is None or each.known is None:
            unknown = before if before.known is None else each
            told += [
                f"From {older} to {each.release}: {unknown.problem['verdict']}, {unknown.problem['reason']}",
                "",
            ]
            lacking = True
            continue
        changes = inventory.difference(before.known.inventory, each.known.inventory)
        told += [*show.changes(older, each.release, changes), ""]
        rows += [
            {"release": each.release, "kind": change.kind._asdict(), "old": change.old, "new": change.new}
            for change in changes
        ]
    return told, rows, lacking


def _history(index: Index, *, every: bool) -> tuple[list[str], dict[str, Any]]:
    """Over the releases on the index, or those that come with the package where it cannot be asked, or noted down."""
    from packaging.version import Version

    from matrix.cubins import answers, inventory, show, sources
    from matrix.errors import KernelMatrixError

    try:
        read, unread = sources.on_index_all(sources.releases(index), index)
    except (KernelMatrixError, OSError) as error:
        what = error.what if isinstance(error, KernelMatrixError) else f"{error.strerror or error}."
        print(f"kernel-matrix: {what} The releases that come with this tool are shown.", file=sys.stderr)
        shipped = [answers.find(release, index.store) for release in answers.known()]
        read, unread = [known.inventory for known in shipped if known], []
    kept = {release: answers.find(release, index.store) for release, _ in unread}
    own = {release: known.inventory for release, known in kept.items() if known and not known.local}
    failed = [(release, error) for release, error in unread if release not in own]
    if own:
        print(
            f"kernel-matrix: {unread[0][1].what} Kept names are shown where there are any.", file=sys.stderr
        )
    read += own.values()
    told = inventory.history(sorted(read, key=lambda each: Version(each.release)))
    lines = show.story(told, every=every) + [
        f"  NOT READ  {release}: {error.what}" for release, error in failed
    ]
    kinds = [
        {**kind._asdict(), "since": inventory.since(spans), "spans": [asdict(span) for span in spans]}
        for kind, spans in told.items()
    ]
    return lines, {"kinds": kinds, "not_read": {release: str(error) for release, error in failed}}
