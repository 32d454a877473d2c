"""The entrance: help, start-up, and what an error of the user's looks like."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from matrix import __version__, cli
from matrix.errors import Exit

HEAVY = {"torch", "rich", "griffe", "jinja2", "httpx", "covertable", "numpy", "jsonschema"}


def test_the_top_level_help_imports_nothing_heavy():
    script = (
        "import sys, matrix.cli\n"
        "try:\n matrix.cli.main(['--help'])\n"
        "except SystemExit as end:\n assert end.code == 0\n"
        f"heavy = {HEAVY!r} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def seconds(*command):
    started = time.perf_counter()
    subprocess.run([sys.executable, *command], capture_output=True, check=True)
    return time.perf_counter() - started


def test_the_top_level_help_is_there_at_once():
    """Under 0.15 s; on a machine that others use too, in proportion to what a bare interpreter takes there."""
    told = [(seconds("-m", "matrix", "--help"), seconds("-c", "import argparse")) for _ in range(5)]
    ours, bare = (statistics.median(times) for times in zip(*told, strict=True))
    assert ours < max(0.15, 5 * bare), told


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_explains_itself_with_an_example(kernel_matrix, command):
    told = kernel_matrix(command, "--help")
    assert told.code == 0
    assert told.out.startswith(f"usage: kernel-matrix {command}")
    assert "example" in told.out
    assert f"kernel-matrix {command}" in told.out.partition("example")[2]


def test_the_help_names_every_command_and_exit_code(kernel_matrix):
    told = kernel_matrix("--help")
    assert all(f"\n    {command}" in told.out for command in cli.COMMANDS)
    assert all(f"{int(code)} " in told.out for code in Exit)


def test_the_version(kernel_matrix):
    assert kernel_matrix("--version").out == f"kernel-matrix {__version__}\n"


@pytest.mark.parametrize("arguments", [["runn"], ["foo", "run"], [], ["run", "--no-such-option"]])
def test_what_is_no_command_is_a_usage_error(kernel_matrix, arguments):
    told = kernel_matrix(*arguments)
    assert told.code == Exit.BAD_INPUT
    assert told.out == ""
    assert told.err.startswith("usage: kernel-matrix")
    if arguments == ["foo", "run"]:
        assert "'releases'" in told.err, "every command is named, not only the one that stands behind"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["releases", "--window", "nowhere.toml"], "cannot read nowhere.toml"),
        (["cells", "activaton=relu2"], "unknown axis 'activaton'.\n  Did you mean activation?"),
        (["cells", "activation=rellu2"], "Did you mean relu2"),
        (["cells", "a/b"], "'a/b' is not a cell"),
        (["plan", "--environment", "leen"], "unknown environment 'leen'.\n  Did you mean lean?"),
        (["plan", "--python", "3.9"], "--python 3.9: the checks need 3.10 or later"),
        (["plan", "--torch", "torch=="], "--torch 'torch=='"),
        (["plan", "--engine", "sglang-0.5"], "unknown engine 'sglang-0.5'"),
        (["run", "--python", "3.98", "--out", "x"], "no Python 3.98 on this machine"),
        (["run", "--wheels", "nowhere", "--out", "x"], "nowhere holds no wheels"),
        (["run", "--expectations", "nowhere", "--out", "x"], "cannot read nowhere"),
        (["run", "--environment", "leen", "--out", "x"], "Did you mean lean?"),
        (["run", "--out", "/proc/nowhere"], "cannot write into /proc/nowhere"),
        (["resume", "nowhere"], "cannot read nowhere/plan.json"),
        (["prepare", "--prefix", "nowhere", "--out", "x"], "one environment can be prepared at a time"),
    ],
)
def test_bad_input_is_one_clear_message_and_nothing_is_made(kernel_matrix, tmp_path, arguments, message):
    told = kernel_matrix(*arguments, cwd=tmp_path)
    assert told.code == Exit.BAD_INPUT
    assert told.out == ""
    assert told.err.startswith("kernel-matrix: ")
    assert message in told.err
    assert len(told.err.splitlines()) <= 5
    assert list(tmp_path.iterdir()) == []


def test_a_window_that_is_no_toml_names_file_and_line(kernel_matrix, tmp_path):
    path = tmp_path / "w.toml"
    path.write_text("schema = 1\n[[release]\n", encoding="utf-8")
    for command in ("releases", "plan", "cells", "run"):
        told = kernel_matrix(command, "--window", path, cwd=tmp_path)
        assert told.code == Exit.BAD_INPUT
        assert f"{path} is not valid TOML" in told.err
        assert "at line 2" in told.err


@pytest.mark.parametrize("command", [["releases"], ["run", "--out", "x"], ["replay", "--out", "x"]])
def test_a_release_of_the_window_that_no_index_offers(kernel_matrix, planted, tmp_path, command):
    """The index is a folder with one release, so that none is asked."""
    path = tmp_path / "ci" / "releases.toml"
    path.parent.mkdir()
    path.write_text(
        'schema = 1\n[[release]]\nversion = "9.9.9"\nreason = "r"\n[[release]]\nversion = "9.9.8"\nreason = "r"\n',
        encoding="utf-8",
    )
    shelf = planted.variables()
    if command[0] == "replay":
        Path(shelf["UV_FIND_LINKS"], "sglang-0.5.12-py3-none-any.whl").touch()
    told = kernel_matrix(*command, cwd=tmp_path, env=shelf)
    assert told.code == Exit.BAD_INPUT
    assert told.err.splitlines() == [
        "kernel-matrix: ci/releases.toml, line 6: no index offers flashinfer-python 9.9.8.",
        "  Nearest published releases: 9.9.9. Correct the entry, or remove it if it was yanked.",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["ci"]


def test_a_window_is_believed_where_no_index_can_be_asked(kernel_matrix, planted, tmp_path):
    away = planted.variables() | {"UV_FIND_LINKS": str(tmp_path), "KERNEL_MATRIX_CACHE": str(tmp_path)}
    told = kernel_matrix("releases", "--window", planted.window, env=away)
    assert (told.code, told.out, told.err) == (0, "9.9.9  planted\n", "")


def test_wheels_of_a_folder_need_no_index_that_offers_them(kernel_matrix, planted, tmp_path):
    """What is wrong here is the folder, and not that the index has another release."""
    path = tmp_path / "w.toml"
    path.write_text('schema = 1\n[[release]]\nversion = "9.9.8"\nreason = "r"\n', encoding="utf-8")
    told = kernel_matrix(
        "run", "--window", path, "--wheels", "nowhere", cwd=tmp_path, env=planted.variables()
    )
    assert told.code == Exit.BAD_INPUT
    assert "nowhere holds no wheels" in told.err


@pytest.mark.parametrize("option", ["--jobs=0", "--jobs=-1", "--jobs=two", "--timeout=0", "--timeout=nan"])
def test_numbers_that_mean_nothing(kernel_matrix, tmp_path, option):
    told = kernel_matrix("run", option, "--out", tmp_path / "run")
    assert told.code == Exit.BAD_INPUT
    assert option.partition("=")[0] in told.err.splitlines()[-1]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("command", [["cells"], ["releases"], ["plan", "--json"]])
def test_a_reader_that_goes_away_is_no_error(command):
    with subprocess.Popen(
        [sys.executable, "-m", "matrix", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        errors = process.stderr.read()
        assert process.wait() == Exit.AS_EXPECTED
    assert b"Traceback" not in errors
    assert b"BrokenPipe" not in errors
