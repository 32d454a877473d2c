"""An engine at one release (or a checkout of it): all uses of FlashInfer, linked across its files."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import re
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from matrix.engines.conditions import Condition, asks_release, atoms, from_json, release_part, resolve
from matrix.engines.pins import Pins, read_pins
from matrix.engines.reading.callers import OPERATORS, Callers
from matrix.engines.reading.file import FileFacts, read_file, value_from_json
from matrix.engines.reading.passing import Passed, passed
from matrix.engines.uses import Use
from matrix.releases.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from concurrent.futures import Executor

    from matrix.engines.config import Engine
    from matrix.engines.reading.values import Value
    from matrix.releases.tree import Tree

T = TypeVar("T")

_IMPORTS = re.compile(rb"^[ \t]*from[ \t]+([\w.]+)[ \t]+import\b", re.MULTILINE)
_ROUNDS = 3
_PARALLEL_FROM = 24
_CHUNK = 8


@dataclass(frozen=True, kw_only=True)
class EngineRelease:
    """What one release of an engine asks of FlashInfer.

    Attributes:
        engine: the engine's name.
        release: its version; for a checkout what its metadata says, or `checkout`.
        pins: which FlashInfer it wants.
        uses: every use, by file and line.
        probes: functions that ask the release for something: `file:name` and what makes them true.
        problems: files that could not be read, each with the reason.
        files: how many files were looked at.
    """

    engine: str
    release: str
    pins: Pins
    uses: tuple[Use, ...]
    probes: tuple[tuple[str, Condition], ...] = ()
    problems: tuple[tuple[str, str], ...] = ()
    files: int = 0

    def to_json(self) -> dict[str, Any]:
        """As the cache keeps it."""
        return {
            "engine": self.engine,
            "release": self.release,
            "pins": self.pins.to_json(),
            "uses": [use.to_json() for use in self.uses],
            "probes": self.probes,
            "problems": self.problems,
            "files": self.files,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> EngineRelease:
        """Read back what `to_json` wrote."""
        return cls(
            engine=data["engine"],
            release=data["release"],
            pins=Pins.from_json(data["pins"]),
            uses=tuple(Use.from_json(use) for use in data["uses"]),
            probes=tuple((name, from_json(condition)) for name, condition in data["probes"]),
            problems=tuple((name, why) for name, why in data["problems"]),
            files=data["files"],
        )


@lru_cache
def fingerprint() -> str:
    """Of the code and data that read sources: what another version of them kept is not used."""
    here = Path(__file__).parent
    names = ("conditions", "config", "pins", "release", "uses")
    digest = hashlib.sha256()
    for path in (
        *(here / f"{name}.py" for name in names),
        *sorted((here / "reading").glob("*.py")),
        here / "common.toml",
        *sorted(here.glob("*/engine.toml")),
    ):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class _File:
    name: str
    module: str
    digest: str


class _Facts:
    """Facts of files, kept by content."""

    def __init__(self, tree: Tree, root: str, engine: Engine, store: Store, pool: Executor | None) -> None:
        self.tree, self.root, self.engine, self.store, self.pool = tree, root, engine, store, pool
        self.contents: dict[str, bytes] = {}

    def fetch(self, files: Iterable[_File]) -> None:
        """Read the contents of files that are not here yet, together, as each request takes its time."""
        wanted = [self.root + file.name for file in files if file.name not in self.contents]
        if wanted:
            read = self.tree.read(wanted)
            self.contents |= {name[len(self.root) :]: content for name, content in read.items()}

    def content(self, file: _File) -> bytes:
        self.fetch([file])
        return self.contents[file.name]

    def read(self, wanted: Iterable[tuple[_File, dict[str, Any]]]) -> dict[str, FileFacts]:
        """The facts of files, by module; what is not kept is read, on all cores where it is much.

        Args:
            wanted: each file with what others of the engine export to it.
        """
        found: dict[str, FileFacts] = {}
        jobs: list[tuple[_File, dict[str, Any]]] = []
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

    def _key(self, file: _File, exports: Mapping[str, dict[str, Any]]) -> str:
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

    def _run(self, jobs: list[tuple[_File, dict[str, Any]]]) -> Iterator[FileFacts]:
        self.fetch(file for file, _ in jobs)
        tasks = [(self.content(file), file.name, file.module, self.engine, exports) for file, exports in jobs]
        if self.pool is not None:
            yield from spread(self.pool, _task, tasks, _CHUNK)
        elif len(tasks) < _PARALLEL_FROM or cores() < 2:
            yield from map(_task, tasks)
        else:
            with processes() as pool:
                yield from spread(pool, _task, tasks, _CHUNK)


def _task(task: tuple[bytes, str, str, Engine, dict[str, Any]]) -> FileFacts:
    source, name, module, engine, exports = task
    values: dict[str, dict[str, Value]] = {
        other: {key: value_from_json(value) for key, value in names.items()}
        for other, names in exports.items()
    }
    return read_file(source, name, module, engine, exports=values)


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processes(**more: Any) -> ProcessPoolExecutor:
    """One process a processor, started afresh, as threads may be running here."""
    return ProcessPoolExecutor(min(cores(), 8), mp_context=get_context("spawn"), **more)


def spread(pool: Executor, work: Callable[..., T], items: Iterable[Any], chunk: int) -> Iterator[T]:
    """`pool.map` in processes that do not hear an interrupt: this one ends them."""
    heard = unheard()
    try:
        return pool.map(work, items, chunksize=chunk)  # processes start here, and inherit what is blocked
    finally:
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_SETMASK, heard)


def unheard() -> set[Any]:
    """Keep interrupts from this thread and the processes that it starts; returns what was blocked before."""
    if not hasattr(signal, "pthread_sigmask"):
        return set()
    return signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def end_processes() -> None:
    """End what `processes` started, so that an interrupted reader need not wait for it.

    The threads that minded those processes are about to end, and what they say about it is of no use.
    """
    threading.excepthook = lambda _: None
    for child in active_children():
        child.terminate()


def read_engine(
    tree: Tree, engine: Engine, *, release: str = "", store: Store | None = None, pool: Executor | None = None
) -> EngineRelease:
    """Read an engine out of a wheel, an unpacked wheel or a checkout.

    Args:
        tree: where its files are.
        engine: its rules.
        release: its version where that is known; else its metadata says it.
        store: where results are kept by content.
        pool: processes to read files in; started here where none is given and there is much to read.
    """
    store = store or Store()
    root = find_root(tree, engine)
    names = [name for name in tree.members() if name.endswith(".py") and name.startswith(root)]
    names = [name for name in names if not _left_out(name[len(root) :], engine)]
    copies = _vendored(tree, root, engine)
    vendored = {place: sum(name.startswith(place) for name in names) for place in copies}
    names = [name for name in names if not name.startswith(copies)]
    screening = _Screening(store, engine)
    kinds = screening.look(tree, names)
    files = {
        name: _File(name[len(root) :], _module(name[len(root) :]), digest)
        for name, (digest, _) in kinds.items()
    }
    strong = [files[name] for name, (_, kind) in kinds.items() if kind.strong]
    weak = {files[name]: kind.ends for name, (_, kind) in kinds.items() if not kind.strong and kind.ends}
    reader = _Facts(tree, root, engine, store, pool)
    facts = _linked(reader, strong, weak)
    mentions: dict[str, list[str]] = {}
    for name, (_, kind) in kinds.items():
        for member, line in kind.mentions:
            mentions.setdefault(member, []).append(f"{name[len(root) :]}:{line}")
    uses, probes, problems = _assemble(facts, files.values(), mentions)
    passing = {file.name: facts[file.module].passed for file in files.values() if file.module in facts}
    calls = _passed(reader, [file for file in files.values() if passing.get(file.name)], passing)
    uses = _with_members(uses, calls, passing)
    problems += [
        (place[len(root) :].rstrip("/"), f"vendored copy of {engine.provider}, {count} files")
        for place, count in vendored.items()
    ]
    pins = read_pins(tree, root, engine, {m: f.pins for m, f in facts.items() if f.pins})
    return EngineRelease(
        engine=engine.name,
        release=release or pins.release or "checkout",
        pins=pins,
        uses=tuple(uses),
        probes=tuple(probes),
        problems=tuple(sorted(problems)),
        files=len(names),
    )


def _vendored(tree: Tree, root: str, engine: Engine) -> tuple[str, ...]:
    """Folders with copies of the provider, whose own imports of it mean the copy."""
    if engine.package == engine.provider:
        return ()
    marker = f"/{engine.provider}/__init__.py"
    found = set()
    for name in tree.members():
        inner = f"/{name[len(root) :]}"
        if name.startswith(root) and inner.endswith(marker):
            place = inner.removesuffix("/__init__.py")
            while place.rpartition("/")[0].endswith(f"/{engine.provider}"):
                place = place.rpartition("/")[0]
            found.add(f"{root}{place[1:]}/")
    return tuple(sorted(found))


def _passed(
    reader: _Facts, files: list[_File], passing: Mapping[str, Collection[str]]
) -> dict[str, list[Passed]]:
    """The calls that are given a member of a copied enum, by file."""
    reader.fetch(files)
    return {file.name: passed(reader.content(file), passing[file.name]) for file in files}


def _with_members(
    uses: list[Use], calls: Mapping[str, list[Passed]], passing: Mapping[str, Collection[str]]
) -> list[Use]:
    """The uses, calls with the integers that they are given as members, and members with those calls.

    Where a member gets into a call in another way, its use names the file.
    """
    integers: dict[str, set[int]] = {}
    for use in uses:
        if use.member:
            integers.setdefault(f"{use.symbol}.{use.member[0]}", set()).add(use.member[1])
    places: dict[str, list[str]] = {}
    given = []
    for use in uses:
        more = [
            (f"{one.key}={one.member}", next(iter(integers[one.member])))
            for one in calls.get(use.file, ())
            if use.arguments
            and (use.line, _end(use.symbol)) == (one.line, one.called)
            and len(integers.get(one.member, ())) == 1
        ]
        for key, _ in more:
            places.setdefault(key.partition("=")[2], []).append(f"{use.file}:{use.line}")
        if more and use.arguments:
            use = replace(use, arguments=replace(use.arguments, integers=(*use.arguments.integers, *more)))  # noqa: PLW2901 - the use that is kept
        given.append(use)
    return [
        replace(use, references=tuple(dict.fromkeys(places.get(key, ()))) or _files(key, passing))
        if use.member and use.used and (key := f"{use.symbol}.{use.member[0]}")
        else use
        for use in given
    ]


def _files(key: str, passing: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    return tuple(sorted(file for file, members in passing.items() if key in members))


def _linked(reader: _Facts, strong: list[_File], weak: dict[_File, tuple[str, ...]]) -> dict[str, FileFacts]:
    """Read the files that name FlashInfer, then again those that import such names from them."""
    facts = reader.read((file, {}) for file in strong)
    given: dict[str, dict[str, Any]] = {}
    by_module = {file.module: file for file in (*strong, *weak)}
    for _ in range(_ROUNDS):
        exports = {module: found.exports for module, found in facts.items() if found.exports}
        by_end: dict[str, dict[str, dict[str, Any]]] = {}
        for module, names in exports.items():
            by_end.setdefault(module.rpartition(".")[2], {})[module] = names
        near = {
            file: {module: names for end in ends for module, names in by_end.get(end, {}).items()}
            for file, ends in weak.items()
            if file.module not in facts
        }
        reader.fetch(file for file, exported in near.items() if exported)
        again: list[tuple[_File, dict[str, Any]]] = []
        for module, file in by_module.items():
            if module in facts:
                wanted = _wanted(facts[module].needs, exports)
            else:
                wanted = _mentioned(reader.content(file), near[file]) if near[file] else {}
            if wanted and given.get(module) != wanted:
                given[module] = wanted
                again.append((file, wanted))
        if not again:
            break
        facts |= reader.read(again)
    return facts


def _wanted(needs: Iterable[str], exports: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    wanted: dict[str, dict[str, Any]] = {}
    for need in needs:
        module, _, name = need.partition(":")
        if name in exports.get(module, {}):
            wanted.setdefault(module, {})[name] = exports[module][name]
    return wanted


def _mentioned(content: bytes, exports: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The exports whose names stand in a file that has not been read yet."""
    wanted: dict[str, dict[str, Any]] = {}
    for module, names in exports.items():
        for name, value in names.items():
            if name.encode() in content:
                wanted.setdefault(module, {})[name] = value
    return wanted


