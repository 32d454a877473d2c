from __future__ import annotations

import json
import os
import sys

import pytest

from matrix.environments.installer import Installer
from matrix.errors import Exit
from matrix.run import journal


@pytest.fixture
def prefix(tmp_path):
    folder = tmp_path / "venv"
    Installer.find().make_environment(sys.executable, folder)
    return folder


@pytest.mark.parametrize(
    "question", [["--environment", "lean"], ["--environment", "lean", "--environment", "absent"]]
)
def test_one_environment_at_a_time(kernel_matrix, prefix, tmp_path, question):
    told = kernel_matrix("prepare", *question, "--prefix", prefix, "--out", tmp_path / "run")
    assert told.code == Exit.BAD_INPUT
    assert "one environment can be prepared at a time, not 0.5.3/lean, " in told.err
    assert not (tmp_path / "run").exists()


def test_a_prefix_that_is_no_environment_is_refused(kernel_matrix, tmp_path):
    out = tmp_path / "run"
    told = kernel_matrix(
        "prepare", "--releases=0.6.14", "--environment=lean", "--prefix", tmp_path / "nowhere", "--out", out
    )
    assert told.code == Exit.BAD_INPUT
    assert f"{tmp_path / 'nowhere'} is no virtual environment" in told.err
    assert "-m venv" in told.err
    assert not out.exists()


def test_an_environment_that_cannot_be_built_is_in_the_report(kernel_matrix, prefix, tmp_path, offline):
    out = tmp_path / "run"
    question = ["--releases=0.6.14", "--environment=lean", "backend=torch"]
    told = kernel_matrix("prepare", *question, "--prefix", prefix, "--out", out, env=offline)
    assert told.code == Exit.BAD_INPUT
    assert "uv pip install" in told.err
    (record,) = journal.read(out / "journal.jsonl").environments
    assert record["verdict"] == "INSTALL_ERROR"
    assert kernel_matrix("report", out).code == Exit.UNEXPECTED
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert {cell["verdict"] for cell in report["cells"]} == {"INSTALL_ERROR"}


@pytest.mark.wheels
def test_a_run_folder_for_pytest(kernel_matrix, prefix, tmp_path):
    out = tmp_path / "run"
    question = ["--releases=0.6.7.post3", "--environment=lean", "role=draft"]
    told = kernel_matrix("prepare", *question, "--prefix", prefix, "--out", out, env=dict(os.environ))
    assert told.code == 0, told.err
    assert told.out.startswith("0.6.7.post3/lean: built in ")
    plan = json.loads((out / "plan.json").read_text(encoding="utf-8"))
    assert [entry["id"] for entry in plan["environments"]] == ["0.6.7.post3/lean"]
    known = plan["known"]
    assert known
    assert all(["bind", "FAIL_API"] in pairs for pairs in known.values())
    assert all("/trtllm_bf16" in cell for cell in known)
    (record,) = journal.read(out / "journal.jsonl").environments
    assert record["fingerprint"]["packages"]["flashinfer-python"] == "0.6.7.post3"
    assert (prefix / "lib").exists()
