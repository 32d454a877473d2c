"""Everything of a release that its selection code is made of: sources and what they include, as one digest."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)
_DEFINITION = re.compile(r"-D(\S+)")
_FOLDER = re.compile(r"-(?:I|isystem )\s*(/[^\s$]+)")


def include_folders(ninja: str, roots: Sequence[Path]) -> list[Path]:
    """The folders that a build file has headers looked up in, as far as they lie below one of the roots."""
    folders = dict.fromkeys(Path(found) for found in _FOLDER.findall(ninja))
    return [folder for folder in folders if any(folder.is_relative_to(root) for root in roots)]


def definitions(ninja: str) -> list[str]:
    """The macros that a build file defines."""
    return sorted(set(_DEFINITION.findall(ninja)))


def digest(sources: Iterable[Path], folders: Sequence[Path], roots: Sequence[Path]) -> str:
    """A digest over sources and all that they include from the folders, whatever the preprocessor would leave out.

    Args:
        sources: where to start.
        folders: where headers are looked up, beside the file that includes them.
        roots: files are named relative to these, so that where they lie makes no difference.
    """
    contents: dict[Path, bytes] = {}
    left = list(sources)
    while left:
        path = left.pop()
        if path in contents:
            continue
        contents[path] = path.read_bytes()
        for name in _INCLUDE.findall(contents[path].decode("utf-8", "replace")):
            found = next(
                (folder / name for folder in (path.parent, *folders) if (folder / name).is_file()), None
            )
            if found is not None:
                left.append(found)
    told = sorted((_name(path, roots), sha256(data).hexdigest()) for path, data in contents.items())
    return sha256(repr(told).encode()).hexdigest()


def _name(path: Path, roots: Sequence[Path]) -> str:
    for root in roots:
        if path.is_relative_to(root):
            return path.relative_to(root).as_posix()
    return path.name
