"""Build one environment into a virtual environment that is already there, and lay out a run folder for pytest.

This is what a nox session or a CI job needs before `pytest -p matrix.run.plugin tests/gpu`: the plan of one
environment, its known verdicts, and FlashInfer installed from the same recipes that `run` uses.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from matrix.cli import options

if TYPE_CHECKING:
    import argparse

HELP = "build one environment and lay out a run folder for pytest"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `prepare`."""
    parser.epilog = (
        "example:\n  kernel-matrix prepare --releases 0.6.14 --environment lean --prefix .venv-0.6.14 --out run\n"
        "  KERNEL_MATRIX_RUN=run .venv-0.6.14/bin/python -m pytest -p matrix.run.plugin tests/gpu"
    )
    options.add_question(parser)
    parser.add_argument("--prefix", type=Path, required=True, metavar="DIR", help="the virtual environment")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the run folder to lay out")
    options.add(parser, "--wheels")
    parser.add_argument("--expectations", type=Path, metavar="FILE", help="known verdicts")
    parser.add_argument(
        "--allow-empty",
        action="store_true",
        help="no error, and no folder, where the selection matches no cell",
    )


def run(arguments: argparse.Namespace) -> int:
    """Build and lay out; prints the environment's id.

    Where the environment cannot be built, the run folder says so of its cells, for the report to show.
    """
    from datetime import datetime, timezone

    from matrix import expectations
    from matrix.environments.build import build
    from matrix.environments.fingerprint import gpus
    from matrix.environments.installer import Installer
    from matrix.errors import EmptySelectionError, EnvironmentBuildError, InputError
    from matrix.expectations.known import known
    from matrix.run import session
    from matrix.run.journal import Journal
    from matrix.verdicts import Verdict

    machine = gpus()
    try:
        plan = options.plan(arguments, gpu=bool(machine), check=not arguments.wheels)
    except EmptySelectionError as error:
        if not arguments.allow_empty:
            raise
        print(error.what)
        return 0
    if len(plan.environments) != 1:
        names = ", ".join(environment.id for environment in plan.environments)
        raise InputError(
            f"one environment can be prepared at a time, not {names}.", "Name one release and one."
        )
    environment = plan.environments[0]
    if not (arguments.prefix / "bin" / "python").exists():
        raise InputError(
            f"{arguments.prefix} is no virtual environment.",
            f"Make it first: python{environment.python} -m venv {arguments.prefix}",
        )
    installer = Installer.find(arguments.wheels)
    entries = expectations.load(arguments.expectations)
    capability = machine[0].compute_capability if machine else ""
    today = datetime.now(timezone.utc).date()
    plan.document["known"] = known(entries, plan.cells, capability, today)
    folder = session.create(plan, arguments.out)
    journal = Journal(path=folder / "journal.jsonl")
    try:
        built = build(environment, installer, arguments.prefix.absolute())
    except EnvironmentBuildError as error:
        verdict = Verdict.INSTALL_ERROR.value
        journal.write(
            "environment", id=environment.id, verdict=verdict, reason=error.what, remedy=error.remedy
        )
        raise
    journal.write("environment", **built.record(machine))
    print(f"{built.environment.id}: {'reused' if built.reused else 'built'} in {built.seconds:.1f} s")
    return 0
