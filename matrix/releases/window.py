"""The releases that a run covers: the window, and what a user asks for instead of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from matrix import toml
from matrix.errors import InputError, unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

BUILT_IN = Path(__file__).with_name("window.toml")
IN_PROJECT = Path("ci/releases.toml")
SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Release:
    """One published version of FlashInfer, and why a run covers it."""

    version: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Window:
    """The releases of one window file, oldest first."""

    path: Path
    distribution: str
    releases: tuple[Release, ...]


def load(path: Path | None = None) -> Window:
    """Read a window file: the one named, else the working folder's `ci/releases.toml`, else the built-in one.

    Raises:
        InputError: not TOML, a key that does not exist, or a version that is none; names file and entry.
    """
    path = path or (IN_PROJECT if IN_PROJECT.is_file() else BUILT_IN)
    data = toml.load(path)
    for key in data.keys() - {"schema", "distribution", "release"}:
        raise unknown("key", key, ("schema", "distribution", "release"), str(path))
    if data.get("schema") != SCHEMA:
        raise InputError(
            f"{path}: schema is {data.get('schema')!r}, not {SCHEMA}.", f"Set schema = {SCHEMA}."
        )
    distribution = data.get("distribution", "flashinfer-python")
    if not isinstance(distribution, str):
        raise InputError(f"{path}: distribution is {distribution!r}, and must be text.", "Write its name.")
    entries = data.get("release")
    if not isinstance(entries, list) or not entries:
        raise InputError(f"{path}: no [[release]] entries.", "Add one with 'version' and 'reason' for each.")
    releases = [_release(entry, f"{path}, release {number}") for number, entry in enumerate(entries, 1)]
    versions = [Version(release.version) for release in releases]
    for version in versions:
        if versions.count(version) > 1:
            raise InputError(f"{path}: release {version} stands there twice.", "Remove one of the entries.")
    releases.sort(key=lambda release: Version(release.version))
    return Window(
        path=path,
        distribution=distribution,
        releases=tuple(releases),
    )


def _release(entry: object, where: str) -> Release:
    if not isinstance(entry, dict):
        raise InputError(f"{where}: not a table.", "Write [[release]] with 'version' and 'reason'.")
    for key in entry.keys() - {"version", "reason"}:
        raise unknown("key", key, ("version", "reason"), where)
    version, reason = entry.get("version"), entry.get("reason")
    if not isinstance(version, str) or not isinstance(reason, str) or not reason:
        raise InputError(
            f"{where}: 'version' and 'reason' must both be text.", "Say why the release is covered."
        )
    try:
        Version(version)
    except InvalidVersion as error:
        raise InputError(f"{where}: {error}.", "Write a version as the package index shows it.") from error
    return Release(version=version, reason=reason)


def select(terms: Iterable[str], window: Window, published: Callable[[], Sequence[str]]) -> list[Release]:
    """The releases that the terms of `--releases` name, oldest first, none twice.

    Args:
        terms: `window`, `latest`, `all`, versions and specifiers. A comma separates terms, except inside a
            specifier such as `>=0.6.8,<0.7`.
        window: gives the reasons, and the releases of the term `window`.
        published: asks the package index for every version; called once, and only where a term needs it.

    Raises:
        InputError: a term that names no release; names the nearest ones.
    """
    reasons = {release.version: release.reason for release in window.releases}
    chosen: dict[str, str] = {}
    published = cache(published)
    for term in _split(terms):
        for version in _versions(term, reasons, published):
            chosen[version] = reasons.get(version, f"asked for by '{term}'")
    if not chosen:
        raise InputError("no release was named.", "Give --releases window, a version or a specifier.")
    return [Release(version=version, reason=chosen[version]) for version in sorted(chosen, key=Version)]


def check(releases: Iterable[Release], window: Window, published: Sequence[str]) -> None:
    """See that the package index has the releases that come from a window file.

    Raises:
        InputError: it has one of them not; names file and line, and the nearest ones that it has.
    """
    listed = {release.version for release in window.releases}
    known = [Version(version) for version in published]
    for release in releases:
        if release.version in listed and Version(release.version) not in known:
            raise InputError(
                f"{_place(release.version, window.path)}: no index offers {window.distribution} {release.version}.",
                f"{_near(Version(release.version), published)} Correct the entry, or remove it if it was yanked.",
            )


def _place(version: str, path: Path) -> str:
    """File and line of a version."""
    lines = path.read_text(encoding="utf-8").splitlines()
    entries = (
        number
        for number, line in enumerate(lines, 1)
        if re.match(rf"\s*version\b.*{re.escape(version)}\b", line)
    )
    return f"{path}, line {next(entries, 1)}"


def _split(terms: Iterable[str]) -> list[str]:
    """Terms apart; neighbouring comma parts that are specifiers belong together."""
    parts: list[str] = []
    for term in terms:
        previous_is_specifier = False
        for part in filter(None, (piece.strip() for piece in term.split(","))):
            is_specifier = part[0] in "<>=!~"
            if is_specifier and previous_is_specifier:
                parts[-1] += f",{part}"
            else:
                parts.append(part)
            previous_is_specifier = is_specifier
    return parts


def _versions(term: str, window: dict[str, str], published: Callable[[], Sequence[str]]) -> list[str]:
    if term == "window":
        return list(window)
    if term == "all":
        return [version for version in published() if not Version(version).is_prerelease]
    if term == "latest":
        return [max((v for v in published() if not Version(v).is_prerelease), key=Version)]
    if term[0] in "<>=!~":
        try:
            specifier = SpecifierSet(term)
        except InvalidSpecifier as error:
            raise InputError(
                f"'{term}' is not a version specifier.", "Write one as in '>=0.6.8,<0.7'."
            ) from error
        matching = list(specifier.filter(published()))
        if not matching:
            raise InputError(f"no release matches '{term}'.", f"Published: {_ends(published())}.")
        return matching
    if term in window:
        return [term]
    known = published()
    try:
        wanted = Version(term)
    except InvalidVersion:
        raise unknown("release", term, [*known, "window", "latest", "all"]) from None
    for version in known:
        if Version(version) == wanted:
            return [version]
    raise InputError(f"unknown release '{term}'.", _near(wanted, known))


def _near(wanted: Version, known: Sequence[str]) -> str:
    older = sum(Version(version) < wanted for version in known)
    return f"Nearest published releases: {', '.join(known[max(0, older - 2) : older + 1])}."


def _ends(known: Sequence[str]) -> str:
    return f"{known[0]} to {known[-1]}" if known else "none"
