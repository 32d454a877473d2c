"""Names of kernels from wheels, packages and caches."""

import shutil
import zipfile
from hashlib import sha256

import pytest

from matrix.cubins import gather, inventory, sources
from matrix.errors import InputError, NetworkError
from matrix.releases.index import Index
from matrix.releases.net import Network
from matrix.releases.settings import Settings
from matrix.releases.store import Store


def test_a_wheel_on_the_index_is_read_once(package, index):
    path = package()
    found = sources.on_index("0.6.8", index)
    assert found.moe() == {"none": 1, "swiGlu": 1, "relu2": 1}
    assert path.name in found.origin
    assert sources.releases(index) == ["0.6.8"]


def test_a_release_that_no_index_offers(package, index):
    package("0.6.7")
    with pytest.raises(InputError, match=r"no configured index offers flashinfer-cubin 0\.6\.14") as raised:
        sources.on_index("0.6.14", index)
    assert "releases after 0.6.7 are published by FlashInfer itself" in raised.value.remedy
    assert "--cubins" in raised.value.remedy
    with pytest.raises(InputError, match=r"no configured index offers flashinfer-cubin 0\.3\.0") as raised:
        sources.on_index("0.3.0", index)
    assert raised.value.remedy.startswith("There is no flashinfer-cubin before 0.6.7;")


def test_no_index_knows_the_project(index):
    with pytest.raises(InputError, match="no configured index offers flashinfer-cubin") as raised:
        sources.on_index("0.6.8", index)
    assert raised.value.remedy.startswith("Name an index that has them to pip")


def test_a_truncated_wheel_is_one_clear_verdict_and_the_rest_goes_on(package, index):
    package("0.6.7")
    path = package("0.6.8")
    path.write_bytes(path.read_bytes()[:-200])
    read, failed = sources.on_index_all(["0.6.7", "0.6.8", "0.6.9"], index)
    assert [each.release for each in read] == ["0.6.7"]
    assert [release for release, _ in failed] == ["0.6.8", "0.6.9"]
    assert "not a whole wheel" in str(failed[0][1])


def test_an_installed_package(package, index, tmp_path):
    with zipfile.ZipFile(package()) as archive:
        archive.extractall(tmp_path / "site-packages")
    found = sources.in_path("0.6.8", tmp_path / "site-packages", index)
    assert found.moe()["relu2"] == 1
    named = tmp_path / "site-packages" / "flashinfer_cubin"
    assert sources.in_path("0.6.8", named, index).moe() == found.moe()
    assert sources.headers("0.6.8", named, index) == sources.headers("0.6.8", named.parent, index)
    with pytest.raises(InputError, match=r"holds flashinfer-cubin 0\.6\.8, not 0\.6\.9"):
        sources.in_path("0.6.9", tmp_path / "site-packages", index)
    next((tmp_path / "site-packages").glob("*.dist-info/METADATA")).unlink()
    with pytest.raises(InputError, match=r"does not say which release .*: it has no METADATA"):
        sources.in_path("0.6.8", tmp_path / "site-packages", index)


def test_a_package_without_its_cubins(package, index, tmp_path):
    with zipfile.ZipFile(package()) as archive:
        headers = [name for name in archive.namelist() if not name.endswith(".cubin")]
        archive.extractall(tmp_path / "site-packages", headers)
    with pytest.raises(InputError, match=r"holds flashinfer-cubin 0\.6\.8 without its kernels"):
        sources.in_path("0.6.8", tmp_path / "site-packages", index)
    assert sources.headers("0.6.8", tmp_path / "site-packages", index)


def test_a_wheel_file(package, index, kernel_names):
    assert sources.in_path("0.6.8", package(), index).total == len(kernel_names)


def test_a_wheel_of_another_project(library, index):
    path = library()
    for read in (sources.in_path, sources.headers):
        with pytest.raises(InputError, match=r"is a wheel of flashinfer-python, and not of flashinfer-cubin"):
            read("0.6.8", path, index)


def test_a_wheel_of_the_users_that_is_cut_short(package, index):
    path = package()
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="not a whole wheel") as raised:
        sources.in_path("0.6.8", path, index)
    assert raised.value.remedy == "It was cut short, damaged or changed: copy or download it again."


def test_headers_have_a_fingerprint(package, index, tmp_path):
    path = package()
    first = sources.fingerprint("0.6.8", path, index)
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "site-packages")
    assert sources.fingerprint("0.6.8", tmp_path / "site-packages", index) == first
    next((tmp_path / "site-packages").rglob("*.h")).write_text("changed")
    assert sources.fingerprint("0.6.8", tmp_path / "site-packages", index) != first
    assert sources.fingerprint("0.6.9", tmp_path / "nowhere", index) == "none"


class Counted(Network):
    """Notes down what it is asked for."""

    def __init__(self, settings):
        super().__init__(settings)
        self.asked = []

    def get(self, url, **options):
        self.asked.append(url)
        return super().get(url, **options)


def test_an_index_that_does_not_answer_is_asked_once(tmp_path, monkeypatch):
    """A port where nobody listens; what is kept is shown, and one line says why."""
    monkeypatch.setattr("matrix.releases.net.TRIES", 1)
    network = Counted(Settings(indexes=("http://127.0.0.1:9/simple",)))
    found = gather.look_all(
        ["0.6.8", "0.6.8.post1", "0.6.14"], None, Index(network, Store(tmp_path / "store"))
    )
    network.close()
    assert network.asked == ["http://127.0.0.1:9/simple/flashinfer-cubin/"]
    assert [bool(each.known) for each in found] == [True, True, False]
    assert len({each.note for each in found if each.known}) == 1
    assert "cannot read http://127.0.0.1:9/simple/flashinfer-cubin/" in found[-1].problem["reason"]


