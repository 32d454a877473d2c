"""The figures that the documentation states, measured on this machine: `nox -s bench`.

Prints one line a figure: what, the bound, the median, and every measurement.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from matrix.cells import axes
from matrix.environments import recipes
from matrix.environments.build import build
from matrix.environments.installer import Installer
from matrix.releases import window
from matrix.run.plan import Question, make
from matrix.run.session import jobs

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 3
TOOL = [sys.executable, "-m", "matrix"]


def seconds(action: Callable[[], object]) -> float:
    """Wall-clock time of one call."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def line(what: str, bound: str, figures: list[float], unit: str = "s") -> None:
    """Print one figure."""
    told = ", ".join(f"{figure:.2f}" for figure in figures)
    print(f"{what:58} {bound:>8}  median {statistics.median(figures):7.2f} {unit}  ({told})", flush=True)


def main() -> None:
    """Measure everything, in turn, so that a change of the machine's speed shows on both sides of a ratio."""
    line(
        "kernel-matrix --help",
        "0.15 s",
        [
            seconds(lambda: subprocess.run([*TOOL, "--help"], stdout=subprocess.DEVNULL, check=True))
            for _ in range(9)
        ],
    )
    plan = make(Question(releases=window.load().releases), axes.load(), recipes.load())
    installer = Installer.find()
    built = [build(environment, installer) for environment in plan.environments]
    workers = jobs([], None)

    def imports() -> None:
        with ThreadPoolExecutor(workers) as pool:
            commands = [[item.python, "-c", "import flashinfer"] for item in built]
            list(
                pool.map(lambda command: subprocess.run(command, capture_output=True, check=False), commands)
            )

    def run(out: Path) -> None:
        subprocess.run([*TOOL, "run", "--out", out], capture_output=True, check=False)

    bare, whole = [], []
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(ROUNDS):
            bare.append(seconds(imports))
            whole.append(seconds(lambda number=number: run(Path(scratch) / str(number))))
    line(f"bare import flashinfer, {len(built)} environments, {workers} at a time", "", bare)
    line(f"kernel-matrix run, {len(plan.cells)} cells, environments reused", "", whole)
    ratios = [run / alone for run, alone in zip(whole, bare, strict=True)]
    line("ratio of the two", "1.5", ratios, "times")


if __name__ == "__main__":
    main()
