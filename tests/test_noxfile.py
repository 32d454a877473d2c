"""`nox -l` shows and explains every session of the matrix."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from matrix.environments import recipes
from matrix.environments.fingerprint import gpus
from matrix.releases import window

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def listed():
    pytest.importorskip("nox")
    done = subprocess.run(
        [sys.executable, "-m", "nox", "-l"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_each_release_of_the_window_is_a_session_with_its_reason(listed):
    environment = recipes.load().default(gpu=bool(gpus())).name
    for release in window.load().releases:
        name = f"gpu_matrix(flashinfer='{release.version}')"
        sessions = [line for line in listed if line.startswith(("- ", "* ")) and name in line]
        assert len(sessions) == 1
        assert f"[{environment}]" in sessions[0]
        explained = [
            line for line in listed if line.strip().startswith(name) and line.endswith(release.reason)
        ]
        assert len(explained) == 1


def test_each_environment_that_is_made_to_fail_is_a_session(listed):
    for recipe in recipes.load().faulty():
        for release in recipe.releases:
            name = f"gpu_matrix(flashinfer='{release}', environment='{recipe.name}')"
            assert len([line for line in listed if line.startswith("- ") and name in line]) == 1


def test_the_sessions_of_a_plain_nox_are_tests_and_lint(listed):
    chosen = [line.split()[1] for line in listed if line.startswith("* ")]
    assert sorted(chosen) == ["lint", "tests"]
    assert all(
        any(line.startswith(f"- {name} ") for line in listed) for name in ("gpu_report", "bench", "slow")
    )
