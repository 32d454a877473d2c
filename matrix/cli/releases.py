"""List the releases of FlashInfer: those of the window with their reasons, or those that a term names."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from matrix.cli import options

if TYPE_CHECKING:
    import argparse

HELP = "list the releases that a run covers, with the reason of each"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `releases`."""
    parser.epilog = "examples:\n  kernel-matrix releases\n  kernel-matrix releases --releases '>=0.6.8,<0.7'"
    options.add_releases(parser)
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print them, oldest first."""
    window, chosen = options.releases(arguments, check=True)
    if arguments.json:
        document = {"distribution": window.distribution, "releases": [asdict(release) for release in chosen]}
        options.print_json(document)
        return 0
    width = max(len(release.version) for release in chosen)
    for release in chosen:
        print(f"{release.version:{width}}  {release.reason}")
    return 0
