"""Engines' published releases, FlashInfer's surfaces and lean environments, kept in the user's cache; and traps.

A trap is a source that must not alarm beside a small change of it that must. Files of them hold `TRAPS`, by name;
each is judged on a pretended FlashInfer, `NEW`, by an engine that was written for another, `OLD`.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from textwrap import dedent

import pytest

from matrix.engines import config
from matrix.engines.conditions import decide
from matrix.engines.judge import Judge
from matrix.engines.provider import Provider
from matrix.engines.release import read_engine
from matrix.engines.shelf import Shelf
from matrix.releases.store import Store
from matrix.releases.wheel import open_path
from matrix.surface.library import Library

HERE = Path(__file__).parent
OLD = {
    "__init__": """
        from .core import run, plan, Mode
        from .tuned import tuned
        from . import norm
        __version__ = "0.6.0"
    """,
    "core": """
        from .enums import Mode
        def run(x, y, scale=1.0, *, out=None): ...
        def plan(a, b, c=None, mode=1): ...
        def gone(x): ...
        def same(x, residual, gate, scale): ...
        def first(x, /, y): ...
        class Wrapper:
            def __init__(self, buffer): ...
            def plan(self, x, *, extra=None): ...
            def run(self, q, lse=None): ...
            begin = plan
        class Other:
            def run(self, q): ...
    """,
    "enums": """
        from enum import IntEnum
        class Mode(IntEnum):
            A = 0
            B = 1
            Last = 2
    """,
    "tuned": "def tuned(x, *, fast=False): ...",
    "norm": "def rms(x): ...",
    "extra": "def bonus(x): ...",
}
NEW = OLD | {
    "core": """
        from .enums import Mode
        def run(x, scale=1.0, *, out=None, pdl=False): ...
        def plan(a, new=None, b=None, c=None, mode=1): ...
        def same(x, residual, gate, scale): ...
        def first(x, /, y): ...
        class Wrapper:
            def __init__(self, buffer): ...
            def plan(self, x): ...
            def run(self, q, lse=None): ...
            begin = plan
        class Other:
            def run(self, q): ...
    """,
    "enums": """
        from enum import IntEnum
        class Mode(IntEnum):
            A = 0
            C = 1
            B = 2
            Last = 3
    """,
}


@pytest.fixture(scope="session")
def library():
    return Library(report=lambda line: sys.stderr.write(f"{line}\n"))


@pytest.fixture(scope="session")
def engine_release(library):
    """A function from an engine and a version to what it asks of FlashInfer."""
    shelf = Shelf(library)
    return lru_cache(lambda name, version: shelf.published(config.load(name), [version])[0])


@pytest.fixture(scope="session")
def judge(library, engine_release):
    """A function from an engine, its version and a FlashInfer release to the judge of that pair."""

    @lru_cache
    def provider(release, engine):
        return Provider(release, library, config.load(engine).decorators)

    @lru_cache
    def made(name, version, flashinfer):
        release = engine_release(name, version)
        reference = provider(release.pins.exact, name)
        return Judge(provider(flashinfer, name), config.load(name), reference, release.probes)

    return made


@pytest.fixture(scope="session")
def live():
    """A function that asks a release's lean environment what uses really meet there."""
    from matrix.environments import recipes
    from matrix.environments.build import Environment, build
    from matrix.environments.installer import Installer

    known, installer = recipes.load(), Installer.find()

    def ask(release, uses):
        environment = Environment(release=release, recipe=known.named("lean"), torch=known.torch)
        done = subprocess.run(
            [str(build(environment, installer).python), str(HERE / "live_side.py")],
            input=json.dumps(uses),
            capture_output=True,
            text=True,
            env={**os.environ, "FLASHINFER_NO_DOWNLOAD": "1", "CUDA_VISIBLE_DEVICES": ""},
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.rpartition("\n@@")[2])

    return ask


@pytest.fixture(scope="session")
def asked():
    """A function from a use and its judge to what the live side wants to know."""
    return as_asked


def as_asked(use, judge):
    passed = use.arguments.keywords if use.arguments else ()
    return {
        "symbol": use.symbol,
        "kind": use.kind,
        "form": use.form,
        "positional": use.arguments.positional if use.arguments else 0,
        "keywords": [
            name for name, condition in passed if decide(condition, judge.provider.holds) is not False
        ],
        "partly": bool(use.arguments and use.arguments.unknown),
    }


@dataclass(frozen=True, kw_only=True)
class Trap:
    """Two sources of an engine, each a module or several by name, and the verdicts of their uses but `bound`.

    `change` makes the loud source of the quiet one, a text and what stands there instead; `wrong` says what the
    product answers as long as that is not right.
    """

    quiet: str | dict[str, str]
    loud: str | dict[str, str] = ""
    change: tuple[str, str] = ("", "")
    calm: tuple[str, ...] = ()
    alarm: tuple[str, ...] = ("broken at call",)
    engine: str = "sglang"
    wrong: str = ""

    def changed(self) -> str | dict[str, str]:
        """The loud source."""
        if self.loud:
            return self.loud
        sources = self.quiet if isinstance(self.quiet, dict) else {"a": self.quiet}
        assert sum(source.count(self.change[0]) for source in sources.values()) == 1, self.change
        return {name: source.replace(*self.change) for name, source in sources.items()}


def pytest_generate_tests(metafunc):
    if "trap" in metafunc.fixturenames:
        traps = {name: Trap(**fields) for name, fields in metafunc.module.TRAPS.items()}
        metafunc.parametrize(
            "trap",
            [
                pytest.param(trap, id=name, marks=pytest.mark.xfail(reason=trap.wrong) if trap.wrong else ())
                for name, trap in traps.items()
            ],
        )


def lay(folder, sources):
    folder.mkdir(parents=True)
    for name, source in sources.items():
        content = source if isinstance(source, bytes) else dedent(source).encode()
        path = folder / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(content)


@dataclass(frozen=True, kw_only=True)
class Pretended:
    """The two FlashInfers, and where what is read is kept."""

    store: Store
    new: Provider
    old: Provider


@pytest.fixture(scope="session")
def pretended(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flashinfer")
    store = Store(folder / "store")
    library = Library(store=store)
    decorators = config.load("sglang").decorators
    sides = {}
    for name, sources, release in (("old", OLD, "0.6.7"), ("new", NEW, "0.6.9")):
        lay(folder / name / "flashinfer", sources)
        (folder / name / "version.txt").write_text(release, encoding="utf-8")
        sides[name] = Provider(str(folder / name), library, decorators)
    return Pretended(store=store, **sides)


@pytest.fixture
def read(pretended, tmp_path):
    """A function from an engine's modules to what it asks of FlashInfer."""

    def found(modules, engine="sglang"):
        rules = config.load(engine)
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        lay(folder / rules.package, {"__init__": "", **modules})
        return read_engine(open_path(folder), rules, store=pretended.store)

    return found


@pytest.fixture
def verdicts(pretended, read):
    """A function from an engine's sources to the verdicts of its uses on the new release, bound ones left out."""

    def found(source, engine="sglang"):
        release = read(source if isinstance(source, dict) else {"a": source}, engine)
        rules = config.load(engine)
        judged = Judge(pretended.new, rules, pretended.old, release.probes).all(release)
        assert judged, "nothing was found to judge"
        assert not release.problems
        return tuple(sorted({judgement.verdict.value for _, judgement in judged} - {"bound"}))

    return found
