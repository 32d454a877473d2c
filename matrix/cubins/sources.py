"""Where the names of a release's kernels are read: the index, an installed package, or FlashInfer's own cache."""

from __future__ import annotations

import json
import logging
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from packaging.version import Version

from matrix.cubins.inventory import Inventory, take
from matrix.errors import InputError, KernelMatrixError, NetworkError
from matrix.releases.net import is_local
from matrix.releases.wheel import open_file, open_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from matrix.releases.index import File, Index
    from matrix.releases.tree import Tree

PROJECT, LIBRARY = "flashinfer-cubin", "flashinfer-python"
PACKAGE = "flashinfer_cubin/"
MOE = "/batched_gemm"
"""What the folder of an artifact with MoE kernels is called, in part."""

SCHEMA = 1
CONNECTIONS = 6
SPACE = "Free some space, or set KERNEL_MATRIX_CACHE."
HELP = (
    "give --cubins with a flashinfer-cubin wheel, the site-packages folder that it is installed in, or FlashInfer's "
    "own cache of cubins (by default ~/.cache/flashinfer/cubins) where this release was used."
)
LOG = logging.getLogger(__name__)
_CHECKSUM = re.compile(r"^[0-9a-f]{64}\s+(\S+)\.cubin$", re.MULTILINE)
_ARTIFACTS = re.compile(r'"([0-9a-f]{40}/[^"]+?)/?"')


class UnreachableError(NetworkError):
    """No index answers at all, so asking for the next release is of no use."""


def releases(index: Index) -> list[str]:
    """The releases whose kernels the configured indexes offer, oldest first, without pre-releases."""
    return [one.version for one in index.releases(PROJECT)]


def wheel_of(release: str, index: Index) -> File:
    """The cubin wheel of a release.

    Raises:
        InputError: no index offers it; says what would help.
        UnreachableError: no index answers, and no listing was kept.
    """
    wanted = Version(release)
    try:
        offered = index.releases(PROJECT, pre=True, yanked=True)
    except InputError:
        offered = []  # no index knows the project
    except NetworkError as error:
        raise UnreachableError(error.what, error.remedy) from error
    for one in offered:
        if Version(one.version) == wanted:
            return one.best
    remedy = help_with(release, [one.version for one in offered])
    raise InputError(f"no configured index offers {PROJECT} {release}.", remedy)


def help_with(release: str, offered: Sequence[str]) -> str:
    """What helps where the kernels of a release are not among those offered, oldest first."""
    wanted = Version(release)
    if not offered or Version(offered[0]) < wanted < Version(offered[-1]):
        return f"Name an index that has them to pip (PIP_EXTRA_INDEX_URL), or {HELP}"
    if wanted < Version(offered[0]):
        return (
            f"There is no {PROJECT} before {offered[0]}; such releases fetch each kernel when it is first used. "
            f"Choose a later release, or {HELP}"
        )
    return (
        f"Kernels of releases after {offered[-1]} are published by FlashInfer itself and not on the usual index: make "
        f"that index known to pip (PIP_EXTRA_INDEX_URL), or {HELP}"
    )


def check(path: Path) -> None:
    """See that a path may hold kernels.

    Raises:
        InputError: there is nothing there, or neither a wheel nor a folder.
    """
    if not path.exists():
        raise InputError(f"--cubins: {path} is not there.", _give())
    if not path.is_dir() and path.suffix != ".whl":
        raise InputError(f"--cubins: {path} is neither a wheel nor a folder.", _give())


def _give() -> str:
    return HELP[0].upper() + HELP[1:]


