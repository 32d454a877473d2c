"""Show what broke between two releases of FlashInfer, from what their wheels declare: nothing is installed.

A release is a version, `project==version`, a wheel file, an sdist or a folder of sources, so that a change can be
judged before it is released.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from matrix.cli import options

if TYPE_CHECKING:
    import argparse

    from matrix.surface.model import Surface

HELP = "show what broke between two releases, with a call that shows it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `diff`."""
    parser.epilog = (
        "examples:\n  kernel-matrix diff 0.6.5 0.6.8 --symbol flashinfer.fused_moe.trtllm_bf16_moe\n"
        "  kernel-matrix diff 0.6.18.post1 ./flashinfer --markdown\n\n"
        "exit code: 1 where a call or import that worked breaks or silently means something else, or where a file\n"
        "is no longer Python; else 0"
    )
    parser.add_argument("old", metavar="A", help="the release that callers were written for")
    parser.add_argument("new", metavar="B", help="the release that they meet")
    parser.add_argument("--symbol", metavar="S", help="only this function, class, enum or module")
    parser.add_argument("--all", action="store_true", help="also notes, long paths and incidental imports")
    form = parser.add_mutually_exclusive_group()
    options.add(form, "--markdown")
    options.add_json(form)


def run(arguments: argparse.Namespace) -> int:
    """Print the findings, worst first."""
    from matrix.cli.surface import check_alike, check_symbol, library
    from matrix.cubins import changes
    from matrix.errors import Exit
    from matrix.surface.classes import Severity
    from matrix.surface.diff import diff
    from matrix.surface.report import markdown, text

    old, new = library().many([arguments.old, arguments.new])
    check_alike([old, new])
    if arguments.symbol is not None:
        check_symbol(arguments.symbol, [old, new])
    findings = diff(old, new, symbol=arguments.symbol)
    unread = _unread(old, new)
    kernels = changes.between(old.release, new.release)
    told = [] if arguments.symbol and "trtllm_bf16" not in arguments.symbol else kernels.lines()
    everything = arguments.all or bool(arguments.symbol)
    if arguments.json:
        rows = [one.to_json() for one in findings]
        options.print_json(
            {
                "from": old.release,
                "to": new.release,
                "unread": [asdict(one) for one in unread],
                "findings": rows,
                "kernels": kernels.to_json(),
            }
        )
    elif arguments.markdown:
        for one in unread:
            print(f"**{one.text}**\n")
        print(markdown(old.release, new.release, findings, deep=everything, notes=everything), end="")
        if told:
            print("\n**GPU kernels**\n\n" + "\n".join(f"- {line}" for line in told))
    else:
        for one in unread:
            print(one.text)
        lines = text(old.release, new.release, findings, deep=everything, notes=everything)
        print("\n".join([*lines, *(["", "GPU kernels"] if told else []), *(f"  {line}" for line in told)]))
    broken = any(one.kind.severity in {Severity.BREAKING, Severity.SILENT} for one in findings)
    lost = any(one.worked and _concerns(one, arguments.symbol) for one in unread)
    return Exit.UNEXPECTED if broken or lost else Exit.AS_EXPECTED


@dataclass(frozen=True, kw_only=True)
class _Unread:
    """A file of one release that is not Python; `worked`: it is the new one, and the old one has it as Python."""

    release: str
    module: str
    file: str
    text: str
    worked: bool


def _unread(old: Surface, new: Surface) -> list[_Unread]:
    """The files that differ and are not Python in one of the releases."""
    from matrix.cli.surface import not_python

    found = []
    for surface, other in ((new, old), (old, new)):
        for module in surface.unread():
            there = module in other.modules
            if there and surface.digest(module) == other.digest(module):
                continue
            entry = surface.modules[module]
            found.append(
                _Unread(
                    release=surface.release,
                    module=module,
                    file=entry["file"],
                    text=not_python(entry) + ("" if surface is new else f" (in {old.release})"),
                    worked=surface is new and there and "error" not in old.modules[module],
                )
            )
    return found


def _concerns(one: _Unread, symbol: str | None) -> bool:
    return symbol is None or f"{symbol.replace(':', '.')}.".startswith(f"{one.module}.")
