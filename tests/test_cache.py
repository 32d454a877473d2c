from __future__ import annotations

import os
from pathlib import Path

import pytest

from matrix import cache
from matrix.errors import InputError


def test_the_variable_decides(tmp_path, monkeypatch):
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "a" / "b"))
    assert cache.folder("environments") == tmp_path / "a" / "b" / "environments"
    assert cache.folder("environments").is_dir()


def test_a_relative_folder_is_made_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(cache.VARIABLE, "kept")
    assert cache.folder("environments") == tmp_path / "kept" / "environments"


def test_without_it_the_systems_folder(tmp_path, monkeypatch):
    monkeypatch.delenv(cache.VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.folder("wheels") == tmp_path / "kernel-matrix" / "wheels"


def test_a_folder_that_cannot_be_made_is_named(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.touch()
    monkeypatch.setenv(cache.VARIABLE, str(blocked))
    with pytest.raises(InputError) as caught:
        cache.folder("environments")
    assert str(Path(os.fspath(blocked)) / "environments") in str(caught.value)
    assert "Set KERNEL_MATRIX_CACHE" in str(caught.value)
