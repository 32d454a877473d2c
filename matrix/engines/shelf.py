"""Published engine releases, read once and kept; and checkouts, wheels and folders of anything else."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import Version

from matrix.engines.config import Engine, for_package
from matrix.engines.fingerprint import fingerprint
from matrix.engines.layout import find_root
from matrix.engines.release import EngineRelease, read_engine
from matrix.errors import InputError, unknown
from matrix.processes import cores, end_processes, processes
from matrix.releases.wheel import open_file, open_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Executor

    from matrix.releases.index import File, Index
    from matrix.releases.tree import Tree
    from matrix.surface.library import Library

_AT_ONCE = 2


class Shelf:
    """Reads engine releases.

    Args:
        library: knows the package index, asked only where it is needed, and the store.
        report: called with a line of progress while something is read.
    """

    def __init__(self, library: Library, report: Callable[[str], None] = lambda _: None) -> None:
        self.library, self.store, self.report = library, library.store, report

    @property
    def index(self) -> Index:
        """The package indexes."""
        return self.library.index

    def versions(self, engine: Engine) -> list[str]:
        """The releases that the table shows, oldest first."""
        first = Version(engine.first_release)
        return [
            one.version for one in self.index.releases(engine.distribution) if Version(one.version) >= first
        ]

    def published(self, engine: Engine, versions: Iterable[str]) -> list[EngineRelease]:
        """Releases of an engine from the index or the store."""
        files = [self.index.release(engine.distribution, version).best for version in versions]
        kept = {file.filename: found for file in files if (found := self._kept(engine, file)) is not None}
        missing = [file for file in files if file.filename not in kept]
        if len(missing) == 1 or (missing and cores() < 2):
            kept.update({file.filename: self._read(engine, file, None) for file in missing})
        elif missing:
            with processes() as pool, ThreadPoolExecutor(_AT_ONCE) as threads:
                try:
                    read = list(threads.map(lambda file: self._read(engine, file, pool), missing))
                except KeyboardInterrupt:
                    for started in (threads, pool):  # what has not begun never does
                        started.shutdown(wait=False, cancel_futures=True)
                    end_processes()
                    raise
            kept.update({file.filename: found for file, found in zip(missing, read, strict=True)})
        return [kept[file.filename] for file in files]

    def anything(self, what: str) -> EngineRelease:
        """A checkout, a folder, a wheel file, or a requirement such as `sglang==0.5.12`.

        Raises:
            InputError: there is no such thing, or it holds no package.
        """
        if not what.strip():
            raise InputError("The package is empty.", "Give a folder, a wheel, or NAME==VERSION.")
        path = Path(what).expanduser()
        if path.exists():
            with open_path(path) as tree:
                engine = _recognised(tree, path)
                return _not_empty(read_engine(tree, engine, store=self.store), str(path))
        try:
            requirement = Requirement(what)
        except InvalidRequirement as error:
            raise InputError(
                f"{what} is neither there nor a requirement.", "Give a folder, a wheel, or NAME==VERSION."
            ) from error
        engine = for_package(requirement.name)
        versions = [
            one.version
            for one in self.index.releases(engine.distribution, pre=bool(requirement.specifier.prereleases))
        ]
        fitting = [version for version in versions if version in requirement.specifier]
        if not fitting:
            raise unknown("release", str(requirement.specifier), versions, requirement.name)
        return _not_empty(self.published(engine, [fitting[-1]])[0], f"{requirement.name} {fitting[-1]}")

    def _key(self, engine: Engine, file: File) -> str:
        return f"{fingerprint()}/{engine.name}/{file.filename}-{(file.sha256 or str(file.size))[:16]}.json"

    def _kept(self, engine: Engine, file: File) -> EngineRelease | None:
        data = self.store.read("engine-releases", self._key(engine, file))
        return EngineRelease.from_json(json.loads(data)) if data else None

    def _read(self, engine: Engine, file: File, pool: Executor | None) -> EngineRelease:
        with open_file(file, self.index.network) as tree:
            found = read_engine(tree, engine, release=file.version, store=self.store, pool=pool)
        self.report(
            f"{engine.name} {file.version}: {found.files} files, {len(found.uses)} uses of FlashInfer"
        )
        data = json.dumps(found.to_json(), separators=(",", ":")).encode()
        self.store.write("engine-releases", self._key(engine, file), data)
        return found


def _not_empty(release: EngineRelease, where: str) -> EngineRelease:
    if not release.files:
        raise InputError(
            f"{where} holds no source of the package {release.engine}.",
            "Some projects publish a stub only: give a checkout, or the wheel from where the project keeps it.",
        )
    return release


def _recognised(tree: Tree, path: Path) -> Engine:
    """The engine in a folder or wheel: a known one, or else the package whose files it holds."""
    from matrix.engines.config import engine_names, general, load

    names = set(tree.members())
    for name in engine_names():
        engine = load(name)
        root = find_root(tree, engine)
        if f"{root}{engine.package}/__init__.py" in names:
            return engine
    packages = sorted(
        {name.split("/")[-2] for name in names if name.endswith("/__init__.py") and name.count("/") <= 3},
        key=lambda package: min(
            name.count("/") for name in names if f"/{name}".endswith(f"/{package}/__init__.py")
        ),
    )
    if not packages and not any(name.endswith(".py") for name in names):
        raise InputError(f"{path} holds no Python source.", "Give the folder or wheel of a package.")
    return general(packages[0] if packages else path.stem)
