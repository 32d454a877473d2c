"""The figures of reading surfaces, measured here and now: `python -m matrix.surface.bench`.

Everything is read from the network into a fresh cache, so that neither this tool's nor pip's and uv's caches help.
The baseline is what one would write first: griffe over every module of every wheel, without the vendored sources;
it is measured on one release and told for all by their bytes.
"""

from __future__ import annotations

import argparse
import functools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.version import Version

from matrix.releases.index import Index
from matrix.releases.net import Network
from matrix.releases.settings import read_settings
from matrix.releases.store import Store
from matrix.surface.files import python_files
from matrix.surface.library import PROJECT, Library

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

OLDEST = Version("0.4.0")
BASELINE = "0.6.18.post1"
ROUNDS = 5
SYMBOL = "flashinfer.fused_moe.trtllm_bf16_moe"
QUERIES = {
    "diff 0.6.5 0.6.8, one symbol": ["diff", "0.6.5", "0.6.8", "--symbol", SYMBOL, "--json"],
    "diff 0.6.5 0.6.8, everything": ["diff", "0.6.5", "0.6.8", "--json"],
    "diff 0.5.3 0.7.2.post1, everything": ["diff", "0.5.3", "0.7.2.post1", "--json"],
    "history of a function, all releases": ["history", SYMBOL],
    "history of an enum, all releases": ["history", "flashinfer.fused_moe.RoutingMethodType"],
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print one line a figure: what, bound, result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--baseline", action="store_true", help="also griffe over one whole wheel (about half a minute)"
    )
    parser.add_argument("--cache", type=Path, help="measure only what runs from this kept cache")
    chosen = parser.parse_args(arguments)
    if chosen.cache:
        _queries(chosen.cache)
    else:
        with tempfile.TemporaryDirectory() as folder:
            _cold(Path(folder))
            _queries(Path(folder))
    if chosen.baseline:
        _baseline()
    return 0


def _line(what: str, bound: str, result: str) -> None:
    print(f"{what:44} {bound:>16}  {result}", flush=True)  # noqa: T201 - what this program is for


def _timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def _fresh(folder: Path) -> tuple[Library, Network]:
    network = Network(replace(read_settings(), uv_cache=None, pip_cache=None))
    store = Store(folder)
    return Library(store, Index(network, store)), network


def _cold(folder: Path) -> None:
    """All releases from nothing, in steps; what is then the newest is read several times as if just published."""
    library, network = _fresh(folder)
    releases = [one for one in library.published() if Version(one) >= OLDEST]
    spent = 0.0
    rows = []
    for what, bound, release in (
        ("one more release", "5 s", "0.6.18"),
        ("one more post-release", "2 s", "0.6.18.post1"),
        ("the largest release", "5 s", "0.7.2"),
        ("the largest post-release", "2 s", "0.7.2.post1"),
    ):
        earlier = [one for one in releases if Version(one) < Version(release)]
        spent += _timed(functools.partial(library.many, earlier))
        figures = []
        for _ in range(ROUNDS):
            with tempfile.TemporaryDirectory() as copy:
                shutil.copytree(folder, copy, dirs_exist_ok=True)
                figures.append(_timed(functools.partial(_fresh(Path(copy))[0].get, release)))
        rows.append((f"{what} ({release})", bound, _median(figures)))
    spent += _timed(functools.partial(library.many, releases))
    _line(
        f"all {len(releases)} releases since {OLDEST}, nothing kept",
        "90 s, 100 MB",
        f"{spent:.1f} s, {network.bytes_read / 1e6:.1f} MB in {network.requests} requests",
    )
    for row in rows:
        _line(*row)


def _queries(folder: Path) -> None:
    environment = {**os.environ, "KERNEL_MATRIX_CACHE": str(folder)}
    for what, words in QUERIES.items():

        def run(words: list[str] = words) -> None:
            command = [sys.executable, "-m", "matrix", *words]
            subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False)

        run()
        _line(f"{what}, with start-up", "0.5 s", _median([_timed(run) for _ in range(ROUNDS)]))


def _median(figures: list[float]) -> str:
    told = ", ".join(f"{figure:.2f}" for figure in figures)
    return f"median {statistics.median(figures):.2f} s ({told})"


def _baseline() -> None:
    """Griffe over every module of one wheel, and what that comes to for all of them."""
    import griffe

    library, network = _fresh(Path(tempfile.mkdtemp()))
    from matrix.releases.wheel import open_file

    sizes = {}
    for release in library.index.releases(PROJECT):
        if Version(release.version) >= OLDEST and release.best.is_wheel:
            with open_file(release.best, network) as tree:
                members = tree.members()
                sizes[release.version] = sum(members[name].size for name in python_files(members))
    with open_file(library.index.release(PROJECT, BASELINE).best, network) as tree:
        contents = tree.read(python_files(tree.members()))

    def visit() -> None:
        for name, content in contents.items():
            griffe.visit(name[:-3].replace("/", "."), Path(name), content.decode())

    seconds = _timed(visit)
    whole = seconds * sum(sizes.values()) / sizes[BASELINE]
    _line(
        f"baseline: griffe, {BASELINE} whole, one core",
        "",
        f"{seconds:.1f} s for {sizes[BASELINE] / 1e6:.1f} MB",
    )
    _line(
        f"baseline: told for all {len(sizes)} wheels",
        "",
        f"{whole:.0f} s for {sum(sizes.values()) / 1e6:.0f} MB",
    )


if __name__ == "__main__":
    sys.exit(main())
