"""Surfaces by release: kept ones at once, the others read from the index, a wheel file or a folder."""

from __future__ import annotations

import gc
import json
import mmap
import os
import re
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit
from zlib import crc32

from matrix.errors import InputError, KernelMatrixError
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
    """One Python file of a release: its module, its place and the key of its content."""

    module: str
    file: str
    content: str


@dataclass(frozen=True, kw_only=True)
class _Opened:
    """A release whose files are known: the key to keep its surface under, and the local file it came from."""

    label: str
    key: str | None
    origin: str | None
    sources: list[_Source]


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

    def is_kept(self, version: str) -> bool:
        """Whether a version's surface can be had without reading anything from the index."""
        return self._kept(self.project, version) is not None

    def _named(self, release: str) -> tuple[str, str]:
        project, equals, version = release.partition("==")
        if not equals:
            return self.project, release.strip()
        return re.sub(r"[-_.]+", "-", project.strip()).lower(), version.strip()

    def _key(self, project: str, version: str) -> str:
        return f"{model.SCHEMA}.{READER}/{project}/{version}.jsonl"

    def _kept(self, project: str, version: str) -> Surface | None:
        if "/" in version or "/" in project:
            return None
        key = self._key(project, version)
        try:
            checksum, origin = json.loads(self.store.read("surfaces", _note_key(key)) or b"")
            with self.store.path("surfaces", key).open("rb") as file:
                data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError, TypeError):
            return None
        if crc32(data) != checksum or (origin and _stamp(origin[0]) not in (None, origin)):
            return None
        return model.load(data)

    def _keep(self, key: str, data: bytes, origin: str | None) -> None:
        """Keep a surface, and beside it what shows that the file is whole and its wheel is the same still."""
        self.store.write("surfaces", key, data)
        note = json.dumps([crc32(data), _stamp(origin) if origin else None])
        self.store.write("surfaces", _note_key(key), note.encode())

    def _open(self, release: str) -> tuple[str, str | None, str | None, Tree]:
        """A release's label, the key to keep it under, where it lies on this machine, and its files."""
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
        key = self._key(project, published.version)
        origin = unquote(urlsplit(file.url).path) if file.url.startswith("file:") else file.url
        tree = open_file(file, self.index.network)
        return label, key, origin if is_local(file.url) else None, tree

    def _read(self, releases: list[str], *, again: bool = False) -> list[Surface]:
        with _Workers(self.store.folder) as workers:
            waiting: list[_Opened] = []
            for number, release in enumerate(releases, 1):
                label, key, origin, tree = self._open(release)
                with tree:
                    sources = self._take(tree, workers)
                if not sources:
                    raise InputError(
                        f"{tree.label} holds no Python package.",
                        "Name a wheel, an sdist, or the folder that holds the package.",
                    )
                self.report(f"{number}/{len(releases)} {label}: {len(sources)} modules")
                waiting.append(_Opened(label=label, key=key, origin=origin, sources=sources))
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
            if data and one.key:
                self._keep(one.key, data, one.origin)
            surface = model.load(data) if data else healed[release]
            if surface is None:
                raise InputError(
                    f"the surface of {one.label} could not be put together.", "Remove the cache folder."
                )
            surfaces.append(surface)
        return surfaces

    def _take(self, tree: Tree, workers: _Workers) -> list[_Source]:
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
        return [_Source(module=module, file=file, content=keys[file]) for file, module in files.items()]

    def _is_known(self, content: str, workers: _Workers) -> bool:
        return workers.has(content) or self.store.path("records", _record_key(content)).exists()


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

    def has(self, content: str) -> bool:
        return content in self.known

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
    ) -> list[bytes | None]:
        """The files of surfaces, in the order of the releases; nothing where records of one were torn."""
        if len(releases) <= FEW_RELEASES:
            return [_assemble_from(self.folder, label, sources) for label, sources in releases]
        labels, sources = zip(*releases, strict=True)
        found: list[bytes | None] = []
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
        for key, content in self.held.items():
            part[key] = content
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
        for key, content in contents.items():
            record = json.dumps(parse(content), separators=(",", ":")).encode()
            store.write("records", _record_key(key), b"%08x\n%b" % (crc32(record), record))


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


def _assemble_from(folder: Path, release: str, sources: list[_Source]) -> bytes | None:
    """Put a release together from kept records; nothing where some were torn, which are removed."""
    from matrix.surface.assemble import assemble
    from matrix.surface.namespace import Module

    store = Store(folder)
    with _no_collecting():
        records = [_record(store, source.content) for source in sources]
        modules = [
            Module(name=source.module, file=source.file, record=record)
            for source, record in zip(sources, records, strict=True)
            if record is not None
        ]
        return model.dump(assemble(release, modules)) if len(modules) == len(sources) else None


def _record(store: Store, content: str) -> dict[str, Any] | None:
    """The record of a content, or nothing where the file is not the one that was written; that one is removed."""
    checksum, _, body = (store.read("records", _record_key(content)) or b"").partition(b"\n")
    if checksum != b"%08x" % crc32(body):
        store.path("records", _record_key(content)).unlink(missing_ok=True)
        return None
    record: dict[str, Any] = json.loads(body)
    return record


def _record_key(content: str) -> str:
    return f"{READER}/{content[:2]}/{content}.json"


def _note_key(key: str) -> str:
    return f"{key}.note"


def _stamp(path: str) -> list[str | int] | None:
    """What tells a file from one that was put in its place."""
    try:
        told = Path(path).stat()
    except OSError:
        return None
    return [path, told.st_size, told.st_mtime_ns]


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
