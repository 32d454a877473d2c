"""Install the releases, each in its own environment, answer every cell of the matrix, and write a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from matrix.cli import options

if TYPE_CHECKING:
    import argparse

HELP = "install the releases, answer every cell, write a report"
EPILOG = """\
examples:
  kernel-matrix run                                        the window, in the environments of this machine
  kernel-matrix run 'activation=relu2 and role=draft'      the cells of the MTP draft of Nemotron-H and its kin
  kernel-matrix run --releases '>=0.6.8,<0.7' --environment full
  kernel-matrix run --replay sglang==0.5.12                with SGLang's own code called on each release
  kernel-matrix run --environment inherit --wheels wheels/ on the torch that is here, without network
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `run`."""
    parser.epilog = EPILOG
    options.add_question(parser)
    parser.add_argument(
        "--replay",
        action="append",
        metavar="ENGINE==V",
        help="call this engine release's own code on each release as well, such as sglang==0.5.12; repeatable",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="run folder (default: .kernel-matrix/runs/<date>)"
    )
    add_execution(parser)
    options.add_json(parser)


def add_execution(parser: argparse.ArgumentParser, *, report: bool = True) -> None:
    """How to run, for `run`, `resume` and, without a report, `replay`."""
    parser.add_argument(
        "--jobs",
        type=options.positive(int),
        metavar="N",
        help="workers at a time (default: one a GPU or core)",
    )
    options.add(parser, "--timeout", "--wheels")
    if report:
        parser.add_argument(
            "--expectations",
            type=Path,
            metavar="FILE",
            help="known verdicts (default: ci/expectations.toml here, else the built-in file)",
        )
        options.add_declared(parser)


def run(arguments: argparse.Namespace) -> int:
    """Plan, execute, report; returns the exit code of the report."""
    from matrix.environments.fingerprint import gpus
    from matrix.run import session

    plan = options.plan(arguments, gpu=bool(gpus()), check=not arguments.wheels)
    session.check(plan, arguments.wheels, arguments.expectations)
    folder = session.create(plan, arguments.out)
    return conclude(plan, folder, arguments)


def conclude(plan: object, folder: Path, arguments: argparse.Namespace) -> int:
    """Execute what is left of a plan and report, also where the user interrupts it."""
    import sys

    from matrix.environments.fingerprint import gpus
    from matrix.errors import Exit
    from matrix.run import session
    from matrix.run.plan import Plan
    from matrix.run.supervisor import Options

    assert isinstance(plan, Plan)
    how = Options(jobs=session.jobs(gpus(), arguments.jobs), timeout=arguments.timeout)
    interrupted = False
    try:
        try:
            session.execute(plan, folder, how, arguments.wheels)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            report = session.finish(folder, arguments.expectations)
        if not interrupted:
            level = "none" if arguments.wheels else arguments.declared
            anew = session.add_declared(folder, level, arguments.expectations, options.reading)
            report = anew or report
    except KeyboardInterrupt:
        interrupted = True
    except OSError as error:
        error.filename = error.filename or folder  # a write that fails does not say where
        raise
    if arguments.json:
        print((folder / "report.json").read_text(encoding="utf-8"))
    for line in report.summary_lines():
        print(line, file=sys.stderr if arguments.json else sys.stdout)
    print(f"report: {folder}/report.html", file=sys.stderr if arguments.json else sys.stdout)
    if interrupted:
        print(f"interrupted; go on with: kernel-matrix resume {folder}", file=sys.stderr)
        return Exit.INTERRUPTED
    return report.exit_code
