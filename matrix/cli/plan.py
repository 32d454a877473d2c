"""Show what a run would do, without installing anything: environments and cells, as data for a CI system."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from matrix.cli import options

if TYPE_CHECKING:
    import argparse

HELP = "show what a run would do, without installing anything"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `plan`."""
    parser.epilog = (
        "examples:\n  kernel-matrix plan\n"
        "  kernel-matrix plan --environment full --github   a matrix for GitHub Actions, one job an environment"
    )
    options.add_question(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--github", action="store_true", help="one line for a workflow's matrix: {include: [...]}"
    )
    options.add_json(form)


def run(arguments: argparse.Namespace) -> int:
    """Print the plan."""
    import json

    from matrix.environments.fingerprint import gpus

    plan = options.plan(arguments, gpu=bool(gpus()))
    if arguments.json:
        options.print_json(plan.document)
        return 0
    counts = Counter(cell.environment_id for cell in plan.cells)
    if arguments.github:
        include = [
            {
                "release": environment.release,
                "environment": environment.recipe.name,
                "python": environment.python,
                "slug": environment.id.replace("/", "-"),
                "cells": counts[environment.id],
            }
            for environment in plan.environments
        ]
        print(json.dumps({"include": include}))
        return 0
    for environment in plan.environments:
        print(
            f"{environment.id:22} python {environment.python:5} {environment.torch:16} "
            f"{counts[environment.id]:5} cells  {environment.recipe.why}"
        )
    print(f"{len(plan.cells)} cells in {len(plan.environments)} environments, plan {plan.document['hash']}")
    return 0
