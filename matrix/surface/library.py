"""Surfaces by release: kept ones at once, the others read from the index, a wheel file or a folder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit
from zlib import crc32

from matrix.errors import InputError, KernelMatrixError
from matrix.releases.store import Store
from matrix.surface import model
from matrix.surface.files import python_files
from matrix.surface.kept import Kept
from matrix.surface.records import Source, is_recorded
from matrix.surface.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matrix.releases.index import Index
    from matrix.releases.tree import Tree
    from matrix.surface.model import Surface

__all__ = ["PROJECT", "Library"]

PROJECT = "flashinfer-python"


@dataclass(frozen=True, kw_only=True)
class _Opened:
    """A release whose files are known: what to keep its surface as, and the local file it came from."""

    label: str
    published: tuple[str, str] | None
    origin: str | None
    sources: list[Source]


class Library:
    """Finds, reads and keeps surfaces.

    Args:
        store: where surfaces and records of files are kept.
        index: which releases exist and where; made when it is needed.
        project: the distribution whose releases a plain version names.
        report: called with a line of progress while something is read.
    """

    def __init__(
        self,
        store: Store | None = None,
        index: Index | None = None,
        project: str = PROJECT,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.store = store or Store()
        self.kept = Kept(self.store)
        self.project = project
        self.report = report
        self._index = index

    @property
    def index(self) -> Index:
        """The package indexes; asked only where a release is not kept."""
        if self._index is None:
            from matrix.releases.index import Index

            self._index = Index(store=self.store)
        return self._index

    def get(self, release: str) -> Surface:
        """The surface of a version, `project==version`, wheel file, sdist or folder.

        Raises:
            InputError: there is no such release or file, or it holds no Python package.
            NetworkError: it is not kept and cannot be read.
        """
        return self.many([release])[0]

    def many(self, releases: Sequence[str]) -> list[Surface]:
        """Surfaces of several releases; what is missing is read and parsed together."""
        found: dict[str, Surface] = {}
        missing = []
        for release in releases:
            kept = None if _is_path(release) else self.kept.load(*self._named(release))
            if kept:
                found[release] = kept
            else:
                missing.append(release)
        if missing:
            found.update(zip(missing, self._read(missing), strict=True))
        return [found[release] for release in releases]

    def published(self, *, pre: bool = False) -> list[str]:
        """Versions of the project on the index, oldest first."""
        return [one.version for one in self.index.releases(self.project, pre=pre)]

    def is_kept(self, version: str) -> bool:
        """Whether a version's surface can be had without reading anything from the index."""
        return self.kept.load(self.project, version) is not None

    def _named(self, release: str) -> tuple[str, str]:
        project, equals, version = release.partition("==")
        if not equals:
            return self.project, release.strip()
        return re.sub(r"[-_.]+", "-", project.strip()).lower(), version.strip()

    def _open(self, release: str) -> tuple[str, tuple[str, str] | None, str | None, Tree]:
        """A release's label, its project and version, where it lies on this machine, and its files."""
        from matrix.releases.net import is_local
        from matrix.releases.wheel import open_file, open_path

        if _is_path(release):
            path = Path(release).expanduser()
            return path.name or path.resolve().name, None, None, open_path(path)
        project, version = self._named(release)
        try:
            published = self.index.release(project, version)
        except KernelMatrixError as error:
            if not Path(release).exists():
                raise
            raise InputError(
                error.what, f"Write ./{release} to read what lies here under that name."
            ) from error
        file = published.best
        label = published.version if project == self.project else f"{project}=={published.version}"
        origin = unquote(urlsplit(file.url).path) if file.url.startswith("file:") else file.url
        tree = open_file(file, self.index.network)
        return label, (project, published.version), origin if is_local(file.url) else None, tree

    def _read(self, releases: list[str], *, again: bool = False) -> list[Surface]:
        with Workers(self.store.folder) as workers:
            waiting: list[_Opened] = []
            for number, release in enumerate(releases, 1):
                label, published, origin, tree = self._open(release)
                with tree:
                    sources = self._take(tree, workers)
                if not sources:
                    raise InputError(
                        f"{tree.label} holds no Python package.",
                        "Name a wheel, an sdist, or the folder that holds the package.",
                    )
                self.report(f"{number}/{len(releases)} {label}: {len(sources)} modules")
                waiting.append(_Opened(label=label, published=published, origin=origin, sources=sources))
            workers.wait(self.report)
            made = workers.assemble([(one.label, one.sources) for one in waiting], self.report)
        torn = [release for release, data in zip(releases, made, strict=True) if data is None]
        if torn and again:
            raise InputError(
                f"{self.store.folder} does not give back what is written to it.",
                "Check the disk, or name another folder with KERNEL_MATRIX_CACHE.",
            )
        healed = dict(zip(torn, self._read(torn, again=True), strict=True)) if torn else {}
        surfaces = []
        for release, one, data in zip(releases, waiting, made, strict=True):
            if data and one.published:
                self.kept.keep(*one.published, data, one.origin)
            surface = model.load(data) if data else healed[release]
            if surface is None:
                raise InputError(
                    f"the surface of {one.label} could not be put together.", "Remove the cache folder."
                )
            surfaces.append(surface)
        return surfaces

    def _take(self, tree: Tree, workers: Workers) -> list[Source]:
        """The modules of a tree; contents without a record are read and handed to the workers."""
        members = tree.members()
        files = python_files(members)
        keys = {
            file: f"{member.sha256}.{member.crc:08x}"
            for file in files
            if (member := members[file]).sha256 and member.crc is not None
        }
        contents = tree.read(
            file for file in files if file not in keys or not self._is_known(keys[file], workers)
        )
        keys |= {
            file: f"{sha256(content).hexdigest()}.{crc32(content):08x}" for file, content in contents.items()
        }
        workers.parse(
            {
                keys[file]: content
                for file, content in contents.items()
                if not self._is_known(keys[file], workers)
            }
        )
        return [Source(module=module, file=file, content=keys[file]) for file, module in files.items()]

    def _is_known(self, content: str, workers: Workers) -> bool:
        return workers.has(content) or is_recorded(self.store, content)


def _is_path(release: str) -> bool:
    return "/" in release or release.endswith((".whl", ".tar.gz")) or release in {".", ".."}
