"""Which files of an engine are worth reading, told by a look at their bytes."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matrix.engines.fingerprint import fingerprint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matrix.engines.config import Engine
    from matrix.releases.store import Store
    from matrix.releases.tree import Tree

__all__ = ["Kind", "Screening", "imported"]

_IMPORTS = re.compile(rb"^[ \t]*from[ \t]+([\w.]+)[ \t]+import\b(?:[ \t]*\(([^)]*)\)|([^\n]*))", re.MULTILINE)
_NAME = re.compile(rb"[A-Za-z_*]\w*")
_MODULE = re.compile(r"[a-z_][a-z_0-9]*")
"""The usual name of a module, among those that are imported."""


def imported(content: bytes) -> dict[str, set[str]]:
    """The names that a file imports `from` modules, by the last part of the module's name."""
    found: dict[str, set[str]] = {}
    for module, *names in _IMPORTS.findall(content):
        end = module.rpartition(b".")[2].decode()
        found.setdefault(end, set()).update(name.decode() for name in _NAME.findall(b" ".join(names)))
    return found


@dataclass(frozen=True)
class Kind:
    """What a look at a content told.

    Attributes:
        strong: whether it names FlashInfer as a package, or copies one of its enums.
        ends: the last parts of the modules that it imports from, by which it may lead to a file that does.
        mentions: members of copied enums that it names, with their lines.
    """

    strong: bool
    ends: tuple[str, ...]
    mentions: tuple[tuple[str, int], ...]


class Screening:
    """Looks at contents, and keeps by content what it saw: a wheel's known files are not fetched again."""

    def __init__(self, store: Store, engine: Engine) -> None:
        self.store, self.engine = store, engine
        self.key = f"{fingerprint()}-{engine.name}.json"
        kept = store.read("engine-screening", self.key)
        self.known: dict[str, list[Any]] = json.loads(kept) if kept else {}
        self.provider = engine.provider.encode()
        mirrors = "|".join(engine.mirrors).encode()
        self.strong = re.compile(
            rb"\b(?:from|import)[ \t]+(?:[\w. \t]+,)*[ \t]*%(name)s\b|[\"']%(name)s(?:[\"'.]|[-_]python)"
            % {b"name": re.escape(self.provider)}
        )
        self.copies = re.compile(rb"^[ \t]*class (?:%s)\b" % mirrors, re.MULTILINE)
        self.members = re.compile(rb"\b((?:%s)\.[A-Za-z]\w*)" % mirrors)

    def look(self, tree: Tree, names: Sequence[str]) -> dict[str, tuple[str, Kind]]:
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
            found[name] = (digest, Kind(strong, tuple(ends), tuple((text, line) for text, line in mentions)))
        return found

    def _kind(self, content: bytes) -> list[Any]:
        strong = self.provider in content and self.strong.search(content) is not None
        if b"Enum" in content and self.copies.search(content):
            strong = True
        taken = {} if strong else imported(content)
        names = {name for given in taken.values() for name in given if _MODULE.fullmatch(name)}
        ends = (names | set(taken)) - {""}
        mentions = [
            (found[1].decode(), content.count(b"\n", 0, found.start()) + 1)
            for found in (
                self.members.finditer(content) if b"Type." in content or b"Layout." in content else ()
            )
        ]
        return [strong, sorted(ends), mentions]
