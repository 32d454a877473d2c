"""Names of FlashInfer that some part of the engine sets: what a release has there is not what is met."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from matrix.engines.reading.patches import ANY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from matrix.engines.reading.file import FileFacts
    from matrix.engines.uses import Use

__all__ = ["doubted"]


def doubted(uses: Iterable[Use], facts: Mapping[str, FileFacts]) -> list[Use]:
    """The uses of a file, those in doubt that other code may have set before.

    Args:
        uses: of a file.
        facts: what is known of all files, by name.
    """
    places: dict[str, list[tuple[str, str, int]]] = {}
    for name, found in facts.items():
        for path, scope, line in found.sets:
            places.setdefault(path, []).append((name, scope, line))
    if not places:
        return list(uses)
    return [replace(use, doubt=_why(places, use) or use.doubt) for use in uses]


def _why(places: Mapping[str, list[tuple[str, str, int]]], use: Use) -> str:
    """Why a name may be what other code sets; what its own function sets, and when, was seen on reading it."""
    parts = use.symbol.replace("()", "").split(".")
    for end in range(2, len(parts) + 1):
        path, package = ".".join(parts[:end]), ".".join(parts[: end - 1])
        for name, scope, line in (*places.get(path, ()), *places.get(f"{package}.{ANY}", ())):
            if use.doubt or (name, scope) != (use.file, use.scope):
                return f"`{path}` may be what the engine sets in {name}:{line}"
    return ""