def test_a_server_of_wheels_that_does_not_answer_is_asked_once(tmp_path, monkeypatch):
    monkeypatch.setattr("matrix.releases.net.TRIES", 1)
    page = tmp_path / "simple" / "flashinfer-cubin" / "index.html"
    page.parent.mkdir(parents=True)
    wheels = [f"flashinfer_cubin-0.6.{patch}-py3-none-any.whl" for patch in range(1, 9)]
    page.write_text("".join(f'<a href="http://127.0.0.1:9/{name}">{name}</a>' for name in wheels))
    network = Counted(Settings(indexes=((tmp_path / "simple").as_uri(),)))
    index = Index(network, Store(tmp_path / "store"))
    found = gather.look_all(sources.releases(index), None, index)
    network.close()
    assert len(found) == 8
    assert len([url for url in network.asked if url.startswith("http:")]) == 1


def test_names_that_cannot_be_kept_are_read_all_the_same(package, tmp_path):
    """As on a full disk: a file stands where the folder of names should be made."""
    path = package()
    page = tmp_path / "simple" / "flashinfer-cubin" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text(
        f'<a href="{path.as_uri()}#sha256={sha256(path.read_bytes()).hexdigest()}">{path.name}</a>'
    )
    settings = Settings(indexes=((tmp_path / "simple").as_uri(),))
    store = Store(tmp_path / "store")
    store.folder.mkdir()
    store.path("kernels", "").touch()
    read, failed = sources.on_index_all(["0.6.8"], Index(Network(settings), store))
    assert [each.release for each in read] == ["0.6.8"]
    assert failed == []


def test_flashinfers_cache_holds_other_releases_too(library, index, tmp_path, artifact, kernel_names):
    library()
    own, other = tmp_path / "cubins" / artifact, tmp_path / "cubins" / ("0" * 40) / "batched_gemm-1-2"
    for folder in (own, other):
        folder.mkdir(parents=True)
    (own / "checksums.txt").write_text(
        "".join(f"{'0' * 64} {name}.cubin\n" for name in kernel_names.values())
    )
    (own / f"{kernel_names['relu2']}.cubin").write_bytes(b"")  # the only one that was used
    (other / f"{kernel_names['swiglu'].replace('t128x16', 't128x64')}.cubin").write_bytes(b"")
    found = sources.in_path("0.6.8", tmp_path / "cubins", index)
    assert found.total == len(kernel_names)
    cache = f"FlashInfer's cache of cubins in {tmp_path / 'cubins'}"
    assert found.origin == f"{cache}; 3 of them are in its checksums alone, and not there"
    for name in kernel_names.values():
        (own / f"{name}.cubin").touch()
    assert sources.in_path("0.6.8", tmp_path / "cubins", index).origin == cache
    for kernel in kernel_names.keys() - {"relu2"}:
        (own / f"{kernel_names[kernel]}.cubin").unlink()
    (own / "checksums.txt").unlink()
    found = sources.in_path("0.6.8", tmp_path / "cubins", index)
    assert found.total == 1
    assert found.origin.endswith("only those that were used: it has no list of them")
    shutil.rmtree(own)
    with pytest.raises(InputError, match="holds no kernels of FlashInfer") as raised:
        sources.in_path("0.6.8", tmp_path / "cubins", index)
    assert raised.value.remedy.startswith("Give --cubins with a flashinfer-cubin wheel")


def test_headers(package, index, tmp_path, artifact):
    package(checksums="0 x")
    found = sources.headers("0.6.8", None, index)
    assert found == {
        f"{artifact}/checksums.txt": b"0 x",
        f"{artifact}/include/flashinferMetaInfo.h": b"#pragma once\n",
    }
    with pytest.raises(InputError):
        sources.headers("0.6.8", tmp_path / "nowhere", index)


@pytest.mark.wheels
def test_known_counts_come_out_and_are_kept(online):
    """BF16 x BF16 kernels by fused activation, and all MoE kernels, as they were counted by hand."""
    index = online
    read, failed = sources.on_index_all(sources.releases(index), index)
    assert failed == []
    assert len(read) >= 26
    by_release = {each.release: each for each in read}
    for release, plain, swiglu, relu2, every in [
        ("0.5.0", 52, 52, 0, 645),
        ("0.5.2", 52, 52, 0, 735),
        ("0.5.3", 36, 36, 0, 703),
        ("0.6.7.post3", 36, 36, 0, 1369),
        ("0.6.8", 36, 36, 36, 1405),
        ("0.6.11.post3", 36, 36, 36, 1516),
        ("0.6.12", 36, 72, 36, 1696),
        ("0.6.13", 36, 72, 72, 2108),
    ]:
        moe = by_release[release].moe()
        assert [moe["none"], moe["swiGlu"], moe.get("relu2", 0), moe.get("geGlu", 0)] == [
            plain,
            swiglu,
            relu2,
            0,
        ]
        assert by_release[release].families()["moe"] == every
    assert not any(each.unparsed for each in read)
    history = inventory.history(read)
    relu2 = next(spans for kind, spans in history.items() if kind[1:5] == (*["Bfloat16"] * 3, "relu2"))
    assert inventory.since(relu2) == "0.6.8"
    requests = index.network.requests
    assert sources.on_index_all(sources.releases(index), index)[0] == read
    assert index.network.requests == requests


def test_a_wheel_cut_while_it_is_read(package, index):
    path = package()
    path.write_bytes(b"PK" + path.read_bytes()[:20])
    with pytest.raises(NetworkError, match="not a whole wheel"):
        sources.on_index("0.6.8", index)
