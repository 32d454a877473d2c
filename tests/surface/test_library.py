"""Where a release can come from, and what is kept of it."""

import json

import pytest

from matrix.errors import InputError, NetworkError
from matrix.releases.index import Index
from matrix.releases.net import Network
from matrix.releases.settings import Settings
from matrix.releases.store import Store
from matrix.surface.library import Library
from matrix.surface.model import dump, load

SOURCE = {"kernels/__init__.py": "from .core import f as f\n", "kernels/core.py": "def f(a, b=1): ...\n"}


@pytest.fixture
def checkout(tmp_path):
    folder = tmp_path / "checkout"
    for name, text in {**SOURCE, "tests/__init__.py": "x = 1", "setup.py": "y = 2"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def offline_library(tmp_path):
    store = Store(tmp_path / "cache")
    return Library(
        store, Index(Network(Settings(indexes=("https://index.invalid/simple",), offline=True)), store)
    )


@pytest.mark.parametrize("inside", ["", "src"])
def test_folder_of_sources(checkout, offline_library, inside, tmp_path):
    if inside:
        (tmp_path / "other").mkdir()
        checkout.rename(tmp_path / "other" / "src")
        checkout = tmp_path / "other"
    surface = offline_library.get(str(checkout))
    assert set(surface.modules) == {"kernels", "kernels.core"}
    assert surface.qualname("kernels.f") == "kernels.core:f"


def test_folder_without_a_package(offline_library, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no Python package"):
        offline_library.get(str(tmp_path / "empty"))


def test_changed_source_is_seen_at_once(checkout, offline_library):
    before = offline_library.get(str(checkout))
    (checkout / "kernels/core.py").write_text("def f(a, c, b=1): ...\n")
    after = offline_library.get(str(checkout))
    assert (
        len(after.function("kernels.core:f")["parameters"])
        == len(before.function("kernels.core:f")["parameters"]) + 1
    )


def test_offline_says_what_is_missing(offline_library):
    with pytest.raises(NetworkError, match="offline"):
        offline_library.get("0.6.14")


def test_torn_record_is_removed_and_named(checkout, offline_library):
    offline_library.get(str(checkout))
    for record in (offline_library.store.folder / "records").rglob("*.json"):
        record.write_bytes(record.read_bytes()[:-3])
    with pytest.raises(InputError, match="torn"):
        offline_library.get(str(checkout))
    for record in (offline_library.store.folder / "records").rglob("*.json"):
        record.unlink()
    assert offline_library.get(str(checkout)).qualname("kernels.f")


def test_document_is_read_back_the_same(made):
    surface = made(
        {
            "m": "from .a import f as f\nX = 1",
            "m.a": "def f(a=1): ...\ndef _g(): ...\nclass C:\n    def m(self): ...",
        }
    )
    kept = load(dump(surface))
    assert kept.to_json(private=True) == surface.to_json(private=True)
    assert kept.qualname("m.a._g") == "m.a:_g"
    assert kept.named("f") == ["m.a:f"]
    assert [kept.digest(name) for name in kept.modules] == [surface.digest(name) for name in surface.modules]


def test_torn_document_is_none(made):
    data = dump(made({"m": "def f(): ..."}))
    assert load(data[:-1]) is None
    assert load(data[: len(data) // 2]) is None
    assert load(b"") is None
    assert load(data.replace(b'"schema":1', b'"schema":0', 1)) is None


def test_document_is_json_of_the_fixed_form(made):
    document = json.loads(json.dumps(made({"m": "def f(a, b=None): ..."}).to_json()))
    assert document["functions"]["m:f"]["parameters"] == [
        ["a", "POSITIONAL_OR_KEYWORD", None],
        ["b", "POSITIONAL_OR_KEYWORD", "None"],
    ]
    assert (document["functions"]["m:f"]["file"], document["functions"]["m:f"]["line"]) == ("m.py", 1)
    assert document["paths"] == {"m.f": "m:f"}


@pytest.mark.wheels
def test_release_and_its_wheel_are_the_same_surface(library):
    from matrix.releases.wheel import open_file

    by_version = library.get("0.6.14")
    tree = open_file(library.index.release(library.project, "0.6.14").best, library.index.network)
    path = getattr(tree, "path", None)
    if path is None:
        pytest.skip("uv's cache does not hold the wheel unpacked")
    by_folder = library.get(str(path))
    assert [by_version.digest(name) for name in by_version.modules] == [
        by_folder.digest(name) for name in by_folder.modules
    ]


@pytest.mark.wheels
def test_pre_release_by_name(library):
    assert library.get("0.6.12rc3").qualname("flashinfer.fused_moe.trtllm_bf16_moe")
