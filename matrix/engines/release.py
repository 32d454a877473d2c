"""An engine at one release (or a checkout of it): all uses of FlashInfer, linked across its files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matrix.engines.conditions import Condition, from_json
from matrix.engines.facts import Facts, File
from matrix.engines.layout import lay_out, module_name
from matrix.engines.linking import linked
from matrix.engines.mirrors import copied, given_members, with_members
from matrix.engines.patched import doubted
from matrix.engines.pins import Pins, read_pins
from matrix.engines.questions import Questions
from matrix.engines.screening import Screening
from matrix.engines.uses import Use
from matrix.releases.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Executor

    from matrix.engines.config import Engine
    from matrix.engines.reading.file import FileFacts
    from matrix.releases.tree import Tree

__all__ = ["EngineRelease", "read_engine"]


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
    layout = lay_out(tree, engine)
    start = len(layout.root)
    kinds = Screening(store, engine).look(tree, layout.names)
    files = {
        name: File(name[start:], module_name(name[start:]), digest) for name, (digest, _) in kinds.items()
    }
    strong = [files[name] for name, (_, kind) in kinds.items() if kind.strong]
    weak = {files[name]: kind.ends for name, (_, kind) in kinds.items() if not kind.strong and kind.ends}
    reader = Facts(tree, layout.root, engine, store, pool)
    facts = linked(reader, strong, weak)
    mentions: dict[str, list[str]] = {}
    for name, (_, kind) in kinds.items():
        for member, line in kind.mentions:
            mentions.setdefault(member, []).append(f"{name[start:]}:{line}")
    read = {file.module: file for file in files.values() if file.module in facts}
    uses, probes = _uses(reader, read, facts, mentions)
    problems = [(file.name, problem) for module, file in read.items() if (problem := facts[module].problem)]
    problems += [
        (place[start:].rstrip("/"), f"vendored copy of {engine.provider}, {count} files")
        for place, count in layout.vendored.items()
    ]
    pins = read_pins(tree, layout.root, engine, {m: f.pins for m, f in facts.items() if f.pins})
    return EngineRelease(
        engine=engine.name,
        release=release or pins.release or "checkout",
        pins=pins,
        uses=tuple(uses),
        probes=tuple(probes),
        problems=tuple(sorted(problems)),
        files=len(layout.names),
    )


def _uses(
    reader: Facts,
    files: Mapping[str, File],
    facts: Mapping[str, FileFacts],
    mentions: Mapping[str, list[str]],
) -> tuple[list[Use], list[tuple[str, Condition]]]:
    """All uses by file and line, and the functions that ask the release for something."""
    questions = Questions(facts, {module: file.name for module, file in files.items()})
    asked = questions.asked()
    passing = {file.name: facts[module].passed for module, file in files.items()}
    members = {member for one in passing.values() for member in one}
    uses: list[Use] = []
    by_name = {file.name: facts[module] for module, file in files.items()}
    for module, file in files.items():
        found = facts[module]
        uses += map(questions.settled, doubted(found.uses, by_name))
        uses += copied(file.name, found, members, mentions)
    uses = sorted(questions.placed(uses, asked), key=lambda use: (use.file, use.line, use.symbol))
    calls = given_members(reader, [file for file in files.values() if passing[file.name]], passing)
    return with_members(uses, calls, passing), asked
