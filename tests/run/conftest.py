"""Runs of planted releases."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import pytest

from matrix.environments.installer import Installer
from matrix.run import journal, session
from matrix.run.progress import Watcher
from matrix.run.supervisor import Options, Supervisor

if TYPE_CHECKING:
    from pathlib import Path


class Run:
    """One run folder of a planted release."""

    def __init__(self, planted, folder: Path, monkeypatch, *question) -> None:
        self.planted = planted
        self.plan = planted.plan(*question)
        self.folder = folder
        self.monkeypatch = monkeypatch
        session.create(self.plan, folder)

    @property
    def cells(self) -> list[str]:
        return [cell.id for cell in self.plan.cells]

    def go(self, faults=None, *, timeout=30, jobs=1, gpus=()):
        """Run what is left, with these faults; returns the journal."""
        for name, value in self.planted.variables(faults).items():
            self.monkeypatch.setenv(name, value)
        with Watcher(total=len(self.plan.cells)) as watcher:
            Supervisor(
                plan=self.plan,
                out=self.folder,
                installer=Installer.find(),
                gpus=gpus,
                options=Options(jobs=jobs, timeout=timeout),
                watcher=watcher,
            ).run()
        return self.record()

    def record(self):
        return journal.read(self.folder / "journal.jsonl")

    def verdicts(self) -> dict[str, list[tuple[str, str]]]:
        """Stage and verdict of every result, by cell."""
        told = defaultdict(list)
        for end in self.record().ends:
            told[end.cell].append((end.stage, end.verdict.value))
        return dict(told)


PASSED = [("import", "PASS"), ("bind", "PASS"), ("select", "PASS")]


@pytest.fixture
def passed():
    """What every cell of a planted release gets where nothing happens to it."""
    return PASSED


@pytest.fixture
def start(planted, tmp_path, monkeypatch):
    """Lay out a run folder of the planted release."""

    def make(selection="backend=trtllm_bf16 and (activation=silu or activation=relu2)", *stages):
        return Run(planted, tmp_path / "run", monkeypatch, selection, *([stages] if stages else []))

    return make