def _assemble(
    facts: dict[str, FileFacts], files: Collection[_File], mentions: dict[str, list[str]]
) -> tuple[list[Use], list[tuple[str, Condition]], list[tuple[str, str]]]:
    paths = {file.module: file.name for file in files}
    probes = {
        f"{module}:{name}": condition
        for module, found in facts.items()
        for name, condition in found.probes.items()
    }
    by_name: dict[str, list[Condition]] = {}
    for path, condition in probes.items():
        by_name.setdefault(path.partition(":")[2], []).append(condition)

    def answers(path: str) -> Condition | None:
        same = by_name.get(path.partition(":")[2], [])
        return probes.get(path) or (same[0] if len(same) == 1 else None)

    uses: list[Use] = []
    problems: list[tuple[str, str]] = []
    for module, found in facts.items():
        if found.problem:
            problems.append((paths[module], found.problem))
        uses += [replace(use, condition=release_part(resolve(use.condition, answers))) for use in found.uses]
        uses += _mirrored(paths[module], found, facts, mentions)
    asked = [
        (f"{paths[module]}:{name}", resolved)
        for path, condition in sorted(probes.items())
        for module, _, name in [path.partition(":")]
        if asks_release(resolved := resolve(condition, answers))
    ]
    modules = {file.name: file.module for file in files}
    named = {module: found.named for module, found in facts.items()}
    named[OPERATORS] = tuple(pair for found in facts.values() for pair in found.operators)
    placed = _placed(uses, asked, modules, Callers(named))
    return sorted(placed, key=lambda use: (use.file, use.line, use.symbol)), asked, sorted(problems)


