"""Wheels read by ranges: little is read, everything is checked, and nothing half-read is taken for a file."""

import io
import tarfile
from dataclasses import replace
from hashlib import sha224
from pathlib import Path

import pytest

from matrix.errors import InputError, NetworkError
from matrix.releases.index import Index
from matrix.releases.net import Network
from matrix.releases.store import Store
from matrix.releases.tree import Folder, Sdist
from matrix.releases.wheel import Wheel, open_file, open_path

CORE = "some_kernels/core.py"


@pytest.fixture
def file(local_index, network, tmp_path):
    return Index(network, Store(tmp_path / "cache")).release("some-kernels", "1.0").best


def big_wheel(wheel_in, folder, members=120):
    names = {
        f"some_kernels/part{number}.py": f"def f{number}(a): ...\n".encode() for number in range(members)
    }
    return wheel_in(folder, "5.0", names)


def test_members_and_contents(file, network):
    with Wheel(file.url, size=file.size, sha256=file.sha256, network=network) as wheel:
        members = wheel.members()
        assert members[CORE].size == len(b"def f(a): ...\n")
        assert members[CORE].sha256
        assert wheel.read([CORE]) == {CORE: b"def f(a): ...\n"}


def test_little_is_read_and_neighbours_together(local_index, network, wheel_in, tmp_path):
    big_wheel(wheel_in, local_index.folder)
    file = Index(network, Store(tmp_path / "c")).release("some-kernels", "5.0").best
    wheel = open_file(file, network)
    wheel.members()
    asked, before = network.requests, network.bytes_read
    read = wheel.read(["some_kernels/part0.py", "some_kernels/part60.py"])
    assert len(read) == 2
    assert network.requests - asked == 2
    assert network.bytes_read - before < 2_000
    assert file.size > 4_000_000
    asked = network.requests
    wheel.read(["some_kernels/part0.py"])
    assert network.requests == asked


def test_neighbours_in_one_request(local_index, network, tmp_path):
    import zipfile

    path = local_index.folder / "some_kernels-6.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(300):
            archive.writestr(f"some_kernels/part{number}.py", f"x = {number}\n" * 50)
        archive.writestr("some_kernels/data.bin", bytes(range(256)) * 2000)
    file = Index(network, Store(tmp_path / "c")).release("some-kernels", "6.0").best
    wheel = open_file(file, network)
    asked = network.requests
    assert len(wheel.read([name for name in wheel.members() if name.endswith(".py")])) == 300
    assert network.requests - asked == 1


def test_server_without_ranges_gives_the_whole_file_checked(local_index, file, network):
    local_index.ranges = False
    assert open_file(file, network).read([CORE])[CORE] == b"def f(a): ...\n"
    local_index.spoil = lambda data: data[:100] + bytes([data[100] ^ 1]) + data[101:]
    with pytest.raises(NetworkError, match="sha256"):
        open_file(file, network)


def test_interrupted_read_is_tried_again_and_never_taken_for_a_file(local_index, file, network):
    local_index.cuts = 1
    assert open_file(file, network).read([CORE])[CORE] == b"def f(a): ...\n"
    local_index.cuts = 99
    with pytest.raises(NetworkError, match="cannot read"):
        open_file(file, network)


def test_changed_byte_of_a_member_is_seen(local_index, network, wheel_in, tmp_path):
    wheel_in(local_index.folder, "7.0", {CORE: b"x = 1\n" * 3, "some_kernels/a.py": bytes(range(200)) * 300})
    path = local_index.folder / "some_kernels-7.0-py3-none-any.whl"
    data = path.read_bytes()
    at = data.index(b"some_kernels/a.py") + 200
    file = Index(network, Store(tmp_path / "c")).release("some-kernels", "7.0").best
    local_index.spoil = lambda whole: whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :]
    wheel = open_file(file, network)
    with pytest.raises(NetworkError, match=r"damaged|RECORD"):
        wheel.read(["some_kernels/a.py"])


