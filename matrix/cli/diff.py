"""Show what broke between two releases of FlashInfer, from what their wheels declare: nothing is installed.

A release is a version, `project==version`, a wheel file, an sdist or a folder of sources, so that a change can be
judged before it is released.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from matrix.cli import options

if TYPE_CHECKING:
    import argparse

HELP = "show what broke between two releases, with a call that shows it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `diff`."""
    parser.epilog = (
        "examples:\n  kernel-matrix diff 0.6.5 0.6.8 --symbol flashinfer.fused_moe.trtllm_bf16_moe\n"
        "  kernel-matrix diff 0.6.18.post1 ./flashinfer --markdown\n\n"
        "exit code: 1 where a call or import that worked breaks or silently means something else, else 0"
    )
    parser.add_argument("old", metavar="A", help="the release that callers were written for")
    parser.add_argument("new", metavar="B", help="the release that they meet")
    parser.add_argument("--symbol", metavar="S", help="only this function, class, enum or module")
    parser.add_argument("--all", action="store_true", help="also notes, long paths and incidental imports")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="print Markdown for a pull request")
    options.add_json(form)


def run(arguments: argparse.Namespace) -> int:
    """Print the findings, worst first."""
    from matrix.cli.surface import library
    from matrix.cubins import changes
    from matrix.errors import Exit
    from matrix.surface.classes import Severity
    from matrix.surface.diff import diff
    from matrix.surface.report import markdown, text

    old, new = library().many([arguments.old, arguments.new])
    findings = diff(old, new, symbol=arguments.symbol)
    kernels = changes.between(old.release, new.release)
    told = [] if arguments.symbol and "trtllm_bf16" not in arguments.symbol else kernels.lines()
    everything = arguments.all or bool(arguments.symbol)
    if arguments.json:
        rows = [one.to_json() for one in findings]
        options.print_json(
            {"from": old.release, "to": new.release, "findings": rows, "kernels": kernels.to_json()}
        )
    elif arguments.markdown:
        print(markdown(old.release, new.release, findings, deep=everything, notes=everything), end="")
        if told:
            print("\n**GPU kernels**\n\n" + "\n".join(f"- {line}" for line in told))
    else:
        lines = text(old.release, new.release, findings, deep=everything, notes=everything)
        print("\n".join([*lines, *(["", "GPU kernels"] if told else []), *(f"  {line}" for line in told)]))
    broken = any(one.kind.severity in {Severity.BREAKING, Severity.SILENT} for one in findings)
    return Exit.UNEXPECTED if broken else Exit.AS_EXPECTED
