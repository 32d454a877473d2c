"""Copies of FlashInfer's enums in an engine, and the calls that their members go into."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from matrix.engines.reading.passing import Passed, passed
from matrix.engines.uses import Use

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from matrix.engines.facts import Facts, File
    from matrix.engines.reading.file import FileFacts

__all__ = ["copied", "given_members", "with_members"]


def copied(
    file: str, found: FileFacts, passing: Collection[str], mentions: Mapping[str, list[str]]
) -> Iterator[Use]:
    """The members of the enums that a file copies, each as a use.

    Args:
        file: its name.
        found: what it says.
        passing: `Enum.Member` that goes straight into a call of FlashInfer somewhere in the engine.
        mentions: where members are named, as `file:line`.
    """
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
                used=key in passing,
                references=tuple(mentions.get(key, ())),
            )


def given_members(
    reader: Facts, files: Collection[File], passing: Mapping[str, Collection[str]]
) -> dict[str, list[Passed]]:
    """The calls that are given a member of a copied enum, by file.

    Args:
        reader: has the files' contents.
        files: where members go into calls.
        passing: the members, by file.
    """
    reader.fetch(files)
    return {file.name: passed(reader.content(file), passing[file.name]) for file in files}


def with_members(
    uses: Collection[Use], calls: Mapping[str, list[Passed]], passing: Mapping[str, Collection[str]]
) -> list[Use]:
    """The uses, calls with the integers that they are given as members, and members with those calls.

    Where a member gets into a call in another way, its use names the file.

    Args:
        uses: of the whole engine.
        calls: those that are given members, by file.
        passing: the members that go into calls, by file.
    """
    integers: dict[str, set[int]] = {}
    for use in uses:
        if use.member:
            integers.setdefault(f"{use.symbol}.{use.member[0]}", set()).add(use.member[1])
    certain = {member: next(iter(values)) for member, values in integers.items() if len(values) == 1}
    places: dict[str, list[str]] = {}
    given = []
    for use in uses:
        if not use.arguments:
            given.append(use)
            continue
        name = use.symbol.removesuffix("()").rpartition(".")[2]
        here = [
            one
            for one in calls.get(use.file, ())
            if (one.line, one.called) == (use.line, name) and one.member in certain
        ]
        for one in here:
            places.setdefault(one.member, []).append(f"{use.file}:{use.line}")
        more = tuple((f"{one.key}={one.member}", certain[one.member]) for one in here)
        given.append(replace(use, arguments=replace(use.arguments, integers=use.arguments.integers + more)))
    return [
        replace(use, references=tuple(dict.fromkeys(places.get(key, ()))) or _files(key, passing))
        if use.member and use.used and (key := f"{use.symbol}.{use.member[0]}")
        else use
        for use in given
    ]


def _files(member: str, passing: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    return tuple(sorted(file for file, members in passing.items() if member in members))
