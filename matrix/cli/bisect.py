"""Find the release at which a cell's verdict changes, between one where it is good and one where it is not.

Either end may be the older one: what broke, or what was mended. A cell is named by its id (release and environment
in it are optional) or by a selection that matches exactly one. Releases that cannot answer are skipped. The stages
`surface` and `kernel` are read from wheels and kept answers; the others install each release that is asked.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from matrix.cli import options

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from matrix.cells.axes import Axes
    from matrix.cells.cell import Point
    from matrix.run.bisect import Change, Step

HELP = "find the release at which a cell's verdict changes"
EPILOG = """\
examples:
  kernel-matrix bisect trtllm_bf16/relu2-nongated/deepseek_v3/draft/bias-fp32/nemotron-h \\
      --good 0.6.13 --bad 0.5.3 --stage kernel
  kernel-matrix bisect CELL --good 0.6.11.post1 --bad 0.7.2.post1 --stage bind --environment lean

exit codes: 0 the change was found; 2 bad input, an end that is not what it is said to be too; 3 an end, or releases
beside the change, cannot answer; 130 interrupted
"""
WIDTH = 200
DEPTHS = ("surface", "import", "bind", "select", "kernel", "layout", "numerics")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `bisect`."""
    parser.epilog = EPILOG
    parser.add_argument(
        "cell", metavar="CELL", help="a cell id, or a selection that matches one cell (no release in it)"
    )
    parser.add_argument("--good", required=True, metavar="R", help="a release where the cell is good")
    parser.add_argument("--bad", required=True, metavar="R", help="a release where it is not, older or newer")
    parser.add_argument(
        "--stage",
        choices=DEPTHS,
        help="how deep to ask (default: numerics with a GPU, else layout); every stage up to this one counts, "
        "and surface and kernel stand alone",
    )
    options.add(parser, "--pre")
    parser.add_argument("--environment", metavar="NAME", help="recipe (default: full with a GPU, else lean)")
    options.add(parser, "--python", "--torch", "--engine", "--timeout", "--wheels")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="run folders go there (default: .kernel-matrix/bisect/<date>)"
    )
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Search, and print both sides of the change."""
    from matrix.cells import axes, covering
    from matrix.cubins import changes
    from matrix.environments import recipes
    from matrix.environments.fingerprint import gpus
    from matrix.errors import Exit
    from matrix.run import asking, bisect

    loaded, gpu = axes.load(), bool(gpus())
    default = arguments.environment or recipes.load().default(gpu=gpu).name
    points = list(loaded.must) if "/" in arguments.cell else covering.cover(loaded)
    point, environment = asking.named(arguments.cell, loaded, points, default)
    environment = arguments.environment or environment
    stage = arguments.stage or ("numerics" if gpu else "layout")
    ends = _ends(arguments, offline=stage == "kernel")
    asker = _asker(arguments, point, environment, stage, loaded)
    _say(f"{point.id} at stage {stage}")
    found = bisect.search(*ends, asker, _say)
    compared = changes.between(found.before.release, found.after.release)
    if arguments.json:
        options.print_json(
            {
                "cell": point.id,
                "stage": stage,
                "environment": None if stage in {"surface", "kernel"} else environment,
                "good": arguments.good,
                "bad": arguments.bad,
                "broke": found.broke,
                "exact": found.exact,
                "before": found.before.to_json(),
                "after": found.after.to_json(),
                "between": [step.to_json() for step in found.between],
                "releases": found.releases,
                "steps": [step.to_json() for step in found.steps],
                "kernels": compared.to_json(),
            }
        )
    else:
        print("\n".join(_lines(found)))
        for change in compared.changes:
            print(f"  {change}")
    return Exit.AS_EXPECTED if found.exact else Exit.INCOMPLETE


def _say(line: str) -> None:
    shown = line if len(line) <= WIDTH else f"{line[: WIDTH - 3]}..."
    print(f"bisect: {shown}", file=sys.stderr, flush=True)


def _ends(arguments: argparse.Namespace, *, offline: bool) -> tuple[list[str], str]:
    """The releases to search, and the good end as the index writes it."""
    from matrix.cubins import answers
    from matrix.errors import InputError, KernelMatrixError
    from matrix.releases import window
    from matrix.releases.index import published
    from matrix.run import bisect

    loaded = window.load()
    try:
        every = published(loaded.distribution, pre=True)
    except KernelMatrixError:
        if not offline:
            raise
        every = answers.known()
    named = []
    for option in ("good", "bad"):
        chosen = window.select([getattr(arguments, option)], loaded, lambda: every)
        if len(chosen) != 1:
            raise InputError(f"--{option} names {len(chosen)} releases.", "Name one.")
        named.append(chosen[0].version)
    known = every if arguments.pre else [release for release in every if not _is_early(release)]
    return bisect.between(known, *named), named[0]


def _is_early(release: str) -> bool:
    from packaging.version import Version

    return Version(release).is_prerelease


def _asker(
    arguments: argparse.Namespace, point: Point, environment: str, stage: str, axes: Axes
) -> Callable[[str], Step]:
    from matrix.engines import contracts
    from matrix.environments import recipes
    from matrix.environments.build import THIS_PYTHON
    from matrix.environments.fingerprint import gpus
    from matrix.errors import InputError
    from matrix.run import asking, session
    from matrix.run.plan import Question
    from matrix.run.supervisor import Options
    from matrix.verdicts import Stage

    engine = contracts.load(arguments.engine)
    if point.backend == "torch" and stage in {"surface", "import", "bind", "kernel"}:
        raise InputError(f"the backend torch has no stage {stage}: it needs no FlashInfer.", "Name another.")
    if stage == "surface":
        from matrix.cli.surface import library

        return asking.Declared(point=point, library=library(), engine=engine)
    if stage == "kernel":
        return asking.Kernels(point=point)
    recipe, _, python = environment.partition("@")
    known = recipes.load()
    if known.named(recipe).fixed:
        raise InputError(f"environment '{recipe}' is about its own releases only.", "Name another.")
    return asking.Run(
        point=point,
        stage=Stage(stage),
        question=Question(
            releases=(),
            recipes=[recipe],
            pythons=[arguments.python or python or THIS_PYTHON],
            torch=arguments.torch,
            engine=arguments.engine,
            gpu=bool(gpus()),
        ),
        axes=axes,
        recipes=known,
        folder=arguments.out or _folder(session.DEFAULT_FOLDER.with_name("bisect")),
        options=Options(jobs=1, timeout=arguments.timeout),
        wheels=arguments.wheels,
    )


def _folder(parent: Path) -> Path:
    from datetime import datetime, timezone

    return parent / datetime.now(timezone.utc).strftime("%Y-%m-%dT%H-%M-%S")


def _lines(found: Change) -> Sequence[str]:
    """Both sides of the change, and who could not answer."""
    was, now = ("good", "bad") if found.broke else ("bad", "good")
    first = f"first {now}" if found.exact else f"{now} by"
    told = [f"last {was}: {found.before}", f"{first}: {found.after}"]
    if found.between:
        told.append(f"{len(found.between)} between them cannot answer, so it may be any of these:")
        told += [f"  {step}" for step in found.between]
        told += [f"  {remedy}" for remedy in dict.fromkeys(step.remedy for step in found.between) if remedy]
    told.append(f"{len(found.steps)} of {found.releases} releases were asked.")
    return told
