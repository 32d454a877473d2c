"""Surfaces made from a few lines of source, and real releases with what their imports show."""

import base64
import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from matrix.surface.assemble import assemble
from matrix.surface.library import Library
from matrix.surface.namespace import Module
from matrix.surface.parse import parse

HERE = Path(__file__).parent


def surface_of(sources, release="made"):
    modules = []
    for name, source in sources.items():
        is_package = any(other.startswith(f"{name}.") for other in sources)
        file = name.replace(".", "/") + ("/__init__.py" if is_package else ".py")
        modules.append(Module(name=name, file=file, record=parse(source.encode())))
    return assemble(release, modules)


@pytest.fixture(scope="session")
def made():
    """A function from module sources by dotted name to a surface; a module with others below it is a package."""
    return surface_of


def write_wheel(folder, version, sources, recorded=None):
    """A wheel of `some-kernels`; its RECORD is that of other sources where those are given."""
    dist = f"some_kernels-{version}.dist-info"
    lines = [f"{dist}/RECORD,,"]
    for name, text in (recorded or sources).items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(text)}")
    path = Path(folder) / f"some_kernels-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {**sources, f"{dist}/RECORD": "\n".join(lines)}.items():
            archive.writestr(name, text)
    return path


@pytest.fixture(scope="session")
def wheel_in():
    """A function that writes a wheel into a folder."""
    return write_wheel


@pytest.fixture(scope="session")
def library():
    """Real releases, kept in the user's cache folder."""
    return Library(report=lambda line: sys.stderr.write(f"{line}\n"))


@pytest.fixture(scope="session")
def lean():
    """A function that gives the interpreter of a release's lean environment."""
    from matrix.environments import recipes
    from matrix.environments.build import Environment, build
    from matrix.environments.installer import Installer

    known = recipes.load()
    installer = Installer.find()

    def python(release):
        environment = Environment(release=release, recipe=known.named("lean"), torch=known.torch)
        return build(environment, installer).python

    return python


@pytest.fixture(scope="session")
def inside():
    """A function that runs one of the scripts beside this file in an environment: JSON in, JSON out."""
    return run_inside


def run_inside(python, script, request):
    variables = {**os.environ, "FLASHINFER_NO_DOWNLOAD": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [str(python), str(HERE / script)],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        env=variables,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.rpartition("\n@@")[2])
