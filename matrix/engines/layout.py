"""Where an engine's files lie in a wheel or checkout, and which of them count."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matrix.engines.config import Engine
    from matrix.releases.tree import Tree

__all__ = ["Layout", "find_root", "lay_out", "module_name"]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The files of an engine in a tree.

    Attributes:
        root: the folder that holds the engine's package, with a trailing slash; empty for the top.
        names: the Python files that run in production, as the tree names them.
        vendored: folders with copies of the provider, whose own imports of it mean the copy, and how many files
            each holds; those are not among the names.
    """

    root: str
    names: tuple[str, ...]
    vendored: dict[str, int]


def lay_out(tree: Tree, engine: Engine) -> Layout:
    """Find the files of an engine in a tree."""
    root = find_root(tree, engine)
    names = [name for name in tree.members() if name.endswith(".py") and name.startswith(root)]
    names = [name for name in names if not _left_out(name[len(root) :], engine)]
    copies = _copies(tree, root, engine)
    return Layout(
        root=root,
        names=tuple(name for name in names if not name.startswith(copies)),
        vendored={place: sum(name.startswith(place) for name in names) for place in copies},
    )


def find_root(tree: Tree, engine: Engine) -> str:
    """The folder inside a tree that holds the engine's package, with a trailing slash; empty for the top."""
    marker = f"{engine.package}/__init__.py"
    places = [name[: -len(marker)] for name in tree.members() if f"/{name}".endswith(f"/{marker}")]
    return min(places, key=lambda place: (place.count("/"), len(place)), default="")


def module_name(file: str) -> str:
    """The dotted name of a file, from its path below the root."""
    return file.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


def _left_out(name: str, engine: Engine) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in engine.leave_out)


def _copies(tree: Tree, root: str, engine: Engine) -> tuple[str, ...]:
    if engine.package == engine.provider:
        return ()
    marker = f"/{engine.provider}/__init__.py"
    found = set()
    for name in tree.members():
        inner = f"/{name[len(root) :]}"
        if name.startswith(root) and inner.endswith(marker):
            place = inner.removesuffix("/__init__.py")
            while place.rpartition("/")[0].endswith(f"/{engine.provider}"):
                place = place.rpartition("/")[0]
            found.add(f"{root}{place[1:]}/")
    return tuple(sorted(found))
