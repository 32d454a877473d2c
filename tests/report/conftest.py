"""A run folder as the runner writes it: seven releases without a GPU, and two environments that fail."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

WINDOW = ("0.5.3", "0.6.7.post3", "0.6.8.post1", "0.6.11.post1", "0.6.14", "0.6.18.post1", "0.7.2.post1")
BACKENDS = ("trtllm_bf16", "trtllm_bf16_routed", "torch")
ACTIVATIONS = (("silu", "gated"), ("relu2", "nongated"))
ROUTINGS = ("deepseek_v3", "renormalize")
ROLES = ("draft", "target")
GPU_COMMAND = "kernel-matrix run --stages numerics --environment inherit, on a machine with an SM100 GPU"


EXPECTATIONS = """\
schema = 1

[[expect]]
verdict = "FAIL_API"
stage = "bind"
releases = "<0.6.8"
environment = "lean"
cells = "backend=trtllm_bf16"
reason = "activation_type came with 0.6.8"
link = "https://example.org/2864"

[[expect]]
verdict = ["FAIL_API", "IMPORT_ERROR"]
releases = "<0.6.8"
environment = "lean"
cells = "backend=trtllm_bf16_routed"
reason = "the routed function came with 0.6.5, its activation_type with 0.6.8"

[[expect]]
verdict = "CRASH"
environment = "inherit"
reason = "meets nothing here"
"""


def environment(release: str | None, recipe: str, *, faulty: bool = False) -> dict:
    return {
        "id": f"{release or 'none'}/{recipe}",
        "release": release,
        "recipe": recipe,
        "python": "3.11",
        "torch": "torch==2.13.0",
        "faulty": faulty,
        "why": "meant to fail" if faulty else "imports anywhere",
    }


def cells_of(place: dict, backends=BACKENDS) -> list[dict]:
    release = place["release"] or "none"
    return [
        {
            "id": "/".join(
                (place["id"], backend, f"{activation}-{gated}", routing, role, "bias-bf16", "nemotron-h")
            ),
            "release": release,
            "environment": place["recipe"],
            "environment_id": place["id"],
            "backend": backend,
            "activation": activation,
            "gating": gated,
            "gated": gated == "gated",
            "routing": routing,
            "role": role,
            "bias": "bf16",
            "profile": "nemotron-h",
            "must": role == "draft",
        }
        for backend in backends
        for activation, gated in ACTIVATIONS
        for routing in ROUTINGS
        for role in ROLES
    ]


def end(
    cell: dict | str, stage: str, verdict: str = "PASS", reason: str = "", remedy: str = "", **more
) -> dict:
    return {
        "kind": "end",
        "cell": cell if isinstance(cell, str) else cell["id"],
        "stage": stage,
        "verdict": verdict,
        "reason": reason,
        "remedy": remedy,
        "seconds": 0.01,
        "evidence": {},
        "time": "2026-11-24T12:00:00Z",
        **more,
    }


def answers(cell: dict, release: tuple[int, ...]) -> list[dict]:
    """What the checks say of a cell in `lean` without a GPU."""
    if cell["backend"] == "torch":
        return [end(cell, "import"), end(cell, "numerics", seconds=0.2)]
    routed = cell["backend"] == "trtllm_bf16_routed"
    if routed and release < (0, 6, 5):
        reason = "ImportError: cannot import name 'trtllm_bf16_routed_moe' from 'flashinfer.fused_moe'"
        return [end(cell, "import", "IMPORT_ERROR", reason, "Take 0.6.5 or later.")]
    if release < (0, 6, 8):
        reason = f"{cell['backend']}_moe() got an unexpected keyword argument 'activation_type'"
        evidence = {"call": "flashinfer_trtllm.py:1082", "signature": "(routing_logits, routing_bias, ...)"}
        return [
            end(cell, "import"),
            end(cell, "bind", "FAIL_API", reason, "Take 0.6.8 or later.", evidence=evidence),
        ]
    if cell["activation"] == "relu2" and cell["routing"] == "renormalize" and cell["role"] == "draft":
        reason = "the draft layer's routing is not taken by the kernel"
        return [
            *(end(cell, stage) for stage in ("import", "bind")),
            end(cell, "select", "FALLBACK", reason, "Nothing: the torch backend answers."),
        ]
    return [
        *(end(cell, stage) for stage in ("import", "bind", "select", "layout")),
        end(cell, "numerics", "NOT_RUN", "no GPU of compute capability 10 here", GPU_COMMAND),
    ]


class RunFolder:
    """Builds a run folder; change `plan`, `records` and then `write`."""

    def __init__(self, path: Path, releases=WINDOW, gpu: str | None = None) -> None:
        self.path = path
        places = [environment(release, "lean") for release in releases]
        places += [environment(None, "absent", faulty=True), environment("0.6.14", "full-cpu", faulty=True)]
        cells = [cell for place in places for cell in cells_of(place)]
        self.plan = {
            "schema": "kernel-matrix/plan/1",
            "hash": "4f2a",
            "tool_version": "0.1.0",
            "created": "2026-11-24T12:00:00Z",
            "command": ["kernel-matrix", "run"],
            "selection": "",
            "strength": "2",
            "coverage": {"strength": 2, "tuples": 120, "covered": 120, "cells": len(cells), "must": 8},
            "stages": ["import", "bind", "select", "layout", "numerics"],
            "releases": [{"release": release, "reason": f"why {release}"} for release in releases],
            "environments": places,
            "cells": cells,
        }
        self.header = {"kind": "header", "schema": "kernel-matrix/journal/1", "plan": "4f2a"}
        self.environments = [
            {
                "kind": "environment",
                "id": place["id"],
                "fingerprint": {
                    "python": "3.11.7",
                    "torch": "2.13.0+cpu",
                    "torch_build": "cpu",
                    "cuda": None,
                    "driver": None,
                    "gpu": gpu and f"GPU of {gpu}",
                    "compute_capability": gpu,
                    "packages": {"flashinfer-python": place["release"], "numpy": "2.4.1"},
                    "hash": f"cafe{gpu or ''}",
                },
                "build_seconds": 2.5,
                "verdict": "PASS",
                "reason": "",
                "remedy": "",
                "log": "environments/log.txt",
            }
            for place in places
        ]
        self.ends = [
            record for place in places for cell in cells_of(place) for record in self._answers(place, cell)
        ]
        self.unfinished: set[str] = set()
        self.workers = [
            {"kind": "worker", "environment": place["id"], "import_seconds": 3.5, "seconds": 4.0}
            for place in places
        ]

    def _answers(self, place: dict, cell: dict) -> list[dict]:
        if not place["faulty"]:
            return answers(cell, tuple(int(part) for part in place["release"].split(".")[:3]))
        if cell["backend"] == "torch":
            return [end(cell, "numerics")]
        reason = (
            "AssertionError: Torch not compiled with CUDA enabled"
            if place["release"]
            else "ModuleNotFoundError: No module named 'flashinfer'"
        )
        return [end(cell, "select"), end(cell, "numerics", "FALLBACK", f"the fallback is right; {reason}")]

    def cell(self, release: str, backend: str = "trtllm_bf16", **axes: str) -> dict:
        for cell in self.plan["cells"]:
            wanted = {"release": release, "backend": backend, "environment": "lean", **axes}
            if all(cell[key] == value for key, value in wanted.items()):
                return cell
        raise LookupError(axes)

    def answer(self, cell: dict, *records: dict) -> None:
        """Replace everything that the journal says of a cell."""
        self.ends = [record for record in self.ends if record["cell"] != cell["id"]] + list(records)

    def write(self) -> Path:
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / "plan.json").write_text(json.dumps(self.plan), encoding="utf-8")
        answered = dict.fromkeys(end["cell"] for end in self.ends)
        finished = [{"kind": "finish", "cell": cell} for cell in answered if cell not in self.unfinished]
        records = [self.header, *self.environments, *self.ends, *finished, *self.workers]
        lines = "".join(json.dumps(record) + "\n" for record in records)
        (self.path / "journal.jsonl").write_text(lines, encoding="utf-8")
        return self.path


@pytest.fixture(autouse=True)
def expectations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What `answers` says of old releases is known; the file of the package may change without these tests."""
    path = tmp_path / "ci" / "expectations.toml"
    path.parent.mkdir()
    path.write_text(EXPECTATIONS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return path


@pytest.fixture
def run_folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "run")


@pytest.fixture
def records():
    """This module: `end` makes a journal line, `RunFolder` a run folder."""
    return sys.modules[__name__]
