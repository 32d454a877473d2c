"""What the files of an engine hand to each other: FlashInfer's names under names of the engine's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matrix.engines.screening import imported

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from matrix.engines.facts import Exports, Facts, File
    from matrix.engines.reading.file import FileFacts

__all__ = ["linked"]

_ROUNDS = 3


def linked(
    reader: Facts, strong: Iterable[File], weak: Mapping[File, tuple[str, ...]]
) -> dict[str, FileFacts]:
    """Read the files that name FlashInfer, then again those that import such names from them.

    Args:
        reader: reads files.
        strong: files that name FlashInfer.
        weak: other files, with the last parts of the modules that they import from.

    Returns:
        The facts by module, of every file that leads to FlashInfer.
    """
    facts = reader.read((file, {}) for file in strong)
    given: dict[str, Exports] = {}
    by_module = {file.module: file for file in (*strong, *weak)}
    for _ in range(_ROUNDS):
        exports = {module: found.exports for module, found in facts.items() if found.exports}
        near = _near({file: ends for file, ends in weak.items() if file.module not in facts}, exports)
        reader.fetch(file for file, exported in near.items() if exported)
        again: list[tuple[File, Exports]] = []
        for module, file in by_module.items():
            if module in facts:
                wanted = _needed(facts[module].needs, exports)
            else:
                wanted = _mentioned(reader.content(file), near[file]) if near[file] else {}
            if wanted and given.get(module) != wanted:
                given[module] = wanted
                again.append((file, wanted))
        if not again:
            break
        facts |= reader.read(again)
    return facts


def _near(files: Mapping[File, tuple[str, ...]], exports: Exports) -> dict[File, Exports]:
    """The exports that files may import, going by the last parts of the modules' names."""
    by_end: dict[str, Exports] = {}
    for module, names in exports.items():
        by_end.setdefault(module.rpartition(".")[2], {})[module] = names
    return {
        file: {module: names for end in ends for module, names in by_end.get(end, {}).items()}
        for file, ends in files.items()
    }


def _needed(needs: Iterable[str], exports: Exports) -> Exports:
    """The exports that a file that was read imports."""
    wanted: Exports = {}
    for need in needs:
        module, _, name = need.partition(":")
        if name in exports.get(module, {}):
            wanted.setdefault(module, {})[name] = exports[module][name]
    return wanted


def _mentioned(content: bytes, exports: Exports) -> Exports:
    """The exports that a file that has not been read yet imports, or names behind a module that it imports."""
    taken = imported(content)
    modules = {name for names in taken.values() for name in names}
    wanted: Exports = {}
    for module, names in exports.items():
        end = module.rpartition(".")[2]
        direct = taken.get(end, set())
        for name, value in names.items():
            if name in direct or "*" in direct or (end in modules and f".{name}".encode() in content):
                wanted.setdefault(module, {})[name] = value
    return wanted
