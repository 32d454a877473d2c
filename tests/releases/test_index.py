"""Listings: JSON and HTML, several indexes and folders, versions in order, offline, errors that name the nearest."""

import base64
from dataclasses import replace

import pytest

from matrix.errors import InputError, NetworkError
from matrix.releases.index import Index, published
from matrix.releases.net import Network
from matrix.releases.settings import Settings
from matrix.releases.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "cache")


def listed(index):
    return [(file.filename, file.version) for file in index.files("some.kernels")]


@pytest.mark.parametrize("html", [False, True])
def test_versions_in_order_and_pre_releases_apart(local_index, network, store, wheel_in, html):
    local_index.html = html
    for version in ("1.10", "1.9", "1.10rc1", "1.9.post1"):
        wheel_in(local_index.folder, version)
    local_index.yanked.add("some_kernels-1.9-py3-none-any.whl")
    index = Index(network, store)
    assert [one.version for one in index.releases("some-kernels")] == ["1.0", "1.9.post1", "1.10"]
    assert [one.version for one in index.releases("some-kernels", pre=True, yanked=True)] == [
        "1.0",
        "1.9",
        "1.9.post1",
        "1.10rc1",
        "1.10",
    ]
    file = index.release("some_kernels", "1.10").best
    assert file.sha256 == local_index.digest(local_index.folder / file.filename)
    assert file.url.startswith("http://127.0.0.1")
    assert published("some-kernels", index=index)[-1] == "1.10"


def test_first_index_to_offer_a_file_wins_and_folders_add(local_index, network, store, wheel_in, tmp_path):
    wheel_in(tmp_path, "2.0")
    wheel_in(tmp_path, "1.0")
    settings = replace(network.settings, find_links=(str(tmp_path), str(tmp_path / "not there")))
    files = {file.version: file for file in Index(Network(settings), store).files("some-kernels")}
    assert files["1.0"].url.startswith("http://")
    assert files["2.0"].url == str(tmp_path / "some_kernels-2.0-py3-none-any.whl")


def test_file_index_and_index_that_is_not_there(local_index, store, tmp_path, wheel_in):
    folder = tmp_path / "simple" / "some-kernels"
    folder.mkdir(parents=True)
    wheel = wheel_in(tmp_path, "3.0")
    (folder / "index.html").write_text(f'<a href="../../{wheel.name}">x</a>')
    urls = ((tmp_path / "simple").as_uri(), (tmp_path / "nowhere").as_uri(), local_index.url)
    files = Index(Network(Settings(indexes=urls)), store).files("some-kernels")
    assert [file.version for file in files] == ["1.0", "3.0"]
    assert files[1].url == wheel.as_uri()


def test_listing_is_kept_for_an_hour_and_refreshed_when_asked(local_index, network, store, wheel_in):
    assert len(listed(Index(network, store))) == 1
    wheel_in(local_index.folder, "2.0")
    asked = len(local_index.requests)
    assert len(listed(Index(network, store))) == 1
    assert len(local_index.requests) == asked
    assert len(listed(Index(network, store, refresh=True))) == 2


def test_offline_works_from_the_cache_and_says_what_is_missing(local_index, network, store):
    offline = Network(replace(network.settings, offline=True))
    with pytest.raises(NetworkError, match="offline"):
        Index(offline, store).files("some-kernels")
    Index(network, store).files("some-kernels")
    assert len(listed(Index(offline, store))) == 1


def test_index_that_went_away_leaves_the_kept_listing(local_index, network, store, caplog):
    Index(network, store).files("some-kernels")
    local_index.failures = 99
    assert len(listed(Index(network, store, refresh=True))) == 1
    assert "Using the listing of" in caplog.text


