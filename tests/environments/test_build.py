"""Building, offline from a folder of wheels, and (marked `wheels`) from the package index with real releases."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from matrix.environments import recipes
from matrix.environments.build import STAMP, THIS_PYTHON, Environment, build
from matrix.environments.fingerprint import look
from matrix.environments.installer import Installer
from matrix.errors import EnvironmentBuildError

RECIPES = recipes.load()
WINDOW_ENDS = ("0.5.3", "0.7.2.post1")


def imported(built, code="import flashinfer; print(flashinfer.__version__)"):
    return subprocess.run(
        [built.python, "-I", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"FLASHINFER_WORKSPACE_BASE": str(built.prefix / "workspace")},
    )


def test_an_environment_is_built_once_and_reused(shelf):
    environment = shelf.environment()
    first = build(environment, shelf.installer)
    started = time.monotonic()
    second = build(environment, shelf.installer)
    assert time.monotonic() - started < 1
    assert (first.reused, second.reused) == (False, True)
    assert first.prefix == second.prefix
    assert first.fingerprint == second.fingerprint
    assert imported(second).stdout == "9.9.9\n"


def test_what_makes_another_question_makes_another_environment(shelf, tmp_path):
    first = build(shelf.environment(), shelf.installer)
    assert build(shelf.environment(why="v"), shelf.installer).prefix != first.prefix
    assert build(shelf.environment(name="other"), shelf.installer).prefix.name.startswith("9.9.9-other-")
    shelf.add("flashinfer-python", "9.9.8")
    older = Environment(release="9.9.8", recipe=shelf.environment().recipe, torch="torch==2.13.0")
    assert build(older, shelf.installer).prefix != first.prefix


def test_torch_is_the_one_of_the_interpreter_that_runs_the_tool(shelf):
    torch = pytest.importorskip("torch")
    built = build(shelf.environment(), shelf.installer)
    assert built.fingerprint.torch == str(torch.__version__)
    assert built.fingerprint.packages["flashinfer-python"] == "9.9.9"
    code = "import torch; print(torch.__version__, torch.__file__)"
    assert imported(built, code).stdout.split() == [str(torch.__version__), torch.__file__]
    assert not list((built.prefix / "lib").glob("python3.*/site-packages/torch*"))


def test_a_recipe_that_would_replace_torch_fails(shelf):
    shelf.add(
        "torch",
        "1.0",
        files={"torch/__init__.py": "", "torch/version.py": '__version__ = "1.0"\ncuda = None\n'},
    )
    environment = shelf.environment(requires=("torch==1.0",))
    with pytest.raises(
        EnvironmentBuildError, match=r"torch-1\.0 was installed over the torch that the tool runs"
    ):
        build(environment, shelf.installer)
    with pytest.raises(EnvironmentBuildError):  # and again: what failed is not taken for built
        build(environment, shelf.installer)


def test_a_dependency_that_would_bring_another_torch_is_not_followed(shelf):
    shelf.add("torch", "1.0")
    shelf.add("planted-need", "1.0", requires=["torch==1.0"])
    with pytest.raises(EnvironmentBuildError, match=r"a package asks for torch==1\.0, and torch .* is kept"):
        build(shelf.environment(missing=("planted-need",)), shelf.installer)


def test_of_what_is_needed_only_what_is_lacking_is_installed(shelf):
    shelf.add(
        "planted-need", "1.5", requires=["planted-deeper>=2", "packaging", "planted-extra; extra == 'x'"]
    )
    shelf.add("planted-deeper", "2.0", requires=["planted-need"])
    built = build(shelf.environment(missing=("planted_need>=1", "packaging", "pytest")), shelf.installer)
    own = {
        path.name.partition("-")[0] for path in built.prefix.glob("lib/python3.*/site-packages/*.dist-info")
    }
    assert own == {"flashinfer_python", "planted_need", "planted_deeper"}
    assert built.fingerprint.packages["planted-deeper"] == "2.0"


def test_a_version_that_is_too_old_beside_the_tool_is_replaced_in_the_overlay(shelf):
    shelf.add("packaging", "999", files={"packaging/__init__.py": '__version__ = "999"\n'})
    built = build(shelf.environment(missing=("packaging>=999",)), shelf.installer)
    assert built.fingerprint.packages["packaging"] == "999"


def test_a_package_that_is_not_there_is_named_with_what_to_do(shelf):
    with pytest.raises(EnvironmentBuildError) as caught:
        build(shelf.environment(missing=("planted-need",)), shelf.installer)
    assert "planted-need" in caught.value.what
    assert "uv pip install" in caught.value.what or "pip" in caught.value.what
    assert "cannot be met together" in caught.value.remedy


def test_an_environment_without_torch_is_refused(shelf):
    shelf.add("planted-base", "1.0")
    with pytest.raises(EnvironmentBuildError, match="there is no torch in it, and the checks need one"):
        build(shelf.environment(base=("planted-base",)), shelf.installer)


def test_a_base_is_built_once_for_every_environment_on_it(shelf):
    torch = {"torch/__init__.py": "", "torch/version.py": '__version__ = "1.0"\ncuda = "13.0"\n'}
    shelf.add("torch", "1.0", files=torch)
    shelf.add("flashinfer-python", "9.9.8", files={"flashinfer/__init__.py": '__version__ = "9.9.8"\n'})
    places = set()
    for release in ("9.9.8", "9.9.9"):
        made = shelf.environment(base=("torch==1.0",))
        built = build(Environment(release=release, recipe=made.recipe, torch="torch==1.0"), shelf.installer)
        assert (built.fingerprint.torch, built.fingerprint.cuda) == ("1.0", "13.0")
        places.add(imported(built, "import torch; print(torch.__file__)").stdout)
        assert imported(built).stdout == f"{release}\n"
    assert len(places) == 1
    with pytest.raises(EnvironmentBuildError, match=r"torch 1\.0 is built for CUDA 13\.0, not for CPUs"):
        build(shelf.environment(base=("torch==1.0",), cpu_torch=True), shelf.installer)


def test_a_build_that_was_cut_short_is_not_reused(shelf):
    environment = shelf.environment()
    built = build(environment, shelf.installer)
    (built.prefix / STAMP).unlink()
    rest = built.prefix / "rest-of-the-first"
    rest.touch()
    again = build(environment, shelf.installer)
    assert not again.reused
    assert again.prefix == built.prefix
    assert not rest.exists()
    assert imported(again).stdout == "9.9.9\n"


@pytest.mark.parametrize("stamp", ["", "{", "null", "[]", '{"identity": "another"}'])
def test_a_stamp_that_does_not_hold_is_none(shelf, stamp):
    built = build(shelf.environment(), shelf.installer)
    (built.prefix / STAMP).write_text(stamp, encoding="utf-8")
    assert not build(shelf.environment(), shelf.installer).reused


def test_an_environment_whose_interpreter_went_away_is_built_anew(shelf):
    built = build(shelf.environment(), shelf.installer)
    python = built.prefix / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python")
    again = build(shelf.environment(), shelf.installer)
    assert not again.reused
    assert imported(again).stdout == "9.9.9\n"


def test_two_builders_of_one_environment_build_it_once(shelf):
    with ThreadPoolExecutor(3) as pool:
        told = list(pool.map(lambda _: build(shelf.environment(), shelf.installer), range(3)))
    assert sorted(built.reused for built in told) == [False, True, True]


BUILD = """
import sys
from pathlib import Path
from matrix.environments import build as module
from matrix.environments.build import Environment, build
from matrix.environments.installer import Installer
from matrix.environments.recipes import HOST, Recipe
recipe = Recipe(name="inherit", why="w", base=HOST, exact=("flashinfer-python=={release}",))
original = module._check_torch
def slow(*arguments):
    print("nearly", flush=True)
    import time; time.sleep(60)
