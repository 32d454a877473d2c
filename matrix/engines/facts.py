"""What the files of an engine say, kept by content."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matrix.engines.fingerprint import fingerprint
from matrix.engines.reading.file import FileFacts, read_file, value_from_json
from matrix.processes import cores, processes, spread

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from concurrent.futures import Executor

    from matrix.engines.config import Engine
    from matrix.engines.reading.values import Value
    from matrix.releases.store import Store
    from matrix.releases.tree import Tree

__all__ = ["Exports", "Facts", "File"]

Exports = dict[str, dict[str, Any]]
"""By module, its names that lead into FlashInfer, as JSON."""

_PARALLEL_FROM = 24
_CHUNK = 8


@dataclass(frozen=True)
class File:
    """A file of an engine.

    Attributes:
        name: its path below the root.
        module: its dotted name.
        digest: of its content.
    """

    name: str
    module: str
    digest: str


class Facts:
    """Facts of files, kept by content.

    Args:
        tree: where the files are.
        root: the folder in the tree that file names begin from.
        engine: its rules.
        store: where facts are kept.
        pool: processes to read files in; started here where none is given and there is much to read.
    """

    def __init__(self, tree: Tree, root: str, engine: Engine, store: Store, pool: Executor | None) -> None:
        self.tree, self.root, self.engine, self.store, self.pool = tree, root, engine, store, pool
        self.contents: dict[str, bytes] = {}

    def fetch(self, files: Iterable[File]) -> None:
        """Read the contents of files that are not here yet, together, as each request takes its time."""
        wanted = [self.root + file.name for file in files if file.name not in self.contents]
        if wanted:
            read = self.tree.read(wanted)
            self.contents |= {name[len(self.root) :]: content for name, content in read.items()}

    def content(self, file: File) -> bytes:
        """The bytes of a file."""
        self.fetch([file])
        return self.contents[file.name]

    def read(self, wanted: Iterable[tuple[File, Exports]]) -> dict[str, FileFacts]:
        """The facts of files, by module; what is not kept is read, on all cores where it is much.

        Args:
            wanted: each file with what others of the engine export to it.
        """
        found: dict[str, FileFacts] = {}
        jobs: list[tuple[File, Exports]] = []
        for file, exports in wanted:
            kept = self.store.read("engine-files", self._key(file, exports))
            if kept is None:
                jobs.append((file, exports))
            else:
                found[file.module] = FileFacts.from_json(json.loads(kept))
        for (file, given), facts in zip(jobs, self._run(jobs), strict=True):
            found[file.module] = facts
            data = json.dumps(facts.to_json(), separators=(",", ":")).encode()
            self.store.write("engine-files", self._key(file, given), data)
        return found

    def _key(self, file: File, exports: Mapping[str, dict[str, Any]]) -> str:
        parts = [
            fingerprint(),
            self.engine.name,
            file.module,
            file.name,
            file.digest,
            json.dumps(exports, sort_keys=True),
        ]
        digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        return f"{digest[:2]}/{digest[2:]}.json"

    def _run(self, jobs: list[tuple[File, Exports]]) -> Iterator[FileFacts]:
        self.fetch(file for file, _ in jobs)
        tasks = [(self.content(file), file.name, file.module, self.engine, exports) for file, exports in jobs]
        if self.pool is not None:
            yield from spread(self.pool, _task, tasks, _CHUNK)
        elif len(tasks) < _PARALLEL_FROM or cores() < 2:
            yield from map(_task, tasks)
        else:
            with processes() as pool:
                yield from spread(pool, _task, tasks, _CHUNK)


def _task(task: tuple[bytes, str, str, Engine, Exports]) -> FileFacts:
    source, name, module, engine, exports = task
    values: dict[str, dict[str, Value]] = {
        other: {key: value_from_json(value) for key, value in names.items()}
        for other, names in exports.items()
    }
    return read_file(source, name, module, engine, exports=values)