def test_an_error_is_said_once_and_an_index_that_is_passed_over_too(local_index, network, store, caplog):
    local_index.failures = 99
    with pytest.raises(NetworkError, match="answered 503"):
        Index(network, store).files("some-kernels")
    assert not [one for one in caplog.records if one.levelname == "WARNING"]
    local_index.failures = 4
    both = Network(replace(network.settings, indexes=(f"{local_index.url}/../broken", local_index.url)))
    assert len(listed(Index(both, store))) == 1
    assert [one.message.rpartition(". ")[2] for one in caplog.records if one.levelname == "WARNING"] == [
        "It is passed over."
    ]


@pytest.mark.parametrize(
    "spoil", [lambda data: data[:-20], lambda _: b"\xff\xfe\xff", lambda _: b'["x", []]']
)
def test_torn_listing_is_ignored(local_index, network, store, spoil):
    index = Index(network, store)
    index.files("some-kernels")
    kept = next((store.folder / "listings").rglob("*.json"))
    kept.write_bytes(spoil(kept.read_bytes()))
    assert len(listed(Index(network, store))) == 1


def test_unknown_names(network, store):
    index = Index(network, store)
    with pytest.raises(InputError, match="knows 'other-kernels'"):
        index.files("other-kernels")
    with pytest.raises(InputError, match=r"Nearest published releases: 1\.0"):
        index.release("some-kernels", "1.0.1")
    with pytest.raises(InputError, match="unknown release"):
        index.release("some-kernels", "newest")


def test_server_that_recovers_is_asked_again(local_index, network, store):
    local_index.failures = 2
    assert len(listed(Index(network, store))) == 1


def test_a_project_is_asked_for_once_whether_it_is_told_or_not(local_index, network, store):
    local_index.failures = 99
    index = Index(network, store)
    for _ in range(3):
        with pytest.raises(NetworkError, match="answered 503"):
            index.files("some-kernels")
    assert len(local_index.requests) == 4
    local_index.failures = 0
    index = Index(network, store, refresh=True)
    assert listed(index) == listed(index)
    assert len(local_index.requests) == 5


def test_a_host_that_cannot_be_reached_is_not_tried_for_the_next_project(monkeypatch, store):
    waited = []
    monkeypatch.setattr("matrix.releases.net.time.sleep", waited.append)
    index = Index(Network(Settings(indexes=("http://127.0.0.1:9/simple",))), store)
    for project in ("some-kernels", "other-kernels"):
        with pytest.raises(NetworkError, match=rf"{project}/: ConnectError: .*refused"):
            index.files(project)
    assert len(waited) == 3


def test_a_host_that_answers_is_not_held_to_be_away_for_another_that_it_leads_to(local_index, network):
    local_index.leads_to = "http://127.0.0.1:9/"
    with pytest.raises(NetworkError, match="ConnectError"):
        network.get(f"{local_index.url}/some-kernels/")
    local_index.leads_to = ""
    assert network.get(f"{local_index.url}/some-kernels/").status == 200


def test_login_from_the_index_url_and_from_netrc(local_index, store, tmp_path):
    local_index.login = "Basic " + base64.b64encode(b"me:pw").decode()
    host = local_index.url.split("/")[2]
    with_login = Settings(indexes=(local_index.url,), credentials={host: ("me", "pw")})
    assert len(listed(Index(Network(with_login), store))) == 1
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password pw\n")
    netrc.chmod(0o600)
    other = Store(tmp_path / "other")
    assert len(listed(Index(Network(Settings(indexes=(local_index.url,), netrc=str(netrc))), other))) == 1
    with pytest.raises(NetworkError, match="answered 401"):
        Index(
            Network(Settings(indexes=(local_index.url,), netrc="/dev/null")), Store(tmp_path / "third")
        ).files("some-kernels")


@pytest.mark.wheels
def test_flashinfer_is_published_in_order():
    versions = published()
    assert {"0.4.0", "0.5.3", "0.6.8.post1", "0.6.14", "0.7.2.post1"} <= set(versions)
    assert versions.index("0.6.8") < versions.index("0.6.8.post1") < versions.index("0.6.10")
    assert not any("rc" in version for version in versions)
    assert any("rc" in version for version in published(pre=True))