def test_record_digest_is_checked_beyond_the_crc(local_index, network, wheel_in, tmp_path):
    """A wheel whose member was replaced with its CRC kept up, but not its RECORD."""
    import zipfile

    path = wheel_in(local_index.folder, "8.0")
    with zipfile.ZipFile(path) as archive:
        contents = {info.filename: archive.read(info) for info in archive.infolist()}
    contents[CORE] = b"def f(b): ...\n"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    with pytest.raises(NetworkError, match="RECORD"):
        open_path(path).read([CORE])


def test_a_local_wheel_is_told_by_what_it_holds_and_not_by_its_record(file, network, wheel_in, tmp_path):
    assert open_file(file, network).members()[CORE].sha256
    path = wheel_in(tmp_path)
    for url in (str(path), path.as_uri()):
        assert not any(member.sha256 for member in Wheel(url).members().values())


def test_paths_from_where_one_stands(wheel_in, tmp_path, monkeypatch):
    path = wheel_in(tmp_path)
    pack(tmp_path / "some_kernels-0.1.tar.gz", b"x = 1\n")
    monkeypatch.chdir(tmp_path)
    assert open_path(Path(path.name)).read([CORE])
    assert Wheel(f"./{path.name}").read([CORE])
    assert open_path(Path("some_kernels-0.1.tar.gz")).members()


def test_no_flipped_byte_of_a_local_file_goes_unseen(wheel_in, tmp_path):
    """Either one error, or what was in the file before."""
    import random

    files = {f"some_kernels/part{n}.py": f"def f{n}(a): ...\n".encode() * 20 for n in range(8)}
    wheel = wheel_in(tmp_path, "9.0", files)
    sdist = pack(tmp_path / "some_kernels-9.0.tar.gz", b"def f(a): ...\n" * 50)
    chance = random.Random(1)
    for path in (wheel, sdist):
        whole = path.read_bytes()
        contents = sources(path)
        refused = 0
        places = [chance.randrange(len(whole)) for _ in range(150)]
        for at in [*places, *range(len(whole) - 700, len(whole), 2)] if path == wheel else places:
            path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << chance.randrange(8))]) + whole[at + 1 :])
            try:
                assert sources(path) == contents
            except NetworkError:
                refused += 1
        assert refused > 20


def sources(path):
    tree = open_path(path)
    return tree.read([name for name in tree.members() if name.endswith(".py")])


def pack(path, source):
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo(f"{path.name.removesuffix('.tar.gz')}/some_kernels/__init__.py")
        info.size = len(source)
        archive.addfile(info, io.BytesIO(source))
    return path


def test_member_that_was_taken_out_of_a_local_wheel(wheel_in, tmp_path):
    path = wheel_in(tmp_path)
    path.write_bytes(path.read_bytes().replace(CORE.encode(), CORE[:-1].encode() + b"q"))
    with pytest.raises(NetworkError, match=r"RECORD names some_kernels/core\.py"):
        open_path(path).members()
    path.write_bytes(path.read_bytes().replace(b"/RECORD", b"/RECARD"))
    with pytest.raises(NetworkError, match="holds no RECORD"):
        open_path(path).members()