module._check_torch = slow
build(Environment(release="9.9.9", recipe=recipe, torch="torch==2.13.0"), Installer.find(Path(sys.argv[1])))
"""


def test_a_builder_that_was_killed_leaves_nothing_that_is_reused(shelf):
    with subprocess.Popen(
        [sys.executable, "-c", BUILD, shelf.wheels], stdout=subprocess.PIPE, text=True
    ) as builder:
        assert builder.stdout.readline() == "nearly\n"
        builder.send_signal(signal.SIGKILL)
    built = build(shelf.environment(), shelf.installer)
    assert not built.reused
    assert build(shelf.environment(), shelf.installer).reused


def test_a_stub_holds_a_version_and_nothing_else(shelf):
    built = build(shelf.environment(stub={"flashinfer_cubin": "0.0.1"}), shelf.installer)
    assert imported(built, "import flashinfer_cubin as c; print(c.__version__)").stdout == "0.0.1\n"


def test_an_existing_environment_is_filled_and_not_made_anew(shelf, tmp_path):
    prefix = tmp_path / "nox"
    shelf.installer.make_environment(sys.executable, prefix)
    own = prefix / "own"
    own.touch()
    built = build(shelf.environment(), shelf.installer, prefix)
    assert built.prefix == prefix
    assert own.exists()
    assert imported(built).stdout == "9.9.9\n"
    assert build(shelf.environment(), shelf.installer, prefix).reused


def test_names_and_requirements():
    recipe = RECIPES.named("lean")
    here = Environment(release="0.6.14", recipe=recipe, torch="torch==2.13.0")
    there = Environment(release="0.6.14", recipe=recipe, torch="torch==2.13.0", python="3.99")
    assert (here.id, there.id) == ("0.6.14/lean", "0.6.14/lean@3.99")
    assert here.python == THIS_PYTHON
    assert here.requirements(recipe.exact) == ["flashinfer-python==0.6.14"]
    assert "torch==2.13.0" in here.requirements(recipe.base)
    assert all("{" not in item for item in here.requirements(recipe.base))


# --- real releases ---


@pytest.fixture(scope="module")
def real():
    """Build an environment of a real release in the cache that is shared with the tool, or reuse it."""

    def make(release, recipe="lean", installer=None):
        environment = Environment(release=release, recipe=RECIPES.named(recipe), torch=RECIPES.torch)
        return build(environment, installer or Installer.find())

    return make


@pytest.mark.wheels
def test_releases_share_one_torch(real):
    torches = set()
    for release in WINDOW_ENDS:
        built = real(release)
        assert not list(built.prefix.glob("lib/python3.*/site-packages/torch*"))
        assert sum(path.stat().st_size for path in built.prefix.rglob("*.so*")) < 50 << 20
        found = imported(built, "import importlib.util; print(importlib.util.find_spec('torch').origin)")
        torches.add(found.stdout.strip())
        assert built.fingerprint.packages["flashinfer-python"] == release
    assert len(torches) == 1


@pytest.mark.wheels
def test_a_real_environment_is_reused_in_no_time(real):
    real("0.6.14")
    started = time.monotonic()
    again = real("0.6.14")
    assert again.reused
    assert time.monotonic() - started < 1


@pytest.mark.wheels
@pytest.mark.parametrize(
    ("release", "recipe", "code", "error"),
    [
        ("none", "absent", "import flashinfer", "ModuleNotFoundError: No module named 'flashinfer'"),
        (
            "0.5.2",
            "lacking",
            "from flashinfer.fused_moe import trtllm_bf16_moe",
            "ImportError: cannot import name 'trtllm_bf16_moe' from 'flashinfer.fused_moe'",
        ),
        (
            "0.6.14",
            "skewed",
            "import flashinfer",
            "RuntimeError: flashinfer-cubin version (0.0.1) does not match",
        ),
    ],
)
def test_environments_that_are_made_to_fail_really_fail(real, release, recipe, code, error):
    done = imported(real(release, recipe), code)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(error)


@pytest.mark.wheels
def test_a_skewed_cubin_package_is_only_warned_of_in_the_newest(real):
    done = imported(real("0.7.2.post1", "skewed"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "0.7.2.post1"


@pytest.mark.wheels
@pytest.mark.parametrize(
    ("release", "error"),
    [
        pytest.param("0.5.3", None, marks=pytest.mark.slow),
        pytest.param("0.6.7.post3", None, marks=pytest.mark.slow),
        pytest.param("0.6.8.post1", "AssertionError", marks=pytest.mark.slow),
        pytest.param("0.6.11.post1", "AssertionError", marks=pytest.mark.slow),
        ("0.6.14", "AssertionError"),
        pytest.param("0.6.18.post1", "AssertionError", marks=pytest.mark.slow),
        ("0.7.2.post1", None),
    ],
)
def test_full_on_a_cpu_only_torch(real, release, error):
    done = imported(real(release, "full-cpu"))
    if error is None:
        assert done.returncode == 0, done.stderr
    else:
        assert done.stderr.splitlines()[-1] == f"{error}: Torch not compiled with CUDA enabled"


@pytest.mark.wheels
def test_pip_alone_builds_the_same(real):
    with_pip = real("0.6.14", installer=Installer(uv=None))
    with_uv = real("0.6.14", installer=Installer.find())
    assert with_pip.installer == "pip"
    assert imported(with_pip).stdout.splitlines()[-1] == "0.6.14"
    assert with_pip.fingerprint.torch == with_uv.fingerprint.torch
    assert not list(with_pip.prefix.glob("lib/python3.*/site-packages/torch*"))


@pytest.mark.wheels
def test_a_release_that_was_never_published_is_an_error_with_what_to_do(real):
    with pytest.raises(EnvironmentBuildError) as caught:
        real("0.6.99")
    assert "flashinfer-python==0.6.99" in caught.value.what
    assert "check the release" in caught.value.remedy


@pytest.mark.wheels
@pytest.mark.slow
@pytest.mark.parametrize("python", ["3.10", "3.12", "3.13"])
def test_other_pythons(python):
    """Their torch is whatever the package index has: the CUDA build, some gigabytes."""
    environment = Environment(
        release="0.6.14", recipe=RECIPES.named("lean"), torch=RECIPES.torch, python=python
    )
    built = build(environment, Installer.find())
    assert built.fingerprint.python.startswith(python)
    assert imported(built).stdout.splitlines()[-1] == "0.6.14"
    assert look(built.python) == built.fingerprint
