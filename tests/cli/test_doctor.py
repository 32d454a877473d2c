from __future__ import annotations

import json

import pytest

from matrix.errors import Exit

NAMES = ["python", "installer", "torch", "gpus", "cache", "index"]


def test_what_would_not_work_is_said_and_the_rest_is_told(kernel_matrix, offline):
    told = kernel_matrix("doctor", env=offline)
    assert told.code == Exit.BAD_INPUT
    lines = [line for line in told.out.splitlines() if line.startswith(("ok", "FAIL"))]
    assert [line.split()[1] for line in lines] == NAMES
    assert [line.split()[0] for line in lines] == [*["ok"] * 5, "FAIL"]
    assert "Check the network" in told.out


def test_json_is_one_document(kernel_matrix, offline, tmp_path):
    (tmp_path / "file").touch()
    told = kernel_matrix("doctor", "--json", env=offline | {"KERNEL_MATRIX_CACHE": str(tmp_path / "file")})
    assert told.code == Exit.BAD_INPUT
    document = json.loads(told.out)
    assert [name for name, found in document.items() if not found["ok"]] == ["cache", "index"]
    assert list(document) == NAMES
    assert "Set KERNEL_MATRIX_CACHE" in document["cache"]["text"]


@pytest.mark.wheels
def test_a_machine_that_works(kernel_matrix):
    told = kernel_matrix("doctor", "--json")
    assert told.code == Exit.AS_EXPECTED
    assert "releases of flashinfer-python, newest " in told.json()["index"]["text"]
