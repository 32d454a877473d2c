"""Print the API surface of one release: functions with their signatures, classes, enums, import paths.

A release is a version, `project==version`, a wheel file, an sdist or a folder of sources.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from matrix.cli import options

if TYPE_CHECKING:
    import argparse

    from matrix.surface.library import Library

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

    from matrix.surface.signatures import shown_signature

    surface = library().get(arguments.release)
    document = surface.to_json(private=arguments.private)
    if arguments.match:
        paths = {p: q for p, q in document["paths"].items() if fnmatch.fnmatchcase(p, arguments.match)}
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
    for path, qualname in sorted(document["paths"].items()):
        if qualname in document["functions"]:
            print(shown_signature(path, document["functions"][qualname]))
        elif qualname in document["enums"]:
            members = ", ".join(f"{name}={value}" for name, value in document["enums"][qualname].items())
            print(f"{path}  enum: {members}")
        else:
            print(f"{path}  class")
    return 0


def library() -> Library:
    """The surfaces that are kept and can be read, with progress on standard error."""
    import sys

    from matrix.surface.library import Library

    return Library(report=lambda line: print(f"reading {line}", file=sys.stderr))
