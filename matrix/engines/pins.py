"""Which FlashInfer an engine asks for: in its metadata, its requirement files and its own code."""

from __future__ import annotations

import re
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from matrix.engines.config import Engine
    from matrix.releases.tree import Tree


@dataclass(frozen=True, kw_only=True)
class Pins:
    """What an engine demands of FlashInfer.

    Attributes:
        specifier: from metadata or requirement files, such as `==0.6.11.post1`; empty where none is given.
        where: the file that says so.
        checks: (version, file, line) of checks at run time.
        release: the engine's own version, where its metadata gives one.
    """

    specifier: str = ""
    where: str = ""
    checks: tuple[tuple[str, str, int], ...] = ()
    release: str = ""

    @property
    def exact(self) -> str:
        """The one release that is pinned, or else the lowest that is allowed; empty where neither is said."""
        for operator in ("==", "~=", ">="):
            for specifier in SpecifierSet(self.specifier):
                if specifier.operator == operator and not specifier.version.endswith(".*"):
                    return specifier.version
        return self.checks[0][0] if self.checks else ""

    def to_json(self) -> dict[str, Any]:
        """As the cache keeps it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Pins:
        """Read back what `to_json` wrote."""
        return cls(**data | {"checks": tuple((c[0], c[1], c[2]) for c in data["checks"])})


def read_pins(
    tree: Tree, root: str, engine: Engine, checks: Mapping[str, tuple[tuple[str, int], ...]]
) -> Pins:
    """The pins of an engine.

    Args:
        tree: its files.
        root: the folder inside that holds its package.
        engine: its rules.
        checks: by module, what its code demands at run time.
    """
    names = {canonicalize_name(name) for name in engine.provider_distributions}
    found = [(text, where) for text, where, name in _requirements(tree, root) if name in names and text]
    specifier, where = (
        min(found, key=lambda pair: (not pair[0].startswith("=="), pair[1])) if found else ("", "")
    )
    return Pins(
        specifier=specifier,
        where=where,
        checks=tuple(
            (version, module.replace(".", "/") + ".py", line)
            for module, places in sorted(checks.items())
            for version, line in places
        ),
        release=_own_version(tree, root),
    )


def _requirements(tree: Tree, root: str) -> Iterator[tuple[str, str, str]]:
    """Every requirement: its specifier, the file it stands in, and the distribution."""
    for name, lines in _requirement_lines(tree, root):
        for line in lines:
            try:
                requirement = Requirement(line.partition(" #")[0].strip())
            except InvalidRequirement:
                continue
            yield str(requirement.specifier), name, canonicalize_name(requirement.name)


def _requirement_lines(tree: Tree, root: str) -> Iterator[tuple[str, list[str]]]:
    metadata = _metadata(tree)
    if metadata:
        text = tree.read([metadata])[metadata].decode("utf-8", "replace")
        yield metadata, re.findall(r"^Requires-Dist: (.*)$", text.partition("\n\n")[0], re.MULTILINE)
        return
    wanted = [
        name
        for name in tree.members()
        if name in {f"{root}pyproject.toml", "pyproject.toml"}
        or re.fullmatch(rf"({re.escape(root)})?requirements([/\w.-]*)\.txt", name)
    ]
    for name, content in tree.read(wanted).items():
        text = content.decode("utf-8", "replace")
        yield name, text.splitlines() if name.endswith(".txt") else _pyproject(text)


def _pyproject(text: str) -> list[str]:
    try:
        project = tomllib.loads(text).get("project", {})
    except tomllib.TOMLDecodeError:
        return []
    extras = project.get("optional-dependencies", {}).values()
    return [*project.get("dependencies", []), *(line for lines in extras for line in lines)]


def _metadata(tree: Tree) -> str | None:
    return next((name for name in tree.members() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)), None)


def _own_version(tree: Tree, root: str) -> str:
    metadata = _metadata(tree)
    if metadata:
        text = tree.read([metadata])[metadata].decode("utf-8", "replace")
        found = re.search(r"^Version: (.*)$", text, re.MULTILINE)
        return found[1].strip() if found else ""
    for name in (f"{root}pyproject.toml", "pyproject.toml"):
        if name in tree.members():
            try:
                data = tomllib.loads(tree.read([name])[name].decode("utf-8", "replace"))
            except tomllib.TOMLDecodeError:
                continue
            return str(data.get("project", {}).get("version", ""))
    return ""
