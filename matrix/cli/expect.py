"""`kernel-matrix expect`: which verdicts are known, what they met in a run, and what they leave out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from matrix.cli import options

if TYPE_CHECKING:
    import argparse

    from matrix.expectations import Expectation, Expectations
    from matrix.report import Report

HELP = "list the known verdicts, hold them against a run, suggest entries for the others"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = "example: kernel-matrix expect --run .kernel-matrix/runs/today --suggest"
    parser.add_argument(
        "--run", dest="folder", type=Path, metavar="DIR", help="hold the entries against this run folder"
    )
    parser.add_argument(
        "--suggest", action="store_true", help="with --run: print entries for the unexpected verdicts"
    )
    parser.add_argument(
        "--expectations", type=Path, metavar="PATH", help="the file to read (ci/expectations.toml)"
    )
    options.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """List, check or suggest; with a run folder the exit code is its report's."""
    from matrix import expectations
    from matrix.errors import InputError

    known = expectations.load(args.expectations)
    if args.folder is None:
        if args.suggest:
            raise InputError("--suggest needs a run to look at.", "Add --run DIR.")
        _print(_listing(known), _lines(known), as_json=args.json)
        return 0
    from matrix.report import build, reading

    report = build(reading.read(args.folder), args.expectations)
    if args.suggest:
        entries = _suggestions(report)
        _print({"suggested": entries}, ["\n\n".join(entries)] if entries else [], as_json=args.json)
    else:
        _print(_met(report), _met_lines(report), as_json=args.json)
    return int(report.exit_code)


def _print(document: dict[str, Any], lines: list[str], *, as_json: bool) -> None:
    if as_json:
        options.print_json(document)
    else:
        print("\n".join(lines))


def _listing(known: Expectations) -> dict[str, Any]:
    return {"file": str(known.path), "entries": [entry.to_json() for entry in known.entries]}


def _lines(known: Expectations) -> list[str]:
    return [f"{len(known.entries)} entries in {known.path}:", *(_line(entry) for entry in known.entries)]


def _line(entry: Expectation) -> str:
    data = entry.to_json()
    place = [
        ", ".join(data["environments"]) or "every environment",
        data["releases"] or "every release",
        *([f"gpu {data['gpu']}"] if data["gpu"] else []),
        *([data["cells"]] if data["cells"] else []),
        *([f"until {data['expires']}"] if data["expires"] else []),
    ]
    what = " or ".join(data["verdicts"]) + (f" at {' or '.join(data['stages'])}" if data["stages"] else "")
    return f"line {entry.line}: {what}; {'; '.join(place)}: {entry.reason}"


def _met(report: Report) -> dict[str, Any]:
    from matrix.report.document import finding

    return {
        "file": report.expectations_path,
        "exit_code": int(report.exit_code),
        "outcomes": dict(report.outcomes),
        "entries": [entry.to_json() | {"cells_decided": used} for entry, used in report.expectations],
        "expired": [entry.number for entry in report.expired],
        "unexpected": [finding(each) for each in report.unexpected],
    }


def _met_lines(report: Report) -> list[str]:
    lines = [
        f"{used or 'no'} cells  {_line(entry)}" + " (expired)" * (entry in report.expired)
        for entry, used in report.expectations
    ]
    lines += [
        f"{' and '.join(each.outcomes)}  {each.verdict} at {each.stage}, {each.cells} cells, {each.releases}, "
        f"{', '.join(each.environments)}: {each.reason} ({'; '.join(each.notes)})"
        for each in report.unexpected
    ]
    return [
        *lines,
        f"Exit code {int(report.exit_code)}: " + ", ".join(f"{n} {o}" for o, n in report.outcomes.items()),
    ]


def _suggestions(report: Report) -> list[str]:
    from matrix.expectations.suggest import Sighting, suggest
    from matrix.report import ranges
    from matrix.report.findings import masked

    gpus = {environment.id: environment.capability for environment in report.environments}
    sightings = [
        Sighting(
            release=cell.release,
            environment=cell.environment,
            axes=cell.axes,
            gpu=gpus.get(cell.environment_id, ""),
            verdict=cell.verdict.value,
            stage=cell.stage,
            reason=masked(cell.reason),
            unexpected=cell.outcome.value == "UNEXPECTED",
        )
        for cell in report.cells
        if cell.verdict is not None
    ]
    return suggest(sightings, ranges.ordered(cell.release for cell in report.cells))
