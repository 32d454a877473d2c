"""Shared by every room. Loaded in releases' environments too: at module level only pytest and the standard library."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest_plugins = ("matrix.run.plugin",)

PLANTED = Path(__file__).with_name("planted")
RELEASE = "9.9.9"


def pytest_collection_modifyitems(items):
    from matrix.environments.fingerprint import gpus

    if any(item.get_closest_marker("gpu") for item in items) and not gpus():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="no GPU here"))


@dataclass(frozen=True, kw_only=True)
class Finished:
    """What a command left behind."""

    code: int
    out: str
    err: str

    def json(self):
        return json.loads(self.out)


def command(*arguments, **options) -> Finished:
    """Run `kernel-matrix` as a user does, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "matrix", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        **options,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Finished(code=done.returncode, out=done.stdout, err=done.stderr)


@pytest.fixture(scope="session")
def kernel_matrix():
    return command


@dataclass(frozen=True, kw_only=True)
class Planted:
    """An environment that is already built, with a FlashInfer of which faults can be asked."""

    cache: Path
    environment: object
    prefix: Path
    window: Path

    def variables(self, faults=None) -> dict[str, str]:
        """The variables under which a process meets these faults, by `import` or the id of a cell."""
        return os.environ | {
            "KERNEL_MATRIX_CACHE": str(self.cache),
            "PLANTED": json.dumps(faults or {}),
            "UV_NO_INDEX": "1",
            "UV_FIND_LINKS": str(self.window.parent),
        }

    def plan(self, selection: str, stages=("import", "bind", "select")):
        """The plan that `kernel-matrix run` makes for this release, with fewer stages."""
        from matrix.cells import axes
        from matrix.environments import recipes
        from matrix.releases.window import load
        from matrix.run.plan import Question, make

        question = Question(releases=load(self.window).releases, recipes=["inherit"], selection=selection)
        plan = make(question, axes.load(), recipes.load())
        plan.document["stages"] = list(stages)
        return plan


def plant(folder: Path, *, real_torch: bool) -> Planted:
    """Lay an environment `9.9.9/inherit` into a cache, as `build` would have left it."""
    from matrix.environments import build, recipes
    from matrix.environments.fingerprint import Fingerprint
    from matrix.environments.installer import Installer

    known = recipes.load()
    environment = build.Environment(release=RELEASE, recipe=known.named("inherit"), torch=known.torch)
    installer = Installer.find()
    identity = build._identity(environment, installer)
    prefix = folder / "environments" / f"{environment.id.replace('/', '-')}-{identity[:12]}"
    prefix.parent.mkdir(parents=True)
    installer.make_environment(sys.executable, prefix)
    packages = build._site_packages(prefix)
    sites = build._base(environment, installer).sites
    lines = "".join(f"import site; site.addsitedir({site!r})\n" for site in sites)
    (packages / build.PTH).write_text(lines, encoding="utf-8")
    shutil.copytree(PLANTED / "flashinfer", packages / "flashinfer")
    if not real_torch:
        shutil.copytree(PLANTED / "torch", packages / "torch")
    metadata = packages / f"flashinfer_python-{RELEASE}.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text(
        f"Metadata-Version: 2.1\nName: flashinfer-python\nVersion: {RELEASE}\n", encoding="utf-8"
    )
    fingerprint = Fingerprint(python="3.11", torch="0", cuda=None, packages={"flashinfer-python": RELEASE})
    build._write_stamp(prefix, {"identity": identity, "fingerprint": vars(fingerprint)})
    window = folder / "window.toml"
    window.write_text(
        f'schema = 1\n[[release]]\nversion = "{RELEASE}"\nreason = "planted"\n', encoding="utf-8"
    )
    (folder / f"flashinfer_python-{RELEASE}-py3-none-any.whl").touch()  # the release that the index offers
    return Planted(cache=folder, environment=environment, prefix=prefix, window=window)


@pytest.fixture(scope="session")
def planted(tmp_path_factory):
    """A planted environment with a torch that is one in name only: its workers start in no time."""
    return plant(tmp_path_factory.mktemp("planted") / "cache", real_torch=False)


@pytest.fixture(scope="session")
def planted_on_torch(tmp_path_factory):
    """A planted environment on the torch of this interpreter."""
    return plant(tmp_path_factory.mktemp("planted") / "cache", real_torch=True)
