"""Where an engine is installed for replay: `environment.toml` of its folder, made a recipe for one release."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from matrix import toml
from matrix.engines import config
from matrix.environments import recipes
from matrix.environments.recipes import Recipe
from matrix.errors import InputError, unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

SCHEMA = 1
NEWEST = "newest"
FILE = "environment.toml"
ALIKE = 0.75
"""How like a name must be to one of an engine to be taken for a mistyped one."""


@dataclass(frozen=True, kw_only=True)
class Package:
    """A requirement that an engine's imports ask for, with the reason."""

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How one engine is installed for replay; see its `environment.toml` for the keys."""

    engine: str
    torch: str
    first: str
    default: tuple[str, ...]
    pins: tuple[Package, ...]
    packages: tuple[Package, ...]
    why_not: str = ""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """An engine at one release, as in `sglang==0.5.12`."""

    engine: str
    release: str

    @property
    def name(self) -> str:
        """As environments, contracts and rule sets call it: `sglang-0.5.12`."""
        return f"{self.engine}-{self.release}"


def engines() -> list[str]:
    """The engines that can be asked for."""
    return sorted(path.parent.name for path in config.HERE.glob(f"*/{FILE}"))


def load(engine: str, path: Path | None = None) -> Setting:
    """The environment of an engine.

    Raises:
        InputError: no such engine, or a key that is missing or does not exist.
    """
    if path is None and engine not in engines():
        if get_close_matches(engine, engines(), cutoff=ALIKE):
            raise unknown("engine", engine, engines())
        raise InputError(f"'{engine}' cannot be replayed.", f"Those that can: {', '.join(engines())}.")
    path = path or config.HERE / engine / FILE
    data = toml.load(path)
    known = {"schema", "torch", "first", "default", "pins", "package", "why_not"}
    for key in data.keys() - known:
        raise unknown("key", key, known, str(path))
    if data.get("schema") != SCHEMA:
        raise InputError(
            f"{path}: schema is {data.get('schema')!r}, not {SCHEMA}.", f"Set schema = {SCHEMA}."
        )
    return Setting(
        engine=engine,
        torch=data["torch"],
        first=data["first"],
        default=tuple(data["default"]),
        pins=_packages(data.get("pins", []), path),
        packages=_packages(data.get("package", []), path),
        why_not=data.get("why_not", ""),
    )


def _packages(tables: list[dict[str, Any]], path: Path) -> tuple[Package, ...]:
    for table in tables:
        if set(table) != {"name", "reason"}:
            raise InputError(f"{path}: {table} is no package.", "Give each a name and a reason.")
    return tuple(Package(**table) for table in tables)


def subjects(terms: Sequence[str], published: Callable[[str], list[str]]) -> list[Subject]:
    """The engine releases that terms such as `sglang`, `sglang==0.5.12` or `sglang>=0.5.11` name.

    An engine without a version means its default releases.

    Args:
        terms: what the user wrote.
        published: the releases of a distribution, oldest first.

    Raises:
        InputError: not a requirement, an unknown engine, or a release that is not published.
    """
    found: dict[Subject, None] = {}
    for term in terms:
        try:
            wanted = Requirement(term)
        except ValueError as error:
            raise InputError(f"'{term}' names no engine release.", "Write it as sglang==0.5.12.") from error
        name = canonicalize_name(wanted.name)
        setting = load(name)
        releases = published(config.load(name).distribution)
        if not wanted.specifier:
            chosen = [releases[-1] if release == NEWEST else release for release in setting.default]
        else:
            chosen = list(wanted.specifier.filter(releases, prereleases=True))
            if not chosen:
                raise _unpublished(wanted, releases)
            chosen = [one for one in chosen if Version(one) >= Version(setting.first)]
            if not chosen:
                raise InputError(
                    f"{term}: replay of {name} starts at {setting.first}; older releases are laid out otherwise.",
                    f"Name {setting.first} or a later one.",
                )
        found |= dict.fromkeys(Subject(engine=name, release=release) for release in chosen)
    return list(found)


def _unpublished(wanted: Requirement, releases: Sequence[str]) -> InputError:
    """No release is what the user asks for: tells those next to it."""
    what = f"{wanted.name} has no release {str(wanted.specifier).removeprefix('==')}."
    asked = [_version(one.version) for one in wanted.specifier]
    below = [one for one in releases if asked[0] is None or Version(one) < asked[0]]
    above = [one for one in releases if one not in below]
    if not above:
        return InputError(what, f"The newest is {releases[-1]}.")
    return InputError(what, f"Next to it are {' and '.join([*below[-1:], above[0]])}.")


def _version(text: str) -> Version | None:
    try:
        return Version(text.removesuffix(".*"))
    except ValueError:
        return None


def recipe(subject: Subject, requires: Sequence[str]) -> Recipe:
    """The recipe of an engine release; FlashInfer's release and torch are filled in as in every recipe.

    Args:
        subject: the engine release.
        requires: requirements in the engine's own metadata.
    """
    setting = load(subject.engine)
    needs = toml.load(recipes.BUILT_IN)["needs"]
    pinned = {canonicalize_name(package.name) for package in setting.pins}
    pins = [line for line in requires if _name(line) in pinned and "extra" not in line.partition(";")[2]]
    distribution = config.load(subject.engine).distribution
    return Recipe(
        name=subject.name,
        why=f"{subject.engine} {subject.release} without its dependencies, so that its own code is called",
        base=("{torch}", *needs, *(package.name for package in setting.packages)),
        layer_requires=tuple(pins),
        layer=(f"{distribution}=={subject.release}",),
        exact=("flashinfer-python=={release}",),
        engine=f"{subject.engine}=={subject.release}",
    )


def _name(line: str) -> str:
    found = re.match(r"[\w.-]+", line)
    return canonicalize_name(found[0]) if found else ""


def metadata(subject: Subject) -> list[str]:
    """The requirements in an engine release's metadata, read from its wheel without installing it.

    Raises:
        InputError: there is no such release.
        NetworkError: the index was not reached.
    """
    from matrix.releases.index import Index
    from matrix.releases.store import Store
    from matrix.releases.wheel import open_file

    store, key = Store(), f"{subject.engine}/{subject.release}"
    kept = store.read("engine-metadata", key)
    if kept is None:
        published = Index().release(config.load(subject.engine).distribution, subject.release)
        with open_file(published.best) as tree:
            name = next(name for name in tree.members() if name.endswith(".dist-info/METADATA"))
            kept = tree.read([name])[name]
        store.write("engine-metadata", key, kept)
    head = kept.decode("utf-8", "replace").partition("\n\n")[0]
    return re.findall(r"^Requires-Dist: (.*)$", head, re.MULTILINE)


def pin(subject: Subject) -> str:
    """The release of FlashInfer that an engine release pins, or an empty text."""
    names = {"flashinfer-python", "flashinfer"}
    for line in metadata(subject):
        if _name(line) in names and "==" in line:
            return next(one.version for one in Requirement(line).specifier if one.operator == "==")
    return ""
