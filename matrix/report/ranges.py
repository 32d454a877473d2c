"""Tested releases in order, and text for runs of neighbours among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NONE = "none"


def ordered(releases: Iterable[str]) -> list[str]:
    """Each release once, oldest first; `none` and what is no version before all others."""
    return sorted(set(releases), key=_key)


def _key(release: str) -> tuple[bool, Version, str]:
    try:
        return True, Version(release), release
    except InvalidVersion:
        return False, Version("0"), release


def text(releases: Iterable[str], tested: Sequence[str]) -> str:
    """Releases as ranges over the tested ones: `0.5.3, 0.6.8.post1 … 0.6.14`."""
    return ", ".join(
        first if first == last else f"{first} … {last}" for first, last in runs(releases, tested)
    )


def runs(releases: Iterable[str], tested: Sequence[str]) -> list[tuple[str, str]]:
    """First and last of each run of releases that are neighbours among the tested ones."""
    wanted = set(releases)
    found: list[tuple[str, str]] = []
    open_run = False
    for release in tested:
        if release not in wanted:
            open_run = False
        elif open_run:
            found[-1] = (found[-1][0], release)
        else:
            found.append((release, release))
            open_run = True
    return found
