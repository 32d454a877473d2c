from __future__ import annotations

import json

import pytest

from matrix.cli import doctor
from matrix.errors import Exit

NAMES = ["python", "installer", "torch", "gpus", "cache", "compiler", "cuda", "index", "cubins"]


def test_what_would_not_work_is_said_and_the_rest_is_told(kernel_matrix, offline):
    told = kernel_matrix("doctor", env=offline)
    assert told.code == Exit.BAD_INPUT
    lines = [line for line in told.out.splitlines() if line.startswith(("ok", "FAIL"))]
    assert [line.split()[1] for line in lines] == NAMES
    assert [line.split()[0] for line in lines] == [*["ok"] * 7, "FAIL", "ok"]
    assert "Check the network" in told.out
    assert "`kernels R --select` needs --cubins PATH" in told.out


def test_json_is_one_document(kernel_matrix, offline, tmp_path):
    (tmp_path / "file").touch()
    told = kernel_matrix("doctor", "--json", env=offline | {"KERNEL_MATRIX_CACHE": str(tmp_path / "file")})
    assert told.code == Exit.BAD_INPUT
    document = json.loads(told.out)
    assert [name for name, found in document.items() if not found["ok"]] == ["cache", "index"]
    assert list(document) == NAMES
    assert "Set KERNEL_MATRIX_CACHE" in document["cache"]["text"]


def test_what_a_selection_needs_is_said(monkeypatch):
    assert "for `kernels --select`" in doctor._compiler()
    monkeypatch.setenv("PATH", "")
    assert doctor._compiler() == "no c++ and no cc: `kernels --select` needs g++ or clang, nothing else does"


def test_no_cuda_toolkit(monkeypatch, tmp_path):
    monkeypatch.setenv("KERNEL_MATRIX_CACHE", str(tmp_path))
    monkeypatch.setattr("matrix.cubins.toolchain._system_homes", lambda: iter(()))
    assert doctor._cuda().startswith("no whole toolkit: `kernels --select` installs CUDA ")


@pytest.mark.wheels
def test_a_machine_that_works(kernel_matrix):
    told = kernel_matrix("doctor", "--json")
    assert told.code == Exit.AS_EXPECTED
    assert "releases of flashinfer-python, newest " in told.json()["index"]["text"]
