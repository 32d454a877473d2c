"""The cache: whole files or none, from many processes at once."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from matrix.releases.store import Store, cache_folder


def write_many(folder, number):
    store = Store(folder)
    for _ in range(50):
        store.write("kind", "some/key", bytes([number]) * 100_000)
        data = store.read("kind", "some/key")
        if data is None or len(data) != 100_000 or len(set(data)) != 1:
            return False
    return True


def test_readers_never_see_a_part(tmp_path):
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        assert all(pool.map(write_many, [tmp_path] * 4, range(4)))
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["key"]


def test_failed_write_leaves_nothing(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(TypeError):
        store.write("kind", "key", "text")
    assert store.read("kind", "key") is None
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_folder_by_variable(monkeypatch, tmp_path):
    monkeypatch.setenv("KERNEL_MATRIX_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("KERNEL_MATRIX_CACHE")
    assert cache_folder().name == "kernel-matrix"
