"""Engines' published releases, FlashInfer's surfaces, and lean environments, all kept in the user's cache."""

import json
import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import pytest

from matrix.engines import config
from matrix.engines.conditions import decide
from matrix.engines.judge import Judge
from matrix.engines.provider import Provider
from matrix.engines.shelf import Shelf
from matrix.surface.library import Library

HERE = Path(__file__).parent


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
        "keywords": [name for name, condition in passed if decide(condition, judge.holds) is not False],
        "partly": bool(use.arguments and use.arguments.unknown),
    }
