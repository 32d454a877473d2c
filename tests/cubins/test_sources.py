"""Names of kernels from wheels, packages and caches."""

import shutil
import zipfile

import pytest

from matrix.cubins import inventory, sources
from matrix.errors import InputError, NetworkError


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
    assert found.origin == f"FlashInfer's cache of cubins in {tmp_path / 'cubins'}"
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
