"""Go on with a run that was interrupted: cells that have their verdict are not run again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from matrix.cli import options
from matrix.cli.run import add_execution, conclude

if TYPE_CHECKING:
    import argparse

HELP = "go on with a run that was interrupted"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `resume`."""
    parser.epilog = "example:\n  kernel-matrix resume .kernel-matrix/runs/2026-11-24T12-00-00"
    parser.add_argument("run_folder", type=Path, metavar="DIR", help="folder of the run")
    add_execution(parser)
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Execute what is left; returns the exit code of the report."""
    from matrix.run import session

    plan = session.read_plan(arguments.run_folder)
    session.check(plan, arguments.wheels, arguments.expectations)
    return conclude(plan, arguments.run_folder, arguments)
