"""Show when a symbol, its parameters, defaults and enum values came, moved and went, in ranges of releases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matrix.cli import options

if TYPE_CHECKING:
    import argparse

HELP = "show when a symbol, its parameters, defaults and enum values came and went"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `history`."""
    parser.epilog = (
        "examples:\n  kernel-matrix history flashinfer.fused_moe.trtllm_bf16_moe\n"
        "  kernel-matrix history flashinfer.fused_moe.RoutingMethodType --since 0.6.0 --pre"
    )
    parser.add_argument(
        "symbol", metavar="SYMBOL", help="an import path: function, class, enum, method or module"
    )
    parser.add_argument(
        "--since", metavar="R", default="0.4.0", help="the oldest release (default: %(default)s)"
    )
    options.add(parser, "--pre")
    parser.add_argument(
        "--with",
        action="append",
        default=[],
        dest="more",
        metavar="R",
        help="a wheel file or folder of sources after the newest release; repeatable",
    )
    form = parser.add_mutually_exclusive_group()
    options.add(form, "--markdown")
    options.add_json(form)


def run(arguments: argparse.Namespace) -> int:
    """Print the history."""
    from packaging.version import InvalidVersion, Version

    from matrix.cli.surface import check_alike, check_symbol, library
    from matrix.errors import InputError
    from matrix.surface.history import history

    books = library()
    try:
        oldest = Version(arguments.since)
    except InvalidVersion as error:
        raise InputError(f"--since: {error}.", "Give a version, such as 0.6.0.") from error
    published = books.published(pre=arguments.pre)
    versions = [one for one in published if Version(one) >= oldest]
    if not versions and not arguments.more:
        raise InputError(
            f"there is no release since {oldest}.",
            f"The newest is {published[-1]}{'' if arguments.pre else '; --pre takes in pre-releases'}.",
        )
    surfaces = books.many([*versions, *arguments.more])
    check_alike(surfaces)
    check_symbol(arguments.symbol, surfaces)
    found = history(surfaces, arguments.symbol)
    if arguments.json:
        options.print_json(found.to_json())
    else:
        print(found.markdown() if arguments.markdown else "\n".join(found.lines()))
    return 0
