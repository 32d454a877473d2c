"""Print the API surface of one release: functions with their signatures, classes, enums, import paths.

A release is a version, `project==version`, a wheel file, an sdist or a folder of sources.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from matrix.cli import options

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from matrix.surface.library import Library
    from matrix.surface.model import Entry, Surface

HELP = "print the API surface of one release, read from its wheel"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `surface`."""
    parser.epilog = (
        "examples:\n  kernel-matrix surface 0.6.14 --match 'flashinfer.fused_moe.*'\n"
        "  kernel-matrix surface ./flashinfer_python-0.7.2-py3-none-any.whl --json > surface.json"
    )
    parser.add_argument("release", metavar="R", help="version, project==version, wheel file, sdist or folder")
    parser.add_argument("--match", metavar="GLOB", help="only import paths that match")
    parser.add_argument("--private", action="store_true", help="also what has no public path (with --json)")
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the surface."""
    import fnmatch
    import sys

    from matrix.errors import InputError
    from matrix.surface.signatures import shown_signature

    surface = library().get(arguments.release)
    document = surface.to_json(private=arguments.private)
    if arguments.match:
        paths = {p: q for p, q in document["paths"].items() if fnmatch.fnmatchcase(p, arguments.match)}
        if not paths:
            raise InputError(
                f"no import path of {surface.release} matches '{arguments.match}'.",
                "A pattern is for the whole path, such as 'flashinfer.fused_moe.*' or '*.trtllm_bf16_moe'.",
            )
        wanted = set(paths.values())
        document["paths"] = paths
        for section in ("functions", "classes", "enums"):
            document[section] = {
                q: item
                for q, item in document[section].items()
                if q in wanted or q.rpartition(".")[0] in wanted
            }
    if arguments.json:
        options.print_json(document)
        return 0
    for entry in document["modules"].values():
        if "error" in entry:
            print(not_python(entry), file=sys.stderr)
    for path, qualname in sorted(document["paths"].items()):
        if qualname in document["functions"]:
            print(shown_signature(path, document["functions"][qualname]))
        elif qualname in document["enums"]:
            members = ", ".join(f"{name}={value}" for name, value in document["enums"][qualname].items())
            print(f"{path}  enum: {members}")
        else:
            print(f"{path}  class")
    return 0


def not_python(entry: Entry) -> str:
    """One line for a module's entry that has an `error`."""
    return f"{entry['file']} does not parse: {entry['error'].replace('<unknown>, ', '')}"


def check_alike(surfaces: Sequence[Surface]) -> None:
    """Refuse releases of which one has no package in common with the newest of the others.

    Raises:
        InputError: names both and their packages.
    """
    from matrix.errors import InputError

    first = surfaces[0]
    for other in surfaces[1:]:
        if not _packages(first) & _packages(other):
            each = "; ".join(
                f"{one.release} holds {', '.join(sorted(_packages(one))) or 'none'}" for one in (first, other)
            )
            raise InputError(
                f"{first.release} and {other.release} have no package in common: {each}.",
                "Name two releases of one project; `project==version` names one of another project.",
            )


def check_symbol(symbol: str, surfaces: Sequence[Surface]) -> None:
    """Refuse what cannot be an import path of any of the releases.

    Raises:
        InputError: says which packages there are.
    """
    from matrix.errors import InputError

    top = symbol.partition(":")[0].partition(".")[0]
    packages = sorted({name for surface in surfaces for name in _packages(surface)})
    named = symbol.rpartition(".")[2]
    if symbol.strip() and (top in packages or any(surface.named(named) for surface in surfaces)):
        return
    raise InputError(
        f"no package '{top}' in what was read, for '{symbol}'." if symbol.strip() else "the symbol is empty.",
        f"Give an import path that begins with {' or '.join(packages)}.",
    )


def _packages(surface: Surface) -> set[str]:
    """The importable names at a release's top, those aside that many projects have beside their package."""
    from matrix.surface.files import NOT_PACKAGES

    return {module for module in surface.modules if "." not in module} - NOT_PACKAGES


def library() -> Library:
    """The surfaces that are kept and can be read, with progress on standard error."""
    import sys

    from matrix.surface.library import Library

    return Library(report=lambda line: print(f"reading {line}", file=sys.stderr))
