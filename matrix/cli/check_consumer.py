"""Judge every call of an engine, or of any other package, on one FlashInfer release, without installing either.

The package is a checkout, an unpacked folder, a wheel file or a requirement such as `sglang==0.5.12`; the release
is a version, a wheel file or a checkout of FlashInfer.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from matrix.cli import options

if TYPE_CHECKING:
    import argparse

HELP = "judge every call of a package into FlashInfer on one release"
_FORMATS = ("text", "json", "github", "markdown", "sarif")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `check-consumer`."""
    parser.epilog = (
        "examples:\n  kernel-matrix check-consumer sglang==0.5.12 --against 0.6.7.post3\n"
        "  kernel-matrix check-consumer ./sglang --against 0.7.2.post1 --format markdown\n\n"
        "exit code: 1 where something breaks that no baseline lets pass, else 0"
    )
    parser.add_argument(
        "package", metavar="PATH_OR_REQUIREMENT", help="checkout, folder, wheel, or NAME==VERSION"
    )
    parser.add_argument("--against", required=True, metavar="R", help="FlashInfer version, wheel or checkout")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--format", choices=_FORMATS, default="text", help="how to print it (default: text)")
    form.add_argument(
        "--json", action="store_const", const="json", dest="format", help="the same as --format json"
    )
    parser.add_argument("--all", action="store_true", help="also what binds (with --format text)")
    parser.add_argument(
        "--history",
        action="store_true",
        help="read the releases in between, to say since when something breaks",
    )
    parser.add_argument(
        "--baseline", type=Path, metavar="FILE", help="known findings, let pass until they expire"
    )
    parser.add_argument(
        "--write-baseline", type=Path, metavar="FILE", help="write what breaks now as a baseline"
    )
    parser.add_argument(
        "--expires", metavar="DAYS", type=options.positive(int), default=90, help="of a written baseline (90)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Judge, and print what breaks."""
    import datetime as dt
    import sys

    from matrix.cli.surface import library
    from matrix.engines import baseline, config, consumer, formats
    from matrix.engines.shelf import Shelf
    from matrix.errors import Exit

    surfaces = library()
    shelf = Shelf(surfaces, report=lambda line: print(f"reading {line}", file=sys.stderr))
    release = shelf.anything(arguments.package)
    engine = config.for_package(release.engine)
    report = consumer.check(engine, release, arguments.against, surfaces, history=arguments.history)
    today = dt.datetime.now(dt.timezone.utc).date()
    if arguments.baseline:
        known = baseline.Baseline(arguments.baseline, today)
        report = consumer.excuse(report, known.reason)
        report.notices.extend(known.notices())
    if arguments.write_baseline:
        expires = today + dt.timedelta(days=arguments.expires)
        count = baseline.write(arguments.write_baseline, report.broken, expires)
        print(f"{arguments.write_baseline}: {count} known findings until {expires}", file=sys.stderr)
    if arguments.format == "json":
        options.print_json(report.to_json())
    elif arguments.format == "sarif":
        options.print_json(formats.sarif(report))
    elif arguments.format == "text":
        print(formats.text(report, everything=arguments.all))
    else:
        print({"markdown": formats.markdown, "github": formats.github}[arguments.format](report))
    return Exit.UNEXPECTED if report.broken and not arguments.write_baseline else Exit.AS_EXPECTED
