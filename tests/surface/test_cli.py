"""The three commands: documents, exit codes, messages, start-up."""

import json
from pathlib import Path

import jsonschema
import pytest

from matrix.cli import main

SCHEMAS = Path(__file__).parents[2] / "docs" / "reference"


def valid(document, name):
    jsonschema.validate(document, json.loads((SCHEMAS / f"{name}.schema.json").read_text()))


@pytest.fixture
def folders(tmp_path, monkeypatch):
    monkeypatch.setenv("KERNEL_MATRIX_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    sources = {
        "old": "def f(a, b=1): ...\ndef gone(): ...\n",
        "new": "def f(a, new=None, b=1): ...\n",
        "same": "def f(a, b=1): ...\ndef gone(): ...\ndef more(): ...\n",
    }
    for name, source in sources.items():
        (tmp_path / name / "kernels").mkdir(parents=True)
        (tmp_path / name / "kernels" / "__init__.py").write_text(source)
    return tmp_path


def test_diff_document_and_exit_code(folders, capsys):
    assert main(["diff", "./old", "./new", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    valid(document, "diff")
    assert (document["from"], document["to"]) == ("old", "new")
    found = {(one["class"], one["severity"], one["symbol"], one["name"]) for one in document["findings"]}
    assert found == {
        ("removed-symbol", "breaking", "kernels.gone", "kernels.gone"),
        ("inserted-parameter", "silent", "kernels.f", "new"),
    }
    inserted = next(one for one in document["findings"] if one["class"] == "inserted-parameter")
    assert inserted["old"] == {"file": "kernels/__init__.py", "line": 1, "text": "(a, b)"}
    assert inserted["witness"]["text"] == "kernels.f(a, b)"
    assert inserted["witness"]["after"] == "binds the value for 'b' to 'new'"


def test_diff_without_a_break_is_0(folders, capsys):
    assert main(["diff", "./old", "./same"]) == 0
    assert "1 note" in capsys.readouterr().out


def test_diff_of_one_symbol_and_markdown(folders, capsys):
    assert main(["diff", "./old", "./new", "--symbol", "kernels.f", "--markdown"]) == 1
    printed = capsys.readouterr().out
    assert "| `kernels.f` | parameter 'new' inserted at position 1, before 'b' |" in printed
    assert "gone" not in printed
    assert "Pass everything behind the first few parameters by keyword." in printed


def test_unknown_symbol_is_one_message(folders, capsys):
    assert main(["diff", "./old", "./new", "--symbol", "kernels.g"]) == 2
    error = capsys.readouterr().err
    assert "kernels.f" in error
    assert "Traceback" not in error


def test_unknown_path(folders, capsys):
    assert main(["surface", "./nowhere"]) == 2
    assert "is not there" in capsys.readouterr().err


def test_surface_document_and_text(folders, capsys):
    assert main(["surface", "./old", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    valid(document, "surface")
    assert document["release"] == "old"
    assert document["paths"] == {"kernels.f": "kernels:f", "kernels.gone": "kernels:gone"}
    assert main(["surface", "./old", "--match", "*.f"]) == 0
    assert capsys.readouterr().out == "kernels.f(a, b=1)\n"


@pytest.mark.wheels
def test_history_document(capsys):
    assert main(["history", "flashinfer.fused_moe.trtllm_bf16_moe", "--since", "0.7.2", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    valid(document, "history")
    assert document["releases"][:2] == ["0.7.2", "0.7.2.post1"]
    spans = next(one["spans"] for one in document["traits"] if one["trait"] == "parameter activation_type")
    assert [(span["first"], span["value"][:11]) for span in spans] == [("0.7.2", "position 19")]


@pytest.mark.wheels
def test_known_break_by_versions(capsys):
    assert (
        main(["diff", "0.6.7.post3", "0.6.8", "--symbol", "flashinfer.fused_moe.RoutingMethodType", "--json"])
        == 1
    )
    found = {(one["class"], one["name"]) for one in json.loads(capsys.readouterr().out)["findings"]}
    assert {
        ("enum-member-renumbered", "Unspecified"),
        ("enum-member-before-sentinel", "SigmoidRenorm"),
    } <= found


def test_history_of_an_impossible_version(capsys):
    assert main(["history", "flashinfer.x", "--since", "newest"]) == 2
    assert "--since" in capsys.readouterr().err
