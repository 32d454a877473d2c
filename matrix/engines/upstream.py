"""A tree of FlashInfer's maintainers beside the published release that it is nearest to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from matrix.releases.wheel import open_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matrix.engines.table import Row

_PLACES = {
    r"(?:.*/)?flashinfer_python-[^/]*/METADATA": rb"^Version:\s*(\S+)",
    r"(?:.*/)?flashinfer/_build_meta\.py": rb"^__version__\s*=\s*[\"']([^\"']+)",
    r"(?:.*/)?version\.txt": rb"^\s*(\S+)",
}
"""Where a tree tells its version, and how."""


def fresh(row: Row, name: str, before: str = "") -> tuple[list[int], list[int]]:
    """The breaks and the doubts of a cell that another one does not have.

    Args:
        row: an engine release.
        name: the FlashInfer release or tree in question.
        before: the release to compare with; the engine's own pin where empty.
    """
    cell, other = row.cells[name], row.cells.get(before or row.pin)
    known = (set(other.alarms), set(other.doubts)) if other else (set[int](), set[int]())
    return [one for one in cell.alarms if one not in known[0]], [
        one for one in cell.doubts if one not in known[1]
    ]


def nearest(tree: str, published: Sequence[str]) -> str:
    """The published release to compare a tree with: the newest at or below its own version; empty if unknown.

    A published release itself is compared with the one before it.
    """
    if tree in published:
        below = [name for name in published if Version(name) < Version(tree)]
        return below[-1] if below else ""
    try:
        own = Version(version_of(tree))
    except InvalidVersion:
        return ""
    below = [name for name in published if Version(name) <= own]
    return below[-1] if below else ""


def version_of(path: str) -> str:
    """The version that a wheel or checkout of FlashInfer gives itself; empty where it does not."""
    with open_path(Path(path).expanduser()) as tree:
        for place, pattern in _PLACES.items():
            names = sorted((name for name in tree.members() if re.fullmatch(place, name)), key=len)
            for content in tree.read(names[:1]).values():
                if found := re.search(pattern, content, re.MULTILINE):
                    return found[1].decode()
    return ""
