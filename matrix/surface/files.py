"""Which files of a wheel, sdist or folder are importable modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["NOT_PACKAGES", "python_files"]

VENDORED = ("flashinfer/data/", "build_backend.py", "build_utils.py")
"""What FlashInfer's wheel carries and nobody imports: sources of other projects, and its build scripts."""
NOT_PACKAGES = {"tests", "test", "benchmarks", "benchmark", "docs", "examples", "scripts", "build", "dist"}


def python_files(members: Iterable[str]) -> dict[str, str]:
    """Files that are importable modules, with their dotted names.

    An installed tree has them at its top; a source tree has packages among tests and scripts, and only
    folders with an `__init__.py` at the top, or under `src`, count.
    """
    files = [name for name in members if name.endswith(".py") and not name.startswith(VENDORED)]
    installed = any(".dist-info/" in name for name in members)
    if not installed:
        prefix = "src/" if any(name.count("/") == 2 and name.startswith("src/") for name in files) else ""
        tops = {
            name.split("/")[prefix.count("/")]
            for name in files
            if name.startswith(prefix)
            and name.count("/") == prefix.count("/") + 1
            and name.endswith("/__init__.py")
        } - NOT_PACKAGES
        tops = {"flashinfer"} if "flashinfer" in tops else tops
        files = [f for f in files if f.startswith(prefix) and f.split("/")[prefix.count("/")] in tops]
    else:
        prefix = ""
    found = {}
    for file in sorted(files):
        parts = file[len(prefix) : -len(".py")].split("/")
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if parts and all(part.isidentifier() for part in parts):
            found[file] = ".".join(parts)
    return found