def on_index(release: str, index: Index) -> Inventory:
    """The kernels of a release by the names in its cubin wheel; kept in the store, by the wheel's digest.

    Raises:
        InputError: no index offers the wheel.
        NetworkError: it cannot be read, or is cut short; `UnreachableError` where no server answers.
    """
    file = wheel_of(release, index)
    key = f"{SCHEMA}/{file.filename}-{(file.sha256 or 'no-digest')[:16]}.json"
    kept = index.store.read("kernels", key) if file.sha256 else None
    if kept is not None:
        try:
            return Inventory.from_json(json.loads(kept))
        except (ValueError, KeyError, TypeError):
            pass  # written by something else; read anew
    digest = f", sha256 {file.sha256[:16]}" if file.sha256 else ""
    answered = index.network.requests
    try:
        with open_file(file, index.network) as tree:
            inventory = take(release, f"{file.filename}{digest}", _listed(tree.members()))
    except NetworkError as error:
        if is_local(file.url) or index.network.requests > answered:
            raise
        raise UnreachableError(error.what, error.remedy) from error
    if file.sha256:
        try:
            index.store.write("kernels", key, json.dumps(inventory.to_json()).encode())
        except OSError as error:
            LOG.info("the names of %s are not kept: %s", file.filename, error)
    return inventory


def on_index_all(
    wanted: Sequence[str], index: Index
) -> tuple[list[Inventory], list[tuple[str, KernelMatrixError]]]:
    """The kernels of several releases in their order, and those that could not be read, each with its reason.

    Once no server answers, the others are not asked.
    """
    down: list[UnreachableError] = []

    def read(release: str) -> Inventory | KernelMatrixError:
        if down:
            return down[0]
        try:
            return on_index(release, index)
        except UnreachableError as error:
            down.append(error)
            return error
        except KernelMatrixError as error:
            return error
        except OSError as error:
            return InputError(f"names cannot be read here: {error.strerror or error}.", SPACE)

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        found = list(zip(wanted, pool.map(read, wanted), strict=True))
    return (
        [inventory for _, inventory in found if isinstance(inventory, Inventory)],
        [(release, error) for release, error in found if isinstance(error, KernelMatrixError)],
    )


def in_path(release: str, path: Path, index: Index) -> Inventory:
    """The kernels of a release in a wheel file, a folder with the installed package, or a cache of cubins.

    A cache holds the artifacts of several releases, and cubins only once they were used: the release's own list of
    artifacts says which folders are its own, and the checksums there list every kernel.

    Raises:
        InputError: there are no kernels of this release there.
    """
    with _opened(path, index) as tree:
        members = tree.members()
        if any(name.startswith(PACKAGE) for name in members):
            found = _version(members)
            if not found:
                raise InputError(
                    f"{path} does not say which release of {PROJECT} it is: it has no METADATA.",
                    f"Give a whole wheel or an installed package of {PROJECT} {release}.",
                )
            if Version(found) != Version(release):
                raise InputError(
                    f"{path} holds {PROJECT} {found}, not {release}.",
                    f"Give {PROJECT} {release}, or name the release that is there.",
                )
            if packed := _listed(members):
                return take(release, f"{PROJECT} {found} in {path}", packed)
            raise InputError(f"{path} holds {PROJECT} {found} without its kernels.", _give())
        own = artifacts(release, index)
        there = {folder for folder in own if any(name.startswith(folder) for name in members)}
        if lacking := [folder for folder in own if MOE in folder and folder not in there]:
            what = "kernels" if not there else "MoE kernels"
            raise InputError(
                f"{path} holds no {what} of FlashInfer {release} (its folder {lacking[0]}).", _give()
            )
        present = set(_listed(name for name in members if name.startswith(own)))
        listed = set(present)
        notes = [name for name in members if name.startswith(own) and name.endswith("/checksums.txt")]
        used = [folder for folder in own if MOE in folder and f"{folder}checksums.txt" not in members]
        for text in tree.read(notes).values():
            listed.update(
                PurePosixPath(name).name for name in _CHECKSUM.findall(text.decode("utf-8", "replace"))
            )
    if not listed:
        raise InputError(f"{path} holds no kernels of FlashInfer {release}.", _give())
    only = ", only those that were used: it has no list of them" if used else ""
    if absent := len(listed - present):
        only += f"; {absent} of them are in its checksums alone, and not there"
    return take(release, f"FlashInfer's cache of cubins in {path}{only}", listed)


