"""The command line: one thin module a command, loaded only when it is asked for."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

from matrix import __version__
from matrix.errors import Exit, KernelMatrixError

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = {
    "run": "run",
    "resume": "resume",
    "report": "report",
    "merge": "merge",
    "expect": "expect",
    "replay": "replay",
    "releases": "releases",
    "cells": "cells",
    "plan": "plan",
    "prepare": "prepare",
    "surface": "surface",
    "diff": "diff",
    "bisect": "bisect",
    "history": "history",
    "engines": "engines",
    "check-consumer": "check_consumer",
    "kernels": "kernels",
    "doctor": "doctor",
}
DESCRIPTION = """\
Which FlashInfer releases are safe for an LLM inference engine's kernels: why not, since when, what to do.

Start with `kernel-matrix run`: it installs the releases of the window, each in its own environment, asks every
cell of the matrix, and writes a report. `kernel-matrix COMMAND --help` explains each command with an example.
"""
EPILOG = """\
exit codes: 0 as expected; 1 an unexpected verdict or a broken call; 2 bad input, or the tool's own environment;
3 planned cells without a result; 130 interrupted
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. No error of the user's making shows a traceback."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    signal.signal(
        signal.SIGTERM, signal.default_int_handler
    )  # a cancelled job leaves a report as Ctrl-C does
    try:
        parsed = _parser(arguments).parse_args(arguments)
        return int(parsed.run(parsed))
    except KernelMatrixError as error:
        print(f"kernel-matrix: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("kernel-matrix: interrupted.", file=sys.stderr)
        return Exit.INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.AS_EXPECTED
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        print(f"kernel-matrix: {error.strerror or error}{where}.\n  {_remedy(error)}", file=sys.stderr)
        return Exit.BAD_INPUT


def program() -> None:
    """The console script: leaves at once where it was interrupted, for an installer may still be at work."""
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    if status == Exit.INTERRUPTED:
        os._exit(status)
    sys.exit(status)


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kernel-matrix",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"kernel-matrix {__version__}")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")
    first = next((word for word in arguments if not word.startswith("-")), "")
    for command in [first] if first in COMMANDS else COMMANDS:
        module: Any = importlib.import_module(f"matrix.cli.{COMMANDS[command]}")
        subparser = subparsers.add_parser(
            command,
            help=module.HELP,
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(subparser)
        subparser.set_defaults(run=module.run)
    return parser


def _remedy(error: OSError) -> str:
    import errno

    if error.errno == errno.ENOSPC:
        return (
            "The disk is full: free some space; what was measured is kept, go on with `kernel-matrix resume`."
        )
    return "Check that the path exists and may be written."