def test_record_that_cannot_be_read(tmp_path):
    import zipfile

    path = tmp_path / "some_kernels-1.0-py3-none-any.whl"
    for record in (b"\xff\xfe", b"a.py,sha256=x,1"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.py", "x = 1")
            archive.writestr("some_kernels-1.0.dist-info/RECORD", record)
        with pytest.raises(NetworkError, match="RECORD cannot be read"):
            open_path(path).members()


def test_folder_that_is_the_package_itself(tmp_path, monkeypatch):
    package = tmp_path / "checkout" / "some_kernels"
    (package / "part").mkdir(parents=True)
    for file in (package / "__init__.py", package / "part" / "__init__.py", tmp_path / "checkout" / "x.py"):
        file.write_text("x = 1\n")
    wanted = {"some_kernels/__init__.py", "some_kernels/part/__init__.py"}
    assert set(open_path(package).members()) == wanted
    monkeypatch.chdir(package)
    assert set(open_path(Path()).members()) == wanted
    with pytest.raises(InputError, match="part of the package"):
        open_path(package / "part")
    assert set(open_path(package.parent).members()) == {*wanted, "x.py"}
    (package / "pyproject.toml").write_text("")
    assert set(open_path(package).members()) == {"__init__.py", "part/__init__.py", "pyproject.toml"}


def test_size_that_the_index_does_not_give_is_refused(file, network):
    with pytest.raises(NetworkError, match="the index says"):
        Wheel(file.url, size=file.size + 1, network=network)


def test_truncated_file_on_disk_is_no_wheel(wheel_in, tmp_path):
    path = wheel_in(tmp_path)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(NetworkError, match="not a whole wheel"):
        open_path(path)


def test_unknown_member_names_the_nearest(file, network):
    with pytest.raises(InputError, match=r"some_kernels/core\.py"):
        open_file(file, network).read(["some_kernels/cor.py"])


def test_pip_cache_is_used_only_where_the_digest_holds(local_index, file, network, tmp_path):
    key = sha224(file.url.encode()).hexdigest()
    body = tmp_path.joinpath("pip", "http-v2", *key[:5], f"{key}.body")
    body.parent.mkdir(parents=True)
    body.write_bytes((local_index.folder / file.filename).read_bytes())
    cached = Network(replace(network.settings, pip_cache=tmp_path / "pip", offline=True))
    assert open_file(file, cached).read([CORE])
    body.write_bytes(body.read_bytes()[:-1] + b"x")
    with pytest.raises(NetworkError, match="offline"):
        open_file(file, cached)


def test_uv_cache_is_used_only_where_the_digest_holds(file, network, tmp_path):
    import zipfile

    unpacked = tmp_path / "uv" / "archive-v0" / "id"
    notes = tmp_path / "uv" / "wheels-v8" / "pypi" / "some-kernels"
    notes.mkdir(parents=True)
    with zipfile.ZipFile(io.BytesIO(Network(network.settings).get(file.url).body)) as archive:
        archive.extractall(unpacked)
    (notes / "1.0-py3-none-any").symlink_to(unpacked)
    note = notes / "1.0-py3-none-any.http"
    note.write_bytes(b"\x95..id.." + file.sha256.encode())
    cached = Network(replace(network.settings, uv_cache=tmp_path / "uv", offline=True))
    tree = open_file(file, cached)
    assert isinstance(tree, Folder)
    assert tree.read([CORE])
    (unpacked / CORE).write_text("def f(changed): ...\n")
    with pytest.raises(NetworkError, match="RECORD"):
        open_file(file, cached).read([CORE])
    note.write_bytes(b"another")
    with pytest.raises(NetworkError, match="offline"):
        open_file(file, cached)


def test_sdist_is_read_whole_and_checked(tmp_path):
    path = pack(tmp_path / "some_kernels-0.1.tar.gz", b"x = 1\n")
    assert Sdist(str(path)).read(["some_kernels/__init__.py"]) == {"some_kernels/__init__.py": b"x = 1\n"}
    with pytest.raises(NetworkError, match="size or sha256"):
        Sdist(str(path), sha256="0" * 64)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(NetworkError, match="not a whole sdist"):
        Sdist(str(path))


def test_path_that_is_nothing(tmp_path):
    with pytest.raises(InputError, match="is not there"):
        open_path(tmp_path / "absent.whl")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InputError, match="neither a wheel nor an sdist"):
        open_path(tmp_path / "notes.txt")


@pytest.mark.wheels
def test_a_real_release_is_read_by_ranges():
    settings = replace(Network().settings, uv_cache=None, pip_cache=None)
    network = Network(settings)
    file = Index(network).release("flashinfer-python", "0.6.14").best
    with open_file(file, network) as wheel:
        before = network.bytes_read
        names = [
            name
            for name in wheel.members()
            if name.startswith("flashinfer/fused_moe/") and name.endswith(".py")
        ]
        contents = wheel.read(names)
    assert b"def trtllm_bf16_moe(" in contents["flashinfer/fused_moe/core.py"]
    assert network.bytes_read - before < file.size // 10
    network.close()
