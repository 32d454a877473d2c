"""The figures that the documentation states, measured on this machine: `nox -s bench`.

Prints one line a figure: what, the bound, the median, and every measurement.
"""

from __future__ import annotations

import functools
import os
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
from matrix.environments.build import Environment, build
from matrix.environments.installer import Installer
from matrix.releases import window
from matrix.releases.wheel import open_file
from matrix.run.plan import Question, make
from matrix.run.session import jobs
from matrix.surface.library import PROJECT, Library

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROUNDS = 3
TOOL = [sys.executable, "-m", "matrix"]
ENGINE, PIN, RELEASE = "0.5.12", "0.6.11.post1", "0.6.7.post3"
"""The engine release, the FlashInfer release that it pins, and the one that it is judged on."""
OTHERS = ("apidrift==0.0.2", "willitbreak==0.1.3")


def seconds(action: Callable[[], object]) -> float:
    """Wall-clock time of one call."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def line(what: str, bound: str, figures: list[float], unit: str = "s") -> None:
    """Print one figure."""
    told = ", ".join(f"{figure:.2f}" for figure in figures)
    print(f"{what:58} {bound:>8}  median {statistics.median(figures):7.2f} {unit}  ({told})", flush=True)


def consumers() -> None:
    """`check-consumer` beside two public tools, on the same unpacked SGLang and the same FlashInfer release."""
    installer, known = Installer.find(), recipes.load()
    lean = Environment(release=RELEASE, recipe=known.named("lean"), torch=known.torch)
    python = build(lean, installer).python
    with tempfile.TemporaryDirectory() as scratch:
        here = Path(scratch)
        installer.make_environment(f"{sys.version_info.major}.{sys.version_info.minor}", here / "tools")
        installer.install(here / "tools", OTHERS, dependencies=True)
        engine = unpack("sglang", ENGINE, here / "engine")
        for release in (PIN, RELEASE):  # its own download needs an interface that mirrors of the index lack
            kept = unpack(PROJECT, release, here / "willitbreak" / f"{PROJECT}-{release}")
            (kept / ".willitbreak-complete").touch()
        packages = next((here / "tools").glob("lib/python*/site-packages"))
        commands: dict[str, tuple[list[str | Path], dict[str, str]]] = {
            "kernel-matrix check-consumer": ([*TOOL, "check-consumer", engine, "--against", RELEASE], {}),
            "apidrift 0.0.2": (
                [python, "-m", "apidrift", "--no-cache", engine],
                {"PYTHONPATH": str(packages)},
            ),
            "willitbreak 0.1.3": (
                [
                    *(here / "tools/bin/willitbreak", PROJECT, engine),
                    *("--import-name", "flashinfer", "--from", PIN, "--to", RELEASE),
                    *("--cache", here / "willitbreak"),
                ],
                {},
            ),
        }
        for what, (command, more) in commands.items():
            ours = command[0] == TOOL[0]
            colds, warms, told = [], [], ""
            for number in range(ROUNDS):
                variables = {**os.environ, "KERNEL_MATRIX_CACHE": str(here / f"cache-{number}"), **more}
                told, taken = answer(command, variables)
                colds.append(taken)
                if ours:
                    warms.append(answer(command, variables)[1])
            line(f"{what}, SGLang {ENGINE} on {RELEASE}, cold", "10 s" if ours else "", colds)
            if ours:
                line(f"{what}, SGLang {ENGINE} on {RELEASE}, warm", "2 s", warms)
            lines = told.strip().splitlines()
            named = sum("activation_type" in text for text in lines)
            print(
                f"  {named} lines name activation_type; its last line: {lines[-1] if lines else ''}",
                flush=True,
            )


def unpack(project: str, release: str, folder: Path) -> Path:
    """Write the sources and the metadata of a release into a folder."""
    library = Library()
    with open_file(library.index.release(project, release).best, library.index.network) as tree:
        wanted = [name for name in tree.members() if name.endswith((".py", "/METADATA"))]
        for name, content in tree.read(wanted).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return folder


def answer(command: Sequence[str | Path], variables: dict[str, str]) -> tuple[str, float]:
    """What a command prints, and how long it takes."""
    started = time.perf_counter()
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, env=variables, check=False
    )
    return done.stdout or done.stderr, time.perf_counter() - started


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
    consumers()
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
            whole.append(seconds(functools.partial(run, Path(scratch) / str(number))))
    line(f"bare import flashinfer, {len(built)} environments, {workers} at a time", "", bare)
    line(f"kernel-matrix run, {len(plan.cells)} cells, environments reused", "", whole)
    ratios = [run / alone for run, alone in zip(whole, bare, strict=True)]
    line("ratio of the two", "1.5", ratios, "times")


if __name__ == "__main__":
    main()
