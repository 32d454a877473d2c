from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from matrix.environments import installer as module
from matrix.environments.build import THIS_PYTHON
from matrix.environments.installer import Installer, find_python, pip_settings_for_uv
from matrix.errors import EnvironmentBuildError, InputError


def test_a_folder_without_wheels_is_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(InputError, match="holds no wheels"):
            Installer.find(folder)


def test_a_relative_wheel_folder_is_made_absolute(shelf, monkeypatch):
    monkeypatch.chdir(shelf.wheels.parent)
    assert Installer.find(module.Path("wheels")).wheels == shelf.wheels


def test_where_uv_is_neither_beside_nor_on_the_path_pip_is_used(tmp_path, monkeypatch):
    pytest.importorskip("pip")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", _python_in(tmp_path, "exit 0"))
    found = Installer.find()
    assert (found.uv, found.name) == (None, "pip")


def test_where_there_is_neither_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", _python_in(tmp_path, "exit 1"))
    with pytest.raises(InputError, match="neither uv nor pip") as caught:
        Installer.find()
    assert "ensurepip" in caught.value.remedy


def _python_in(folder, line):
    """An interpreter in a folder that holds no uv, of which only the exit status is asked."""
    python = folder / "python"
    python.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
    python.chmod(0o755)
    return str(python)


def test_settings_of_pip_reach_uv_under_its_names():
    told = pip_settings_for_uv(
        {
            "PIP_FIND_LINKS": "/a /b",
            "PIP_INDEX_URL": "https://one/simple",
            "PIP_EXTRA_INDEX_URL": "https://two/simple https://three/simple",
            "PIP_CERT": "",
        }
    )
    assert told == {
        "UV_FIND_LINKS": "/a,/b",
        "UV_DEFAULT_INDEX": "https://one/simple",
        "UV_INDEX": "https://two/simple https://three/simple",
    }
    assert pip_settings_for_uv({"PIP_INDEX_URL": "a", "UV_DEFAULT_INDEX": "b"}) == {}


def test_several_folders_of_wheels_are_all_looked_into(shelf, tmp_path, monkeypatch):
    other = tmp_path / "other"
    other.mkdir()
    write = type(shelf)(wheels=other)
    write.add("planted-need", "1.0")
    monkeypatch.setenv("PIP_FIND_LINKS", f"{shelf.wheels} {other}")
    monkeypatch.delenv("UV_FIND_LINKS", raising=False)
    monkeypatch.setenv("UV_NO_INDEX", "1")
    found = Installer.find()
    prefix = tmp_path / "venv"
    found.make_environment(sys.executable, prefix)
    found.install(prefix, ["planted-need", "flashinfer-python"], dependencies=False)
    assert list(prefix.glob("lib/python3.*/site-packages/planted_need.py"))


def test_the_workers_pythonpath_is_kept_from_the_installer(shelf, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    assert "PYTHONPATH" not in shelf.installer._variables()


def test_an_interpreter_is_found_by_its_version(tmp_path, monkeypatch):
    assert find_python(THIS_PYTHON) == sys.executable
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "python3.99").symlink_to(sys.executable)
    assert find_python("3.99") == str(tmp_path / "python3.99")


def test_an_interpreter_that_does_not_run_is_passed_over(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path / "a"), str(tmp_path / "b")]))
    for name, line in (("a", "exit 127"), ("b", "exit 0")):
        (tmp_path / name).mkdir()
        python = tmp_path / name / "python3.99"
        python.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        python.chmod(0o755)
    assert find_python("3.99") == str(tmp_path / "b" / "python3.99")


def test_an_interpreter_that_is_not_here_is_named():
    with pytest.raises(InputError, match=r"no Python 3\.98 on this machine"):
        find_python("3.98")


@pytest.mark.parametrize(
    ("output", "remedy"),
    [
        ("OSError: [Errno 28] No space left on device", "The disk is full"),
        ("error: No solution found when resolving dependencies", "cannot be met together"),
        ("ERROR: No matching distribution found for x==1", "cannot be met together"),
        ("error: Failed to fetch: `https://x`", "The package index was not reached"),
        ("something else", "Run the command above by hand"),
    ],
)
def test_what_to_do_is_told_from_what_was_printed(output, remedy):
    assert remedy in module._remedy(output)


def test_a_failure_carries_the_command_and_its_last_lines(shelf, tmp_path):
    prefix = tmp_path / "venv"
    shelf.installer.make_environment(sys.executable, prefix)
    with pytest.raises(EnvironmentBuildError) as caught:
        shelf.installer.install(prefix, ["planted-need==1"], dependencies=True)
    assert " install " in caught.value.what
    assert "planted-need==1` failed:\n    " in caught.value.what


def test_what_runs_in_other_threads_is_ended_when_the_user_interrupts(tmp_path):
    slow = tmp_path / "uv"
    slow.write_text(f"#!/bin/sh\ntouch {tmp_path}/begun\nexec sleep 60\n", encoding="utf-8")
    slow.chmod(0o755)
    installer = Installer(uv=str(slow))
    started = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(installer.make_environment, sys.executable, tmp_path / "venv")
        while not (tmp_path / "begun").exists():
            time.sleep(0.01)
        installer.stop()
        assert isinstance(future.exception(), EnvironmentBuildError)
    with pytest.raises(EnvironmentBuildError):
        installer.make_environment(sys.executable, tmp_path / "venv")
    assert time.monotonic() - started < 30


def test_a_program_that_cannot_be_started_is_a_failure_and_no_crash(tmp_path):
    broken = Installer(uv=str(tmp_path / "uv"))
    with pytest.raises(EnvironmentBuildError, match="No such file"):
        broken.make_environment(sys.executable, tmp_path / "venv")
