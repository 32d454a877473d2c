from __future__ import annotations

from pathlib import Path

import pytest
from packaging.version import Version

from matrix.errors import InputError
from matrix.releases import window

PUBLISHED = [
    "0.2.0.post1",
    "0.5.2",
    "0.5.3",
    "0.6.7.post3",
    "0.6.8",
    "0.6.8.post1",
    "0.6.9rc1",
    "0.6.11.post1",
    "0.6.14",
    "0.6.18.post1",
    "0.7.0rc3",
    "0.7.2",
    "0.7.2.post1",
    "0.8.0rc1",
]
BUILT_IN = window.load(window.BUILT_IN)


def chosen(*terms, published=lambda: PUBLISHED):
    return [release.version for release in window.select(terms, BUILT_IN, published)]


def no_network():
    raise AssertionError("the package index was asked")


def test_the_window_is_the_documented_one():
    assert [release.version for release in BUILT_IN.releases] == [
        "0.5.3",
        "0.6.7.post3",
        "0.6.8.post1",
        "0.6.11.post1",
        "0.6.14",
        "0.6.18.post1",
        "0.7.2.post1",
    ]
    assert all(release.reason for release in BUILT_IN.releases)
    assert BUILT_IN.distribution == "flashinfer-python"


def test_the_projects_file_says_the_same_as_the_built_in_one():
    project = Path(__file__).parents[2] / window.IN_PROJECT
    assert project.read_bytes() == window.BUILT_IN.read_bytes()


def test_the_working_folders_file_is_read_before_the_built_in_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert window.load().path == window.BUILT_IN
    (tmp_path / "ci").mkdir()
    (tmp_path / window.IN_PROJECT).write_text(
        'schema = 1\n[[release]]\nversion = "0.6.14"\nreason = "mine"\n', encoding="utf-8"
    )
    assert [release.reason for release in window.load().releases] == ["mine"]


def test_terms_that_the_window_holds_ask_no_index():
    assert chosen("window", published=no_network) == [release.version for release in BUILT_IN.releases]
    assert chosen("0.6.14", "0.5.3", published=no_network) == ["0.5.3", "0.6.14"]
    assert chosen("window,0.6.14", published=no_network) == chosen("window", published=no_network)


def test_the_index_is_asked_once_for_several_terms():
    asked = []

    def ask():
        asked.append(1)
        return PUBLISHED

    assert chosen("latest", "0.6.8", ">=0.6.8,<0.6.9", published=ask) == [
        "0.6.8",
        "0.6.8.post1",
        "0.7.2.post1",
    ]
    assert asked == [1]


def test_reasons_come_from_the_window_or_name_the_term():
    told = {r.version: r.reason for r in window.select(["0.6.14", "0.6.8"], BUILT_IN, lambda: PUBLISHED)}
    assert told["0.6.14"].startswith("SGLang 0.5.16 pins it")
    assert told["0.6.8"] == "asked for by '0.6.8'"


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        (["latest"], ["0.7.2.post1"]),
        (["all"], [version for version in PUBLISHED if not Version(version).is_prerelease]),
        ([">=0.6.8,<0.7"], ["0.6.8", "0.6.8.post1", "0.6.11.post1", "0.6.14", "0.6.18.post1"]),
        ([">= 0.6.8 , < 0.6.11"], ["0.6.8", "0.6.8.post1"]),
        (["==0.6.8.*"], ["0.6.8", "0.6.8.post1"]),
        (["~=0.7.0"], ["0.7.2", "0.7.2.post1"]),
        ([">=0.8.0rc1"], ["0.8.0rc1"]),
        (["latest", "0.5.3"], ["0.5.3", "0.7.2.post1"]),
        (["0.5.3,latest,<0.5"], ["0.2.0.post1", "0.5.3", "0.7.2.post1"]),
        (["0.8.0rc1"], ["0.8.0rc1"]),
        (["0.6.8-post1"], ["0.6.8.post1"]),
        (["v0.6.14"], ["0.6.14"]),
        (["0.6.14", "0.6.14.0"], ["0.6.14"]),
    ],
)
def test_terms(terms, expected):
    assert chosen(*terms) == expected


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        (
            ["0.6.15"],
            "unknown release '0.6.15'.\n  Nearest published releases: 0.6.11.post1, 0.6.14, 0.6.18.post1.",
        ),
        (["0.6.99"], "Nearest published releases: 0.6.14, 0.6.18.post1, 0.7.0rc3."),
        (["9"], "Nearest published releases: 0.7.2.post1, 0.8.0rc1."),
        (["0.1"], "Nearest published releases: 0.2.0.post1."),
        (["newest"], "unknown release 'newest'"),
        (["windows"], "Did you mean window"),
        (["lates"], "Did you mean latest"),
        (["0.6.14x"], "Did you mean 0.6.14"),
        (["0.6.*"], "unknown release '0.6.*'"),
        ([">=9"], "no release matches '>=9'.\n  Published: 0.2.0.post1 to 0.8.0rc1."),
        ([">=x"], "'>=x' is not a version specifier"),
        (["=0.6.14"], "'=0.6.14' is not a version specifier"),
        ([""], "no release was named"),
        ([" , "], "no release was named"),
        ([], "no release was named"),
    ],
)
def test_what_names_no_release_is_one_clear_error(terms, message):
    with pytest.raises(InputError) as caught:
        chosen(*terms)
    assert message in str(caught.value)


