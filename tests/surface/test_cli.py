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


def test_wheel_by_a_path_from_where_one_stands(folders, capsys, wheel_in):
    name = wheel_in(folders, "1.0", {"kernels/__init__.py": "def f(a, b=1): ...\n"}).name
    assert main(["surface", f"./{name}"]) == main(["surface", name]) == 0
    assert capsys.readouterr().out == "kernels.f(a, b=1)\n" * 2
    assert main(["diff", "./old", name]) == 1
    assert "Traceback" not in capsys.readouterr().err


def test_file_that_does_not_parse_is_said_first(folders, capsys):
    (folders / "same" / "kernels" / "part.py").write_text("_x = (\n")
    (folders / "old" / "kernels" / "part.py").write_text("_x = 1\n")
    line = "kernels/part.py does not parse: SyntaxError: '(' was never closed (line 1)"
    assert main(["diff", "./old", "./same"]) == 1
    assert capsys.readouterr().out.startswith(f"{line}\nold -> same: ")
    assert main(["diff", "./old", "./same", "--markdown"]) == 1
    assert capsys.readouterr().out.startswith(f"**{line}**\n\n### ")
    assert main(["diff", "./old", "./same", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    valid(document, "diff")
    assert [(one["file"], one["text"], one["worked"]) for one in document["unread"]] == [
        ("kernels/part.py", line, True)
    ]
    assert main(["diff", "./old", "./same", "--symbol", "kernels.f"]) == 0
    assert main(["diff", "./same", "./old"]) == 1
    assert "(line 1) (in same)" in capsys.readouterr().out
    assert main(["surface", "./same"]) == 0
    assert capsys.readouterr().err.endswith(f"{line}\n")


def test_folder_that_is_the_package_itself(folders, capsys):
    assert main(["diff", "./old", "./same/kernels"]) == 0
    assert main(["diff", "./same/kernels", "./same"]) == 0


def test_release_of_another_project(folders, capsys):
    (folders / "other" / "others").mkdir(parents=True)
    (folders / "other" / "others" / "__init__.py").write_text("def f(): ...\n")
    assert main(["diff", "./old", "./other"]) == 2
    assert "no package in common: old holds kernels; other holds others." in capsys.readouterr().err


def test_pattern_that_matches_nothing(folders, capsys):
    assert main(["surface", "./old", "--match", "nothing*"]) == 2
    assert "no import path of old matches 'nothing*'" in capsys.readouterr().err


@pytest.fixture
def shop(folders, monkeypatch, wheel_in):
    """A folder of wheels, and no index."""
    for name in ("UV_CONFIG_FILE", "PIP_FIND_LINKS", "UV_INDEX_URL", "UV_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(folders))
    path = wheel_in(folders, "1.0", {"kernels/__init__.py": "def f(a): ...\n"})
    path.rename(folders / "flashinfer_python-1.0-py3-none-any.whl")


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["kernels.f", "--since", "9.9"], "no release since 9.9.\n  The newest is 1.0"),
        ([""], "the symbol is empty.\n  Give an import path that begins with kernels."),
        (
            ["torch.nn"],
            "no package 'torch' in what was read, for 'torch.nn'.\n  Give an import path that begins",
        ),
        (["kernels.g"], "unknown symbol 'kernels.g'"),
    ],
)
def test_history_says_what_is_wrong(capsys, arguments, said):
    assert main(["history", *arguments]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.usefixtures("shop")
def test_history_with_a_folder(folders, capsys):
    assert main(["history", "kernels.f", "--since", "0.1", "--with", "./same/kernels"]) == 0
    assert "2 releases, 1.0 to kernels" in capsys.readouterr().out
    assert main(["history", "kernels.f", "--since", "9.9", "--with", "./same"]) == 0
    (folders / "same" / "kernels").rename(folders / "same" / "others")
    assert main(["history", "kernels.f", "--with", "./same", "--since", "0.1"]) == 2
    assert "no package in common" in capsys.readouterr().err


def test_offline_is_said_once(folders, capsys, caplog, monkeypatch):
    monkeypatch.setenv("UV_OFFLINE", "1")
    assert main(["surface", "0.6.14"]) == 2
    assert capsys.readouterr().err.count("is needed, and this run is offline") == 1
    assert not caplog.records


def test_history_of_an_impossible_version(capsys):
    assert main(["history", "flashinfer.x", "--since", "newest"]) == 2
    assert "--since" in capsys.readouterr().err
