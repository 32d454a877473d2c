"""`kernel-matrix report DIR`: the report of a run folder, written anew."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from matrix.cli import options

if TYPE_CHECKING:
    import argparse

HELP = "write the report of a run folder: JSON, Markdown, HTML, JUnit, badge"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = (
        "example: kernel-matrix report .kernel-matrix/runs/today --against .kernel-matrix/runs/yesterday"
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="a run folder")
    parser.add_argument(
        "--against",
        type=Path,
        metavar="DIR",
        help="an earlier run folder, or its report.json: say what changed",
    )
    options.add(parser, "--expectations")
    options.add_declared(parser)
    options.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Write the files, print the first screen, and answer with the report's exit code."""
    from matrix.report import declared, document, write

    declared.ensure(args.folder, args.declared, options.reading)
    report = write(args.folder, args.expectations, against=args.against)
    if args.json:
        print(document.render(report), end="")
    lines = report.summary_lines()
    print("\n".join([*lines, f"Written to {args.folder}."]), file=sys.stderr if args.json else sys.stdout)
    return int(report.exit_code)
