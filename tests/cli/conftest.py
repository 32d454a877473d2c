"""The commands in processes of their own, as a user runs them."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from matrix.run import journal

if TYPE_CHECKING:
    from pathlib import Path

SELECTION = "(backend=torch and routing=deepseek_v3) or (backend=trtllm_bf16 and activation=gelu)"


class Planted:
    """`run` and `resume` of a planted release, with faults at some cells; see tests/planted."""

    def __init__(self, planted, folder: Path, kernel_matrix) -> None:
        self.planted = planted
        self.folder = folder
        self.kernel_matrix = kernel_matrix
        plan = planted.plan(SELECTION)
        self.cells = [cell.id for cell in plan.cells]
        # The fallback answers these after `bind`, which is where a fault strikes.
        self.fragile = [cell.id for cell in plan.cells if cell.point.backend == "trtllm_bf16"]
        self.question = [
            SELECTION,
            "--window",
            planted.window,
            "--environment",
            "inherit",
            "--declared",
            "none",
        ]

    def run(self, *options, faults=None):
        return self.kernel_matrix(
            "run", *self.question, "--out", self.folder, *options, env=self.planted.variables(faults)
        )

    def resume(self, *options, faults=None):
        return self.kernel_matrix(
            "resume", self.folder, "--declared", "none", *options, env=self.planted.variables(faults)
        )

    @contextmanager
    def running(self, faults):
        """`run` in the background, once the cell that hangs has begun."""
        command = [sys.executable, "-m", "matrix", "run", *self.question, "--out", self.folder]
        with subprocess.Popen(
            [*map(str, command)],
            env=self.planted.variables(faults),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            until = time.monotonic() + 60
            while not set(faults) & set(self.started()):
                assert time.monotonic() < until, "the cell that hangs never began"
                assert process.poll() is None, process.communicate()
                time.sleep(0.05)
            yield process

    def started(self):
        path = self.folder / "journal.jsonl"
        return journal.read(path).starts if path.exists() and path.stat().st_size else []

    def record(self):
        return journal.read(self.folder / "journal.jsonl")


@pytest.fixture
def planted_run(planted_on_torch, tmp_path, kernel_matrix):
    return Planted(planted_on_torch, tmp_path / "run", kernel_matrix)


@pytest.fixture
def offline(tmp_path):
    """An empty cache, and an index at an address that nobody answers."""
    import os

    nowhere = "http://127.0.0.1:9/simple"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    return kept | {
        "KERNEL_MATRIX_CACHE": str(tmp_path / "cache"),
        "PIP_INDEX_URL": nowhere,
        "UV_DEFAULT_INDEX": nowhere,
        "UV_CACHE_DIR": str(tmp_path / "uv"),
        "UV_HTTP_RETRIES": "0",
    }


@pytest.fixture
def no_index(monkeypatch, tmp_path):
    """An empty cache in an empty folder, and installers that ask no index."""
    for name in (
        "PIP_FIND_LINKS",
        "UV_FIND_LINKS",
        "PIP_INDEX_URL",
        "UV_INDEX_URL",
        "UV_DEFAULT_INDEX",
        "UV_INDEX",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("KERNEL_MATRIX_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
