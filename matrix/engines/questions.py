"""What an engine asks the release before it uses it, and which uses stand behind that."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from matrix.engines.conditions import Condition, asks_release, atoms, release_part, resolve
from matrix.engines.reading.callers import OPERATORS, Callers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from matrix.engines.reading.file import FileFacts
    from matrix.engines.uses import Use

__all__ = ["Questions"]


class Questions:
    """The functions of an engine that ask the release for something.

    Args:
        facts: of the files, by module.
        names: the files' names, by module.
    """

    def __init__(self, facts: Mapping[str, FileFacts], names: Mapping[str, str]) -> None:
        self.facts, self.names = facts, names
        self.probes = {
            f"{module}:{name}": condition
            for module, found in facts.items()
            for name, condition in found.probes.items()
        }
        self.by_name: dict[str, list[Condition]] = {}
        for path, condition in self.probes.items():
            self.by_name.setdefault(path.partition(":")[2], []).append(condition)

    def asked(self) -> list[tuple[str, Condition]]:
        """The functions as `file:name`, each with what makes it true."""
        return [
            (f"{self.names[module]}:{name}", resolved)
            for path, condition in sorted(self.probes.items())
            for module, _, name in [path.partition(":")]
            if asks_release(resolved := resolve(condition, self._answer))
        ]

    def settled(self, use: Use) -> Use:
        """A use whose condition asks the release itself, where it asked functions of the engine."""
        return replace(
            use,
            condition=release_part(resolve(use.condition, self._answer)),
            named=resolve(use.named, self._answer),
        )

    def placed(self, uses: Iterable[Use], asked: Iterable[tuple[str, Condition]]) -> Iterator[Use]:
        """The uses, each with the questions that are asked before it."""
        about: dict[str, set[str]] = {}
        for name, condition in asked:
            for atom in atoms(condition):
                if atom[0] in {"has", "accepts"}:
                    about.setdefault(_end(atom[1]), set()).add(name)
        modules = {name: module for module, name in self.names.items()}
        named = {module: found.named for module, found in self.facts.items()}
        named[OPERATORS] = tuple(pair for found in self.facts.values() for pair in found.operators)
        behind_of = lru_cache(None)(Callers(named).behind)
        for use in uses:
            part = (modules[use.file], use.scope.partition(".")[0])
            behind: list[str] = []
            unclear: list[str] = []
            for name in sorted(about.get(_end(use.symbol), ())):
                file, _, function = name.rpartition(":")
                cls = function.rpartition(".")[0]
                if cls and (modules[file], cls) != part:
                    continue  # a class answers for itself: whoever makes an instance is to ask it
                answer = None if cls else behind_of(part, f"{modules[file]}:{function}")
                if answer is not False:
                    (behind if answer else unclear).append(name)
            yield replace(use, behind=tuple(behind), unclear=tuple(unclear)) if behind or unclear else use

    def _answer(self, path: str) -> Condition | None:
        """What makes a function true, by its path, or by its name where no other has that."""
        same = self.by_name.get(path.partition(":")[2], [])
        return self.probes.get(path) or (same[0] if len(same) == 1 else None)


def _end(symbol: str) -> str:
    return symbol.removesuffix("()").rpartition(".")[2]
