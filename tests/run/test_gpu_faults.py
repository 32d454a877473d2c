"""A sticky CUDA error on a real GPU: the culprit gets its verdict, everything else is answered in a new process.

The fault is planted in the installed copy of a real release, since no release shows one. It needs a GPU, a torch beside
the tool, and a folder of wheels with that release: KERNEL_MATRIX_WHEELS=DIR pytest -m gpu tests/run
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from matrix.environments import recipes
from matrix.environments.build import Environment, build
from matrix.environments.installer import Installer
from matrix.run import journal

RELEASE = "0.6.14"
CULPRIT = "trtllm_bf16/relu2-nongated/deepseek_v3/draft/bias-fp32/nemotron-h"
FAULT = """
import functools as _functools
_original = trtllm_bf16_moe

@_functools.wraps(_original)
def trtllm_bf16_moe(*arguments, **keywords):
    if keywords["top_k"] == 22 and keywords["hidden_states"].shape[0] == 4:
        torch.zeros(1, device="cuda")[torch.full((1,), 5, device="cuda")]
    return _original(*arguments, **keywords)
"""


@pytest.mark.gpu
def test_sticky_error_costs_one_cell(tmp_path, monkeypatch):
    wheels = Path(os.environ["KERNEL_MATRIX_WHEELS"])
    monkeypatch.setenv("KERNEL_MATRIX_CACHE", str(tmp_path / "cache"))
    known = recipes.load()
    environment = Environment(release=RELEASE, recipe=known.named("inherit"), torch=known.torch)
    built = build(environment, Installer.find(wheels))
    core = next(built.prefix.glob("lib/python3.*/site-packages/flashinfer/fused_moe/core.py"))
    core.write_text(core.read_text(encoding="utf-8") + FAULT, encoding="utf-8")
    out = tmp_path / "run"
    selection = "backend=trtllm_bf16 and routing=deepseek_v3 and (activation=relu2 or activation=silu)"
    command = [
        sys.executable,
        "-m",
        "matrix",
        "run",
        selection,
        "--environment",
        "inherit",
        "--releases",
        RELEASE,
    ]
    finished = subprocess.run(
        [*command, "--wheels", wheels, "--out", out], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 1, finished.stderr
    record = journal.read(out / "journal.jsonl")
    poisoned = [end.cell for end in record.ends if end.verdict.value == "GPU_POISONED"]
    assert poisoned == [f"{RELEASE}/inherit/{CULPRIT}"]
    assert len(record.finished) == len(set(record.starts))
    last = Counter(end.verdict.value for end in record.ends if end.stage == "numerics")
    assert last["UNSUPPORTED"] >= 3, last
