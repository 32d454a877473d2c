"""Which FlashInfer releases each published release of an engine can live with, read from the wheels of both.

With `--against` the other way round: which published engine releases a wheel or checkout of FlashInfer would break.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from matrix.cli import options

if TYPE_CHECKING:
    import argparse

HELP = "show which FlashInfer releases each engine release can live with"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `engines`."""
    parser.epilog = (
        "examples:\n  kernel-matrix engines sglang\n  kernel-matrix engines vllm --releases '>=0.30'\n"
        "  kernel-matrix engines --against ./flashinfer\n\n"
        "exit code: with --against 1 where something breaks that works on the published release nearest to the tree\n"
        "(the newest at or below its version; where that is not known, on an engine's own pin), else 0"
    )
    parser.add_argument("engine", nargs="?", metavar="ENGINE", help="sglang or vllm (default: both)")
    parser.add_argument(
        "--releases",
        metavar="SPEC",
        default="",
        help="only these engine releases: versions, a specifier, or latest",
    )
    parser.add_argument(
        "--flashinfer",
        metavar="SPEC",
        default=">=0.5.0",
        help="the same for FlashInfer (default: >=0.5.0)",
    )
    parser.add_argument(
        "--against", metavar="PATH_OR_WHEEL", help="a checkout, wheel or release of FlashInfer"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="print Markdown, in ranges")
    options.add_json(form)


def run(arguments: argparse.Namespace) -> int:
    """Print the table."""
    import sys
    from concurrent.futures import ThreadPoolExecutor

    from matrix.cli.surface import library
    from matrix.engines import config, table, tabulate, upstream
    from matrix.engines.shelf import Shelf
    from matrix.errors import Exit
    from matrix.processes import end_processes, unheard

    surfaces = library()
    shelf = Shelf(surfaces, report=lambda line: print(f"reading {line}", file=sys.stderr))
    names = [arguments.engine] if arguments.engine else config.engine_names()
    before = ""
    if arguments.against is not None:
        surfaces.get(arguments.against)  # what is not there is told before anything else is read
        before = upstream.nearest(arguments.against, surfaces.published())
    documents, code = [], Exit.AS_EXPECTED
    for name in names:
        engine = config.load(name)
        versions = _within(shelf.versions(engine), arguments.releases, name)
        columns = (
            [] if arguments.against else _within(surfaces.published(), arguments.flashinfer, "FlashInfer")
        )
        # both sides take a while to read, and neither needs the other
        with ThreadPoolExecutor(1, initializer=unheard) as aside:
            reading = aside.submit(surfaces.many, columns)
            try:
                releases = shelf.published(engine, versions)
                reading.result()
            except KeyboardInterrupt:
                surfaces.report = _give_up
                end_processes()
                raise
        if arguments.against:
            pins = {release.pins.exact for release in releases}
            wanted = pins | {before}
            columns = [version for version in surfaces.published() if version in wanted] + [arguments.against]
            rows = table.build(engine, releases, list(dict.fromkeys(columns)), surfaces)
            if any(upstream.fresh(row, arguments.against, before)[0] for row in rows):
                code = Exit.UNEXPECTED
            shown = tabulate.against(name, rows, arguments.against, before)
        else:
            rows = table.build(engine, releases, columns, surfaces)
            shown = (tabulate.markdown if arguments.markdown else tabulate.text)(name, rows)
        document = tabulate.block(name, rows)
        if arguments.against:
            document["against"] = tabulate.against_block(rows, arguments.against, before)
        documents.append(document)
        if not arguments.json:
            print(shown)
    if arguments.json:
        options.print_json(documents[0] if arguments.engine else {"engines": documents})
    return code


def _give_up(_: str) -> None:
    """In place of the report of progress: ends the thread that reads on after an interrupt."""
    raise KeyboardInterrupt


def _within(versions: list[str], specifier: str, what: str) -> list[str]:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    from matrix.errors import InputError, unknown

    if specifier == "latest":
        return versions[-1:]
    named = [name.strip() for name in specifier.split(",")]
    if set(named) <= set(versions):
        return [version for version in versions if version in named]
    try:
        wanted = SpecifierSet(specifier)
    except InvalidSpecifier as error:
        if named[0][:1].isdigit():
            raise unknown("release", specifier, versions, what) from error
        raise InputError(
            f"{specifier} is neither a version nor a specifier.",
            "Write versions as 0.6.8,0.6.14, a specifier as '>=0.6.8,<0.7', or latest.",
        ) from error
    found = [version for version in versions if version in wanted]
    if not found:
        raise unknown("release", specifier, versions, what)
    return found