GOOD = 'schema = 1\n[[release]]\nversion = "0.6.14"\nreason = "r"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("schema = 1\n[[release", "is not valid TOML"),
        ("schema = 1\n[[release]]\nversion = '0.6.14'\nversion = '0.6.14'\n", "is not valid TOML"),
        ("", "schema is None, not 1"),
        ("schema = 2\n", "schema is 2, not 1"),
        ("schema = 1\n", "no [[release]] entries"),
        ("schema = 1\nrelease = '0.6.14'\n", "no [[release]] entries"),
        ("schema = 1\nrelease = ['0.6.14']\n", "release 1: not a table"),
        (GOOD + "[window]\n", "unknown key 'window'"),
        ("distributon = 'x'\n" + GOOD, "unknown key 'distributon'.\n  Did you mean distribution?"),
        (GOOD + "note = 'x'\n", "release 1: unknown key 'note'"),
        (
            GOOD + "[[release]]\nversoin = '0.7.2'\nreason = 'r'\n",
            "release 2: unknown key 'versoin'.\n  Did you mean v",
        ),
        (GOOD + "[[release]]\nversion = '0.7.2'\n", "release 2: 'version' and 'reason' must both be text"),
        (GOOD + "[[release]]\nversion = '0.7.2'\nreason = ''\n", "release 2: 'version' and 'reason'"),
        (GOOD + "[[release]]\nversion = 0.7\nreason = 'r'\n", "release 2: 'version' and 'reason'"),
        (GOOD + "[[release]]\nversion = 'new'\nreason = 'r'\n", "release 2: Invalid version: 'new'"),
        (GOOD + GOOD.partition("\n")[2], "release 0.6.14 stands there twice"),
        (GOOD + "[[release]]\nversion = '0.6.14.0'\nreason = 'r'\n", "stands there twice"),
        ("distribution = 3\n" + GOOD, "distribution is 3"),
    ],
)
def test_a_file_that_does_not_hold_is_named_with_its_entry(tmp_path, text, message):
    path = tmp_path / "releases.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        window.load(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


TWO = """\
schema = 1
[[release]]
version = "0.6.14"
reason = "instead of version 0.6.99"
[[release]]
reason = "mistyped"
version = '0.6.99'
"""


@pytest.fixture
def mistyped(tmp_path):
    path = tmp_path / "releases.toml"
    path.write_text(TWO, encoding="utf-8")
    return window.load(path)


def test_a_release_of_the_file_that_the_index_has_not_is_named_with_its_line(mistyped):
    with pytest.raises(InputError) as caught:
        window.check(mistyped.releases, mistyped, PUBLISHED)
    assert str(caught.value) == (
        f"{mistyped.path}, line 7: no index offers flashinfer-python 0.6.99.\n"
        "  Nearest published releases: 0.6.14, 0.6.18.post1, 0.7.0rc3. "
        "Correct the entry, or remove it if it was yanked."
    )


def test_only_releases_that_a_run_covers_are_checked(mistyped):
    window.check(mistyped.releases[:1], mistyped, PUBLISHED)
    window.check(mistyped.releases, mistyped, [*PUBLISHED, "0.6.99.0"])
    window.check(BUILT_IN.releases, BUILT_IN, PUBLISHED)


def test_releases_are_ordered_by_version_and_not_by_text(tmp_path):
    path = tmp_path / "releases.toml"
    entries = "".join(
        f"[[release]]\nversion = '{v}'\nreason = 'r'\n" for v in ("0.6.14", "0.6.8.post1", "0.6.8")
    )
    path.write_text("schema = 1\n" + entries, encoding="utf-8")
    assert [release.version for release in window.load(path).releases] == ["0.6.8", "0.6.8.post1", "0.6.14"]
