"""Options that several commands share: which releases, environments and cells."""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matrix.environments.recipes import Recipe
    from matrix.releases.window import Release, Window
    from matrix.run.plan import Plan


def positive(kind: Callable[[str], float]) -> Callable[[str], float]:
    """The type of an option whose number is finite and above zero."""

    def number(text: str) -> float:
        value = kind(text)
        if not 0 < value < math.inf:
            raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
        return value

    return number


ALIKE: dict[str, dict[str, Any]] = {
    "--engine": {
        "default": "sglang-0.5.12",
        "metavar": "NAME",
        "help": "engine release whose calls are held against each release (default: %(default)s)",
    },
    "--expectations": {
        "type": Path,
        "metavar": "PATH",
        "help": "which verdicts are known (ci/expectations.toml)",
    },
    "--markdown": {"action": "store_true", "help": "print Markdown for a pull request"},
    "--pre": {"action": "store_true", "help": "also release candidates and other pre-releases"},
    "--python": {"metavar": "X.Y", "help": "Python of the environments (default: this)"},
    "--timeout": {
        "type": positive(float),
        "default": 600,
        "metavar": "S",
        "help": "seconds for one cell (default: %(default)g)",
    },
    "--torch": {"default": "", "metavar": "REQUIREMENT", "help": "such as torch==2.13.0"},
    "--wheels": {"type": Path, "metavar": "DIR", "help": "install from this folder only, no network"},
}
"""Options that mean the same wherever they stand."""


def add(parser: argparse._ActionsContainer, *names: str) -> None:
    """Options of `ALIKE`, in the order in which the help shows them."""
    for name in names:
        parser.add_argument(name, **ALIKE[name])


def add_json(parser: argparse._ActionsContainer) -> None:
    """`--json`: one document on standard output, everything else on standard error."""
    parser.add_argument("--json", action="store_true", help="print one JSON document for machines")


def print_json(document: Any) -> None:
    """Print the document of `--json`."""
    json.dump(document, sys.stdout, indent=1)
    sys.stdout.write("\n")


def add_releases(parser: argparse.ArgumentParser) -> None:
    """`--releases` and the window that it starts from."""
    parser.add_argument(
        "--releases",
        action="append",
        metavar="WHICH",
        help="window (default), latest, all, versions, or specifiers such as '>=0.6.8,<0.7'; repeatable",
    )
    parser.add_argument(
        "--window",
        type=Path,
        metavar="FILE",
        help="file of the window's releases (default: ci/releases.toml here, else the built-in one)",
    )


def add_question(parser: argparse.ArgumentParser) -> None:
    """Everything that makes a plan."""
    parser.add_argument(
        "selection",
        nargs="?",
        default="",
        metavar="SELECTION",
        help="which cells: axis=value terms and globs over cell ids, joined with and, or, not, parentheses",
    )
    add_releases(parser)
    parser.add_argument(
        "--environment",
        action="append",
        metavar="NAME",
        help="recipe: lean, full, inherit, absent, lacking, skewed, full-cpu; repeatable "
        "(default: lean without a GPU, full with one, and the ones that are made to fail)",
    )
    parser.add_argument(
        "--python",
        action="append",
        metavar="X.Y",
        help="Python of the environments; repeatable (default: this)",
    )
    add(parser, "--torch")
    parser.add_argument(
        "--strength",
        default="2",
        choices=("2", "3", "all"),
        help="cover every combination of 2 (default) or 3 axes, or of all",
    )
    add(parser, "--engine")


def add_declared(parser: argparse.ArgumentParser) -> None:
    """How much of what sources declare a report tells."""
    parser.add_argument(
        "--declared",
        choices=("none", "run", "all"),
        default="run",
        help="what sources declare: API changes between the releases, history of what the backends call, and "
        "the engine tables. none; run: the releases and engines that the run is about (default); all published",
    )


def reading(line: str) -> None:
    """Progress of what is read from the index."""
    print(f"reading {line}", file=sys.stderr)


def releases(arguments: argparse.Namespace, *, check: bool = False) -> tuple[Window, list[Release]]:
    """The window, and the releases that the options name; `check` as in `chosen`."""
    from matrix.releases import window

    loaded = window.load(arguments.window)
    return loaded, chosen(loaded, arguments.releases or ["window"], check=check)


def chosen(loaded: Window, terms: Sequence[str], *, check: bool) -> list[Release]:
    """The releases that terms name.

    Args:
        loaded: the window.
        terms: as `--releases` takes them.
        check: the index must have those of the window too; where none can be asked, they are believed.
    """
    from matrix.errors import KernelMatrixError
    from matrix.releases import window
    from matrix.releases.index import Index, published

    index = Index()

    def known() -> list[str]:
        return published(loaded.distribution, pre=True, index=index)

    found = window.select(terms, loaded, known)
    if check:
        try:
            told = known()
        except (KernelMatrixError, OSError):
            return found
        window.check(found, loaded, told)
    return found


def plan(arguments: argparse.Namespace, *, gpu: bool, check: bool = False) -> Plan:
    """The plan that the options ask for; `check` as in `chosen`."""
    from matrix.cells import axes
    from matrix.environments import recipes
    from matrix.environments.build import THIS_PYTHON
    from matrix.run.plan import Question, make

    loaded, covered = releases(arguments, check=check)
    question = Question(
        replayed=_replayed(getattr(arguments, "replay", None)),
        releases=covered,
        recipes=arguments.environment or (),
        pythons=arguments.python or (THIS_PYTHON,),
        torch=arguments.torch,
        selection=arguments.selection,
        strength=arguments.strength,
        engine=arguments.engine,
        gpu=gpu,
        window=[release.version for release in loaded.releases],
    )
    return make(question, axes.load(), recipes.load(), ["kernel-matrix", *sys.argv[1:]])


def _replayed(terms: Sequence[str] | None) -> list[tuple[Recipe, str]]:
    """The recipes of the engine releases of `run --replay`."""
    if not terms:
        return []
    from matrix.engines.replay import recipe
    from matrix.releases.index import published
    from matrix.run import replay

    return replay.recipes_of(recipe.subjects(terms, published))