def _placed(
    uses: list[Use], asked: list[tuple[str, Condition]], modules: dict[str, str], callers: Callers
) -> Iterator[Use]:
    """The uses, each with the questions that are asked before it."""
    about: dict[str, set[str]] = {}
    for name, condition in asked:
        for atom in atoms(condition):
            if atom[0] in {"has", "accepts"}:
                about.setdefault(_end(atom[1]), set()).add(name)
    behind_of = lru_cache(None)(callers.behind)
    for use in uses:
        part = (modules[use.file], use.scope.partition(".")[0])
        behind: list[str] = []
        unclear: list[str] = []
        for name in sorted(about.get(_end(use.symbol), ())):
            file, _, function = name.rpartition(":")
            answer = behind_of(part, f"{modules[file]}:{function}")
            if answer is not False:
                (behind if answer else unclear).append(name)
        yield replace(use, behind=tuple(behind), unclear=tuple(unclear)) if behind or unclear else use


def _end(symbol: str) -> str:
    return symbol.removesuffix("()").rpartition(".")[2]


def _mirrored(
    file: str, found: FileFacts, facts: dict[str, FileFacts], mentions: dict[str, list[str]]
) -> Iterator[Use]:
    for enum, members in found.mirrors.items():
        for name, (value, line) in members.items():
            key = f"{enum}.{name}"
            yield Use(
                file=file,
                line=line,
                kind="enum",
                form="mirror",
                symbol=enum,
                member=(name, value),
                used=any(key in other.passed for other in facts.values()),
                references=tuple(mentions.get(key, ())),
            )


