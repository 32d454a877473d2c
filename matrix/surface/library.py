"""Surfaces by release: kept ones at once, the others read from the index, a wheel file or a folder."""

from __future__ import annotations

import gc
import json
import mmap
import os
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matrix.errors import InputError
from matrix.releases.store import Store
from matrix.surface import model
from matrix.surface.version import READER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from typing_extensions import Self

    from matrix.releases.index import Index
    from matrix.releases.tree import Tree
    from matrix.surface.model import Surface

__all__ = ["PROJECT", "Library", "python_files"]

PROJECT = "flashinfer-python"
VENDORED = ("flashinfer/data/", "build_backend.py", "build_utils.py")
"""What FlashInfer's wheel carries and nobody imports: sources of other projects, and its build scripts."""
NOT_PACKAGES = {"tests", "test", "benchmarks", "benchmark", "docs", "examples", "scripts", "build", "dist"}
CHUNK_BYTES = 1 << 20
REPORT_EVERY = 10
FEW_RELEASES = 2  # put together here: another process would have to load all modules and send the result back
ALONE_BYTES = 3 << 19  # a second process takes longer to start than this takes to parse


@dataclass(frozen=True, kw_only=True)
class _Source:
    """One Python file of a release: its module, its place and what tells its content."""

    module: str
    file: str
    digest: str


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
            kept = None if _is_path(release) else self._kept(*self._named(release))
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

    def _named(self, release: str) -> tuple[str, str]:
        project, equals, version = release.partition("==")
        return (project.strip(), version.strip()) if equals else (self.project, release.strip())

    def _key(self, project: str, version: str) -> str:
        return f"{model.SCHEMA}.{READER}/{project}/{version}.jsonl"

    def _kept(self, project: str, version: str) -> Surface | None:
        if "/" in version or "/" in project:
            return None
        try:
            with self.store.path("surfaces", self._key(project, version)).open("rb") as file:
                return model.load(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        except (OSError, ValueError):
            return None

    def _open(self, release: str) -> tuple[str, str | None, Tree]:
        """A release's label, the key to keep it under, and its files."""
        from matrix.releases.wheel import open_file, open_path

        if _is_path(release):
            path = Path(release).expanduser()
            return path.name or str(path.resolve().name), None, open_path(path)
        project, version = self._named(release)
        published = self.index.release(project, version)
        tree = open_file(published.best, self.index.network)
        return published.version, self._key(project, published.version), tree

    def _read(self, releases: list[str]) -> list[Surface]:
        with _Workers(self.store.folder) as workers:
            waiting: list[tuple[str, str | None, list[_Source]]] = []
            for number, release in enumerate(releases, 1):
                label, key, tree = self._open(release)
                with tree:
                    sources = self._take(tree, workers)
                if not sources:
                    raise InputError(
                        f"{tree.label} holds no Python package.",
                        "Name a wheel, an sdist, or the folder that holds the package.",
                    )
                self.report(f"{number}/{len(releases)} {label}: {len(sources)} modules")
                waiting.append((label, key, sources))
            workers.wait(self.report)
            made = workers.assemble([(label, sources) for label, _, sources in waiting], self.report)
        surfaces = []
        for (label, key, _), data in zip(waiting, made, strict=True):
            if key:
                self.store.write("surfaces", key, data)
            surface = model.load(data)
            if surface is None:
                raise InputError(
                    f"the surface of {label} could not be put together.", "Remove the cache folder."
                )
            surfaces.append(surface)
        return surfaces

    def _take(self, tree: Tree, workers: _Workers) -> list[_Source]:
        """The modules of a tree; contents without a record are read and handed to the workers."""
        members = tree.members()
        files = python_files(members)
        unknown = {
            file
            for file in files
            if not (digest := members[file].sha256) or not (workers.has(digest) or self._has_record(digest))
        }
        contents = tree.read(unknown)
        digests = {file: members[file].sha256 or sha256(contents[file]).hexdigest() for file in files}
        workers.parse(
            {
                digests[file]: content
                for file, content in contents.items()
                if not workers.has(digests[file]) and not self._has_record(digests[file])
            }
        )
        return [_Source(module=module, file=file, digest=digests[file]) for file, module in files.items()]

    def _has_record(self, digest: str) -> bool:
        return self.store.path("records", _record_key(digest)).exists()


class _Workers:
    """Parses and assembles, in this process where it is little and in others where it is much."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pool: ProcessPoolExecutor | None = None
        self.known: set[str] = set()
        self.held: dict[str, bytes] = {}
        self.futures: list[Future[None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.pool:
            self.pool.shutdown(cancel_futures=True)

    def has(self, digest: str) -> bool:
        return digest in self.known

    def parse(self, contents: dict[str, bytes]) -> None:
        self.known.update(contents)
        self.held.update(contents)
        if sum(map(len, self.held.values())) > ALONE_BYTES:
            self._send()

    def wait(self, report: Callable[[str], None]) -> None:
        """Finish parsing."""
        if self.futures:
            self._send()
        elif self.held:
            _parse_into(self.folder, self.held)
        for number, future in enumerate(self.futures, 1):
            future.result()
            if number % REPORT_EVERY == 0:
                report(f"parsed {number} of {len(self.futures)} parts")

    def assemble(
        self, releases: list[tuple[str, list[_Source]]], report: Callable[[str], None]
    ) -> list[bytes]:
        """The files of surfaces, in the order of the releases."""
        if len(releases) <= FEW_RELEASES:
            return [_assemble_from(self.folder, label, sources) for label, sources in releases]
        labels, sources = zip(*releases, strict=True)
        found = []
        for data in self._start().map(_assemble_from, [self.folder] * len(releases), labels, sources):
            found.append(data)
            if len(found) % REPORT_EVERY == 0:
                report(f"assembled {len(found)} of {len(releases)} releases")
        return found

    def _start(self) -> ProcessPoolExecutor:
        if self.pool is None:
            count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
            self.pool = ProcessPoolExecutor(max(1, min(count or 1, 8)), mp_context=get_context("spawn"))
        return self.pool

    def _send(self) -> None:
        """Hand what is held to the pool, in parts of about the same size."""
        pool = self._start()
        part: dict[str, bytes] = {}
        size = 0
        for digest, content in self.held.items():
            part[digest] = content
            size += len(content)
            if size > CHUNK_BYTES:
                self.futures.append(pool.submit(_parse_into, self.folder, part))
                part, size = {}, 0
        if part:
            self.futures.append(pool.submit(_parse_into, self.folder, part))
        self.held = {}


def _parse_into(folder: Path, contents: dict[str, bytes]) -> None:
    """Parse files and keep their records."""
    from matrix.surface.parse import parse

    store = Store(folder)
    with _no_collecting():
        for digest, content in contents.items():
            record = json.dumps(parse(content), separators=(",", ":"))
            store.write("records", _record_key(digest), record.encode())


@contextmanager
def _no_collecting() -> Iterator[None]:
    """Syntax trees and records are many and mostly free of cycles: looking for them doubles the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
        gc.collect()


def _assemble_from(folder: Path, release: str, sources: list[_Source]) -> bytes:
    """Put a release together from kept records."""
    from matrix.surface.assemble import assemble
    from matrix.surface.namespace import Module

    store = Store(folder)
    with _no_collecting():
        modules = [
            Module(name=source.module, file=source.file, record=_record(store, source.digest))
            for source in sources
        ]
        return model.dump(assemble(release, modules))


def _record(store: Store, digest: str) -> dict[str, Any]:
    data = store.read("records", _record_key(digest))
    try:
        record: dict[str, Any] = json.loads(data or b"")
    except ValueError as error:
        store.path("records", _record_key(digest)).unlink(missing_ok=True)
        raise InputError("the cache holds a torn file, which was removed.", "Run again.") from error
    return record


def _record_key(digest: str) -> str:
    return f"{READER}/{digest[:2]}/{digest}.json"


def _is_path(release: str) -> bool:
    return "/" in release or release.endswith((".whl", ".tar.gz")) or release in {".", ".."}


def python_files(members: Iterable[str]) -> dict[str, str]:
    """Files that are importable modules, with their dotted names.

    An installed tree has them at its top; a source tree has packages among tests and scripts, and only
    folders with an `__init__.py` at the top, or under `src`, count.
    """
    files = [name for name in members if name.endswith(".py") and not name.startswith(VENDORED)]
    installed = any(".dist-info/" in name for name in members)
    if not installed:
        prefix = "src/" if any(name.count("/") == 2 and name.startswith("src/") for name in files) else ""
        tops = {
            name.split("/")[prefix.count("/")]
            for name in files
            if name.startswith(prefix)
            and name.count("/") == prefix.count("/") + 1
            and name.endswith("/__init__.py")
        } - NOT_PACKAGES
        tops = {"flashinfer"} if "flashinfer" in tops else tops
        files = [f for f in files if f.startswith(prefix) and f.split("/")[prefix.count("/")] in tops]
    else:
        prefix = ""
    found = {}
    for file in sorted(files):
        parts = file[len(prefix) : -len(".py")].split("/")
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if parts and all(part.isidentifier() for part in parts):
            found[file] = ".".join(parts)
    return found