@contextmanager
def _opened(path: Path, index: Index) -> Iterator[Tree]:
    """A wheel or folder that the user named; of the package's own folder, the one that it lies in."""
    home = path.parent if path.name == PACKAGE.rstrip("/") and path.is_dir() else path
    try:
        with open_path(home, index.network) as tree:
            if path.suffix == ".whl" and not any(name.startswith(PACKAGE) for name in tree.members()):
                project = next(filter(None, map(_project, tree.members())), "")
                of = f"of {project}, and not of {PROJECT}" if project else f"without {PACKAGE}"
                raise InputError(f"{path} is a wheel {of}.", _give())
            yield tree
    except NetworkError as error:
        if not error.what.startswith(path.name):
            raise
        remedy = "It was cut short, damaged or changed: copy or download it again."
        raise InputError(f"--cubins: {error.what}", remedy) from error


def fingerprint(release: str, path: Path, index: Index) -> str:
    """A digest of the headers of a local package, to tell answers that were compiled with the same ones.

    Returns:
        12 digits, or `none` where there are no headers that can be read.
    """
    try:
        found = headers(release, path, index)
    except (KernelMatrixError, OSError):
        return "none"
    told = sorted((name, sha256(data).hexdigest()) for name, data in found.items())
    return sha256(repr(told).encode()).hexdigest()[:12]


def headers(release: str, path: Path | None, index: Index) -> dict[str, bytes]:
    """The headers and checksums beside a release's kernels, by their path below FlashInfer's folder of cubins.

    Args:
        release: version of FlashInfer.
        path: as in `in_path`, or None for the index.
        index: what to ask.

    Raises:
        InputError: no index offers the wheel, or the path holds none of this release.
        NetworkError: the wheel cannot be read, or is cut short.
    """
    network = index.network
    with _opened(path, index) if path else open_file(wheel_of(release, index), network) as tree:
        members = tree.members()
        packed = any(name.startswith(PACKAGE) for name in members)
        own = (f"{PACKAGE}cubins/",) if packed else artifacts(release, index)
        wanted = [name for name in members if name.startswith(own) and name.endswith((".h", ".txt"))]
        if not any(name.endswith(".h") for name in wanted):
            raise InputError(f"{tree.label} holds no headers of FlashInfer {release}'s kernels.", _give())
        read = tree.read(wanted)
    return {name.removeprefix(f"{PACKAGE}cubins/"): data for name, data in read.items()}


def artifacts(release: str, index: Index) -> tuple[str, ...]:
    """The folders of a release's kernels, as its own source names them.

    Raises:
        InputError: there is no such release, or its source names none.
    """
    name = "flashinfer/artifacts.py"
    with open_file(index.release(LIBRARY, release).best, index.network) as tree:
        text = tree.read([name])[name].decode("utf-8") if name in tree.members() else ""
    found = tuple(f"{folder}/" for folder in _ARTIFACTS.findall(text))
    if not found:
        remedy = f"Its kernels can only be told from a {PROJECT} wheel or its installed package."
        raise InputError(f"FlashInfer {release} names no artifacts in {name}.", remedy)
    return found


def _listed(members: Iterable[str]) -> list[str]:
    """Names of kernels among the paths of files, none twice."""
    paths = map(PurePosixPath, members)
    return sorted({path.stem for path in paths if path.suffix == ".cubin"})


def _version(members: Iterable[str]) -> str:
    """The version of an installed or packed cubin package; empty where it does not say."""
    for name in members:
        project, version = _dist(name)
        if project == PROJECT and name.endswith("/METADATA"):
            return version
    return ""


def _project(member: str) -> str:
    return _dist(member)[0]


def _dist(member: str) -> tuple[str, str]:
    """Project and version of a file's `.dist-info` folder; empty where it is in none."""
    folder = member.partition("/")[0]
    project, _, version = folder.removesuffix(".dist-info").partition("-")
    return (project.replace("_", "-"), version) if folder.endswith(".dist-info") else ("", "")