@dataclass(frozen=True)
class _Kind:
    """What a look at a content told.

    Attributes:
        strong: whether it names FlashInfer as a package, or copies one of its enums.
        ends: the last parts of the modules that it imports from, by which it may lead to a file that does.
        mentions: members of copied enums that it names, with their lines.
    """

    strong: bool
    ends: tuple[str, ...]
    mentions: tuple[tuple[str, int], ...]


class _Screening:
    """Which contents are worth reading, kept by content so that a wheel's known files are not fetched again."""

    def __init__(self, store: Store, engine: Engine) -> None:
        self.store, self.engine = store, engine
        self.key = f"{fingerprint()}-{engine.name}.json"
        kept = store.read("engine-screening", self.key)
        self.known: dict[str, list[Any]] = json.loads(kept) if kept else {}
        self.provider = engine.provider.encode()
        mirrors = "|".join(engine.mirrors).encode()
        self.strong = re.compile(
            rb"\b(?:from|import)[ \t]+%(name)s\b|[\"']%(name)s(?:\.|[-_]python)|\(\s*[\"']%(name)s[\"']"
            % {b"name": re.escape(self.provider)}
        )
        self.copies = re.compile(rb"^[ \t]*class (?:%s)\b" % mirrors, re.MULTILINE)
        self.members = re.compile(rb"\b((?:%s)\.[A-Za-z]\w*)" % mirrors)

    def look(self, tree: Tree, names: list[str]) -> dict[str, tuple[str, _Kind]]:
        """The digest of each file, and what its content is."""
        members = tree.members()
        unread = [name for name in names if members[name].sha256 not in self.known]
        digests: dict[str, str] = {}
        for name, content in tree.read(unread).items():
            digests[name] = members[name].sha256 or hashlib.sha256(content).hexdigest()
            if digests[name] not in self.known:
                self.known[digests[name]] = self._kind(content)
        if digests:
            data = json.dumps(self.known, separators=(",", ":")).encode()
            self.store.write("engine-screening", self.key, data)
        found = {}
        for name in names:
            digest = digests.get(name) or members[name].sha256 or ""
            strong, ends, mentions = self.known[digest]
            found[name] = (digest, _Kind(strong, tuple(ends), tuple((text, line) for text, line in mentions)))
        return found

    def _kind(self, content: bytes) -> list[Any]:
        strong = self.provider in content and self.strong.search(content) is not None
        if b"Enum" in content and self.copies.search(content):
            strong = True
        ends = {found.rpartition(b".")[2].decode() for found in _IMPORTS.findall(content)} - {""}
        mentions = [
            (found[1].decode(), content.count(b"\n", 0, found.start()) + 1)
            for found in (
                self.members.finditer(content) if b"Type." in content or b"Layout." in content else ()
            )
        ]
        return [strong, [] if strong else sorted(ends), mentions]


def find_root(tree: Tree, engine: Engine) -> str:
    """The folder inside a tree that holds the engine's package, with a trailing slash; empty for the top."""
    marker = f"{engine.package}/__init__.py"
    places = [name[: -len(marker)] for name in tree.members() if f"/{name}".endswith(f"/{marker}")]
    return min(places, key=lambda place: (place.count("/"), len(place)), default="")


def _left_out(name: str, engine: Engine) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in engine.leave_out)


def _module(name: str) -> str:
    return name.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
