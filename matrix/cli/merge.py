"""`kernel-matrix merge DIR...`: run folders of shards, environments and machines joined into one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from matrix.cli import options

if TYPE_CHECKING:
    import argparse

HELP = "join run folders of shards, environments and machines, and report on all of them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = "example: kernel-matrix merge shard-1 shard-2 h100 --out all"
    parser.add_argument(
        "runs", type=Path, nargs="+", metavar="DIR", help="a run folder, or one that holds only a plan"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to write")
    options.add(parser, "--expectations")
    options.add_declared(parser)
    options.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Write the joined run folder and its report, and answer with the report's exit code."""
    from matrix.report import declared, document, write
    from matrix.report.merge import merge

    merge(args.runs, args.out)
    declared.ensure(args.out, args.declared, options.reading)
    report = write(args.out, args.expectations)
    if args.json:
        print(document.render(report), end="")
    lines = report.summary_lines()
    print("\n".join([*lines, f"Written to {args.out}."]), file=sys.stderr if args.json else sys.stdout)
    return int(report.exit_code)
