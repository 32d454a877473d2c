from __future__ import annotations

import json

import pytest

from matrix.cli import main


def call(*words):
    unread = ["--declared", "none"] if words[0] in {"report", "merge"} and "--help" not in words else []
    return main([*map(str, words), *unread])


@pytest.mark.parametrize("command", ["report", "merge", "expect"])
def test_help_shows_an_example(command, capsys):
    with pytest.raises(SystemExit):
        call(command, "--help")
    assert f"example: kernel-matrix {command}" in capsys.readouterr().out


def test_report_prints_the_first_screen(run_folder, capsys):
    assert call("report", run_folder.write()) == 0
    printed = capsys.readouterr().out
    assert "lean: unsafe 0.5.3 … 0.6.7.post3; binds from 0.6.8.post1 on" in printed
    assert "All verdicts as expected (exit code 0)." in printed


def test_report_json_is_the_file_and_nothing_else_on_stdout(run_folder, capsys):
    folder = run_folder.write()
    call("report", folder, "--json")
    printed = capsys.readouterr()
    assert printed.out == (folder / "report.json").read_text(encoding="utf-8")
    assert "as expected" in printed.err


def test_report_with_another_expectations_file(run_folder, tmp_path, capsys):
    path = tmp_path / "none.toml"
    path.write_text("schema = 1\n")
    assert call("report", run_folder.write(), "--expectations", path) == 1


def test_merge_reports_on_all(run_folder, tmp_path, capsys):
    assert call("merge", run_folder.write(), "--out", tmp_path / "all", "--json") == 0
    assert json.loads(capsys.readouterr().out)["counts"]["cells"] == 216


def test_expect_lists(capsys):
    assert call("expect") == 0
    assert "line 3: FAIL_API at bind" in capsys.readouterr().out
    assert call("expect", "--json") == 0
    assert json.loads(capsys.readouterr().out)["entries"]


def test_expect_against_a_run_names_used_unused_and_unexpected(run_folder, records, capsys):
    cell = run_folder.cell("0.6.14")
    run_folder.answer(cell, records.end(cell, "bind", "FAIL_API", "renamed"))
    assert call("expect", "--run", run_folder.write()) == 1
    printed = capsys.readouterr().out
    assert "16 cells  line" in printed
    assert "no cells  line" in printed
    assert "UNEXPECTED  FAIL_API at bind, 1 cells, 0.6.14, lean: renamed" in printed


def test_suggestions_make_the_run_expected(run_folder, records, tmp_path, capsys):
    path = tmp_path / "expectations.toml"
    path.write_text("schema = 1\n")
    assert call("expect", "--run", run_folder.write(), "--expectations", path, "--suggest") == 1
    path.write_text("schema = 1\n\n" + capsys.readouterr().out)
    assert call("expect", "--run", run_folder.path, "--expectations", path) == 0


def test_bad_input_is_one_message(run_folder, tmp_path, capsys):
    assert call("expect", "--suggest") == 2
    assert call("report", tmp_path / "nothing") == 2
    assert call("report", run_folder.write(), "--expectations", tmp_path / "nothing.toml") == 2
    printed = capsys.readouterr().err
    assert printed.count("kernel-matrix: ") == 3
    assert "Add --run DIR." in printed
