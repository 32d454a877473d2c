"""List and count the cells of the matrix, the axes and their values, and what means nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matrix.cli import options

if TYPE_CHECKING:
    import argparse

HELP = "list and count the cells that a selection names"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `cells`."""
    parser.epilog = (
        "examples:\n  kernel-matrix cells --count\n  kernel-matrix cells 'activation=relu2 and profile=nemotron-*'\n"
        "  kernel-matrix cells --axes"
    )
    options.add_question(parser)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--count", action="store_true", help="counts and coverage only")
    what.add_argument("--axes", action="store_true", help="the axes, their values, and the rules")
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print cell ids, one a line, and the counts on standard error."""
    import sys

    from matrix.cells.axes import RULES, load
    from matrix.environments.fingerprint import gpus

    axes = load()
    if arguments.axes:
        if arguments.json:
            options.print_json({"axes": axes.values, "rules": [rule.why for rule in RULES]})
            return 0
        for axis, values in axes.values.items():
            print(f"{axis:10}  {', '.join(values)}")
        print("means nothing:")
        for rule in RULES:
            print(f"  {' x '.join(rule.axes)}: {rule.why}")
        return 0
    plan = options.plan(arguments, gpu=bool(gpus()))
    coverage = plan.document["coverage"]
    if arguments.json:
        options.print_json({"coverage": coverage, "cells": plan.document["cells"]})
        return 0
    if not arguments.count:
        for cell in plan.cells:
            print(cell.id)
    size = (
        "every combination"
        if coverage["strength"] == "all"
        else f"combinations of {coverage['strength']} axes"
    )
    print(
        f"{len(plan.cells)} cells in {len(plan.environments)} environments; {coverage['points']} points cover "
        f"{coverage['covered']} of {coverage['tuples']} {size}; {coverage['must']} must-cells",
        file=sys.stdout if arguments.count else sys.stderr,
    )
    return 0
