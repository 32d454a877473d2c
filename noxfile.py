# /// script
# dependencies = ["nox>=2026.8.10"]
# ///
"""Sessions of Kernel Matrix. A session's virtual environment is the environment of the release that it tests."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

import nox

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from matrix.environments import recipes  # noqa: E402
from matrix.environments.fingerprint import gpus  # noqa: E402
from matrix.environments.installer import pip_settings_for_uv  # noqa: E402
from matrix.releases import window  # noqa: E402

nox.needs_version = ">=2026.8.10"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "tests"]

PYPROJECT = nox.project.load_toml(HERE / "pyproject.toml")
RECIPES = recipes.load()
WINDOW = window.load()
DEFAULT = RECIPES.default(gpu=bool(gpus()))
RUNS = Path(".kernel-matrix/nox")
REPORT = RUNS / "report"
TOOL = Path(".nox/tool/bin")
WITH_UV = {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])}
finished: list[Path] = []

RELEASES = [
    *(
        (release.version, DEFAULT.name, f"flashinfer='{release.version}'", release.reason)
        for release in WINDOW.releases
    ),
    *(
        (release, recipe.name, f"flashinfer='{release}', environment='{recipe.name}'", recipe.why)
        for recipe in RECIPES.faulty()
        for release in recipe.releases
    ),
]
__doc__ += (
    f"\n\ngpu_matrix runs the window in the environment '{DEFAULT.name}', and those that are made to fail:\n"
)
__doc__ += "".join(f"  {f'gpu_matrix({name})':55} {why}\n" for _, _, name, why in RELEASES)


@nox.session(default=False)
def tool(session: nox.Session) -> None:
    """Install the tool itself, for the sessions that plan and report."""
    session.install("-e", ".")


@nox.session(default=False, requires=["tool"])
@nox.parametrize(
    ("flashinfer", "environment"),
    [nox.param(release, name, id=id_, tags=[name]) for release, name, id_, _ in RELEASES],
)
def gpu_matrix(session: nox.Session, flashinfer: str, environment: str) -> None:
    """Test one FlashInfer release in its own environment; arguments after -- select cells."""
    python = session.python or f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = RUNS / time.strftime("%Y-%m-%dT%H-%M-%S") / f"{flashinfer}-{environment}-{python}"
    releases = [] if RECIPES.named(environment).fixed else ["--releases", flashinfer]
    command = [TOOL / "kernel-matrix", "prepare", "--environment", environment, "--python", str(python)]
    command += [*releases, "--prefix", session.virtualenv.location, "--out", folder, *session.posargs]
    finished.append(folder)
    session.notify("gpu_report")  # also where this session fails: the report says of which cells
    session.run(*map(str, [*command, "--allow-empty"]), env=WITH_UV, external=True)
    if not folder.exists():
        session.skip("the arguments select no cell of this environment")
    pytest = ["pytest", "-p", "matrix.run.plugin", "-n", str(len(gpus())), "-q", "-W", "default", "tests/gpu"]
    variables = {"KERNEL_MATRIX_RUN": str(folder), "PYTHONPATH": str(HERE)}
    session.run("python", "-m", *pytest, env=variables, success_codes=[0, 1])
    session.run(*map(str, [TOOL / "kernel-matrix", "report", folder, "--declared", "none"]), external=True)


@nox.session(default=False, requires=["tool"])
def gpu_report(session: nox.Session) -> None:
    """Join what the sessions of gpu_matrix found: .kernel-matrix/nox/report/report.html."""
    folders = [folder for folder in finished if (folder / "journal.jsonl").exists()]
    if not folders:
        session.error("nothing to join: no session of gpu_matrix got as far as a run; see above.")
    shutil.rmtree(REPORT, ignore_errors=True)
    command = [TOOL / "kernel-matrix", "merge", *folders, "--out", REPORT]
    session.run(*map(str, command), external=True)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests; `-- -m 'not wheels'` leaves out those that need the package index."""
    session.install(
        "-e",
        ".",
        RECIPES.torch,
        *nox.project.dependency_groups(PYPROJECT, "test"),
        env=pip_settings_for_uv(os.environ),
    )
    session.run(
        "pytest",
        "-n",
        "2",
        "--dist",
        "worksteal",
        "-m",
        "not slow and not gpu",
        *session.posargs,
        env=WITH_UV,
    )


@nox.session(default=False)
def slow(session: nox.Session) -> None:
    """Run the tests that compile, replay whole engines, or install gigabytes."""
    session.install(
        "-e",
        ".",
        RECIPES.torch,
        *nox.project.dependency_groups(PYPROJECT, "test"),
        env=pip_settings_for_uv(os.environ),
    )
    session.run("pytest", "-m", "slow", *session.posargs, env=WITH_UV)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and types."""
    session.install("-e", ".", *nox.project.dependency_groups(PYPROJECT, "lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure the figures that the documentation states, on this machine."""
    session.install("-e", ".")
    session.run("python", "ci/bench.py", env=WITH_UV)
