"""Where a release can come from, and what is kept of it."""

import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

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


def parameters(surface):
    return [name for name, _, _ in surface.function("kernels.core:f")["parameters"]]


EDITED = {**SOURCE, "kernels/core.py": "def f(a, c=1): ...\n"}


def shop(tmp_path, *links):
    """A library that knows only the wheels of a folder or page."""
    store = Store(tmp_path / "cache")
    network = Network(Settings(indexes=(), find_links=links))
    return Library(store, Index(network, store, refresh=True), project="some-kernels")


def test_edited_wheel_is_never_taken_for_the_one_before(tmp_path, offline_library, wheel_in):
    path = wheel_in(tmp_path, "1.0", SOURCE)
    assert parameters(offline_library.get(str(path))) == ["a", "b"]
    wheel_in(tmp_path, "1.0", EDITED, recorded=SOURCE)
    with pytest.raises(NetworkError, match=r"kernels/core\.py is not what the package's RECORD says"):
        offline_library.get(str(path))
    wheel_in(tmp_path, "1.0", EDITED)
    assert parameters(offline_library.get(str(path))) == ["a", "c"]


def test_flipped_byte_of_a_known_wheel_is_refused(tmp_path, offline_library, wheel_in):
    path = wheel_in(tmp_path, "1.0", SOURCE)
    offline_library.get(str(path))
    path.write_bytes(path.read_bytes().replace(b"def f(a, b=1)", b"def f(a, b=2)"))
    with pytest.raises(NetworkError, match="damaged"):
        offline_library.get(str(path))


def test_wheel_replaced_in_a_folder_of_wheels_is_read_anew(tmp_path, wheel_in):
    wheel_in(tmp_path, "1.0", SOURCE)
    assert parameters(shop(tmp_path, str(tmp_path)).get("1.0")) == ["a", "b"]
    assert shop(tmp_path).is_kept("1.0")
    wheel_in(tmp_path, "1.0", EDITED)
    assert parameters(shop(tmp_path, str(tmp_path)).get("1.0")) == ["a", "c"]


def test_wheel_on_a_server_is_held_against_the_kept_contents(tmp_path, wheel_in):
    """RECORD names a known content, and the directory of the wheel another CRC."""
    folder = tmp_path / "served"
    folder.mkdir()
    wheel_in(folder, "1.0", SOURCE)
    wheel_in(folder, "1.1", EDITED, recorded=SOURCE)
    quiet = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        library = shop(tmp_path, f"http://127.0.0.1:{server.server_port}/")
        assert parameters(library.get("1.0")) == ["a", "b"]
        with pytest.raises(NetworkError, match=r"kernels/core\.py is not what the package's RECORD says"):
            library.get("1.1")
        library.index.network.close()
        server.shutdown()


def test_torn_record_is_read_again(checkout, offline_library):
    whole = offline_library.get(str(checkout)).to_json()
    for spoil in (
        lambda data: data[:-3],
        lambda data: data.replace(b'"f"', b'"g"'),
        lambda _: b"\xff\xfe\xff",
    ):
        for record in (offline_library.store.folder / "records").rglob("*.json"):
            record.write_bytes(spoil(record.read_bytes()))
        assert offline_library.get(str(checkout)).to_json() == whole


def test_corrupted_surface_is_read_again(tmp_path, wheel_in):
    wheel_in(tmp_path, "1.0", SOURCE)
    whole = shop(tmp_path, str(tmp_path)).get("1.0").to_json()
    (kept,) = (tmp_path / "cache" / "surfaces").rglob("*.jsonl")
    note = kept.with_name(f"{kept.name}.note")
    good = kept.read_bytes()
    at = len(good) // 2
    for bad in (good[:at] + b"\xff\xfe\xff" + good[at + 3 :], good.replace(b'"b"', b'"x"'), good[:-9], b""):
        kept.write_bytes(bad)
        assert shop(tmp_path, str(tmp_path)).get("1.0").to_json() == whole
        assert kept.read_bytes() == good
    for bad in (b"", b"\xff\xfe\xff", b"[1", b"7"):
        note.write_bytes(bad)
        assert shop(tmp_path, str(tmp_path)).get("1.0").to_json() == whole
    assert shop(tmp_path).is_kept("1.0")


def test_release_of_another_project_is_named_so(tmp_path, wheel_in):
    wheel_in(tmp_path, "1.0", SOURCE)
    library = shop(tmp_path, str(tmp_path))
    assert library.get("Some_Kernels==1.0").release == library.get("1.0").release == "1.0"
    library.project = "other"
    (kept,) = (tmp_path / "cache" / "surfaces").rglob("*.jsonl")
    kept.unlink()
    assert library.get("Some_Kernels==1.0").release == "some-kernels==1.0"


def test_folder_named_without_a_slash(tmp_path, monkeypatch, wheel_in):
    wheel_in(tmp_path, "1.0", SOURCE)
    (tmp_path / "old").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"Write \./old"):
        shop(tmp_path, str(tmp_path)).get("old")
    with pytest.raises(InputError, match="the newest are"):
        shop(tmp_path, str(tmp_path)).get("older")


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
