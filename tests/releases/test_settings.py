"""What pip and uv are told, by variables and files, is what is used."""

import pytest

from matrix.errors import InputError
from matrix.releases.settings import DEFAULT_INDEX, read_settings


@pytest.fixture
def home(tmp_path):
    (tmp_path / "home").mkdir()
    return {
        "HOME": str(tmp_path / "home"),
        "XDG_CONFIG_DIRS": str(tmp_path / "etc"),
        "PIP_CONFIG_FILE": "/dev/null",
    }


def test_default_index_where_nothing_is_said(home, tmp_path):
    assert read_settings(home, tmp_path).indexes == (DEFAULT_INDEX,)


def test_pip_variables(home, tmp_path):
    found = read_settings(
        home
        | {
            "PIP_INDEX_URL": "https://user:pa%40ss@pypi.company.example/simple",
            "PIP_EXTRA_INDEX_URL": "https://one.example/simple https://two.example/simple",
            "PIP_FIND_LINKS": "/wheels /more",
            "PIP_CERT": "/bundle.pem",
            "PIP_PROXY": "http://proxy:3128",
            "PIP_DEFAULT_TIMEOUT": "7",
        },
        tmp_path,
    )
    assert found.indexes == (
        "https://pypi.company.example/simple",
        "https://one.example/simple",
        "https://two.example/simple",
    )
    assert found.credentials == {"pypi.company.example": ("user", "pa@ss")}
    assert found.find_links == ("/wheels", "/more")
    assert (found.ca_bundle, found.proxy, found.timeout) == ("/bundle.pem", "http://proxy:3128", 7.0)


def test_pip_file_of_the_user_and_variable_over_it(home, tmp_path):
    del home["PIP_CONFIG_FILE"]
    folder = tmp_path / "home" / ".config" / "pip"
    folder.mkdir(parents=True)
    (folder / "pip.conf").write_text(
        "[global]\nindex-url = https://a.example/simple\nfind-links =\n  /one\n  /two\n"
        "[install]\ntrusted-host = a.example\n"
    )
    found = read_settings(home, tmp_path)
    assert found.indexes[0] == "https://a.example/simple"
    assert found.find_links[:2] == ("/one", "/two")
    assert "a.example" in found.trusted_hosts
    assert (
        read_settings(home | {"PIP_INDEX_URL": "https://b.example/simple"}, tmp_path)
        .indexes[0]
        .startswith("https://b")
    )


def test_no_index(home, tmp_path):
    found = read_settings(home | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels"}, tmp_path)
    assert found.indexes == ()
    assert found.find_links == ("/wheels",)


def test_uv_file_and_named_login(home, tmp_path):
    (tmp_path / "uv.toml").write_text(
        'find-links = ["wheels"]\n[[index]]\nname = "house"\nurl = "https://house.example/simple"\ndefault = true\n'
        '[[index]]\nname = "torch"\nurl = "https://torch.example/simple"\nexplicit = true\n'
    )
    found = read_settings(home | {"UV_INDEX_HOUSE_USERNAME": "me", "UV_INDEX_HOUSE_PASSWORD": "pw"}, tmp_path)
    assert found.indexes == ("https://house.example/simple",)
    assert found.credentials["house.example"] == ("me", "pw")
    assert found.find_links == (str(tmp_path / "wheels"),)


def test_uv_goes_before_pip(home, tmp_path):
    found = read_settings(
        home
        | {"UV_DEFAULT_INDEX": "https://uv.example/simple", "PIP_INDEX_URL": "https://pip.example/simple"},
        tmp_path,
    )
    assert found.indexes == ("https://uv.example/simple",)
    assert read_settings(home | {"UV_OFFLINE": "1"}, tmp_path).offline


def test_spoilt_file_is_named(home, tmp_path):
    (tmp_path / "uv.toml").write_text("index = [")
    with pytest.raises(InputError, match=r"uv\.toml"):
        read_settings(home, tmp_path)
    (tmp_path / "uv.toml").unlink()
    (tmp_path / "pip.conf").write_text("not a section\n")
    with pytest.raises(InputError, match=r"pip\.conf"):
        read_settings(home | {"PIP_CONFIG_FILE": str(tmp_path / "pip.conf")}, tmp_path)
