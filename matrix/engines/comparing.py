"""How a release compares with what an engine names."""

from __future__ import annotations

from typing import Any

from packaging.version import InvalidVersion, Version

__all__ = ["compare", "compare_number"]


def compare(release: str, sign: str, limit: str, *steps: str) -> bool | None:
    """Whether a release compares so; None where that is not known.

    Args:
        release: its version.
        sign: `<` and so on, or `starts`.
        limit: what it is compared with.
        steps: what is made of the release before, see `conditions`.
    """
    try:
        if not release or ("loose" in steps and Version(release).is_prerelease):
            return None
        for step in steps:
            if step == "base":
                release = Version(release).base_version
            elif step not in {"text", "loose"}:
                release = release.partition(step)[0]
        if sign == "starts":
            return release.startswith(limit)
        if "text" in steps:
            return _holds(release, sign, limit)
        return _holds(Version(release), sign, Version(limit))
    except InvalidVersion:
        return None


def compare_number(release: str, index: int, sign: str, limit: int) -> bool | None:
    """Whether one of a release's numbers compares so; None where that is not known."""
    try:
        numbers = (*Version(release).release, 0, 0, 0)
    except InvalidVersion:
        return None
    return _holds(numbers[index], sign, limit)


def _holds(have: Any, sign: str, want: Any) -> bool | None:
    return {
        "<": have < want,
        "<=": have <= want,
        ">": have > want,
        ">=": have >= want,
        "==": have == want,
        "!=": have != want,
    }.get(sign)
