from __future__ import annotations

from datetime import date

import pytest

from matrix.errors import InputError
from matrix.expectations import BUILT_IN, load

HEAD = "schema = 1\n"
ENTRY = '[[expect]]\nverdict = "FAIL_API"\nreason = "known"\n'


def written(tmp_path, text: str):
    path = tmp_path / "expectations.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_file_of_the_package_loads_and_the_checkout_links_to_it(request):
    assert load(BUILT_IN).entries
    assert (request.config.rootpath / "ci" / "expectations.toml").resolve() == BUILT_IN.resolve()


def test_the_working_folders_file_comes_before_the_built_in_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load().path == BUILT_IN
    (tmp_path / "ci").mkdir()
    (tmp_path / "ci" / "expectations.toml").write_text(HEAD + ENTRY, encoding="utf-8")
    assert [entry.reason for entry in load().entries] == ["known"]


def test_every_key_is_read(tmp_path):
    text = HEAD + (
        '[[expect]]\nverdict = ["FAIL_API", "PASS"]\nreason = "r"\nstage = "bind"\nsays = "x"\n'
        'releases = ">=0.5.3,<0.6.8"\n'
        'environment = ["lean", "full*"]\ncells = "activation=relu2 and not role=draft"\ngpu = ">=10.0"\n'
        'expires = 2027-06-30\nlink = "https://example.org/1"\nowner = "moe"\n'
    )
    (entry,) = load(written(tmp_path, text)).entries
    assert entry.line == 2
    assert entry.to_json() == {
        "number": 1,
        "line": 2,
        "verdicts": ["FAIL_API", "PASS"],
        "reason": "r",
        "stages": ["bind"],
        "says": "x",
        "releases": "<0.6.8,>=0.5.3",
        "environments": ["lean", "full*"],
        "cells": "activation=relu2 and not role=draft",
        "gpu": ">=10.0",
        "expires": "2027-06-30",
        "link": "https://example.org/1",
        "owner": "moe",
    }
    assert entry.expired(date(2027, 7, 1))
    assert not entry.expired(date(2027, 6, 30))


@pytest.mark.parametrize(
    ("specifier", "release", "holds"),
    [
        ("<0.6.8", "0.6.7.post3", True),
        ("<=0.6.18", "0.6.18.post1", False),
        ("<0.6.19", "0.6.18.post1", True),
        (">=0.7", "0.7.2rc1", True),
        ("<0.6.8", "none", False),
        ("none", "none", True),
        ("none", "0.5.3", False),
        (None, "none", True),
    ],
)
def test_releases(tmp_path, specifier, release, holds):
    line = f'releases = "{specifier}"\n' if specifier else ""
    (entry,) = load(written(tmp_path, HEAD + ENTRY + line)).entries
    assert entry.holds_at(release, "lean", "") is holds


@pytest.mark.parametrize(
    ("line", "environment", "capability", "holds"),
    [
        ('environment = "lean"', "lean", "", True),
        ('environment = "lean"', "lean@sm90", "9.0", True),
        ('environment = "lean@3.12"', "lean@3.12", "", True),
        ('environment = "lean@3.12"', "lean", "", False),
        ('environment = ["absent", "full*"]', "full-cpu", "", True),
        ('environment = ["absent", "full*"]', "lean", "", False),
        ('gpu = "none"', "lean", "", True),
        ('gpu = "none"', "lean", "9.0", False),
        ('gpu = ">=10.0"', "lean", "10.3", True),
        ('gpu = ">=10.0"', "lean", "9.0", False),
        ('gpu = ">=10.0"', "lean", "", False),
    ],
)
def test_places(tmp_path, line, environment, capability, holds):
    (entry,) = load(written(tmp_path, HEAD + ENTRY + line + "\n")).entries
    assert entry.holds_at("0.6.14", environment, capability) is holds


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("schema = 2\n", ["schema is 2, not 1", "schema = 1"]),
        (HEAD + "[[expects]]\n", ["unknown key 'expects'", "expect"]),
        (HEAD + "[expect]\n", ["not a list of tables", "[[expect]]"]),
        (HEAD + ENTRY + 'releses = "<1"\n', ["line 2 (entry 1)", "'releses'", "Did you mean releases"]),
        (
            HEAD + ENTRY.replace("FAIL_API", "FAIL_APY"),
            ["line 2", "verdict 'FAIL_APY'", "Did you mean FAIL_API"],
        ),
        (HEAD + ENTRY.replace("FAIL_API", "NOT_RUN"), ["unknown verdict 'NOT_RUN'"]),
        (HEAD + ENTRY + 'stage = "bnd"\n', ["unknown stage 'bnd'", "bind"]),
        (HEAD + ENTRY + 'releases = "0.6.8"\n', ["releases = '0.6.8' is not a version specifier", ">=0.6.8"]),
        (HEAD + ENTRY + "gpu = 9.0\n", ["gpu = 9.0 is not a version specifier"]),
        (HEAD + ENTRY + 'expires = "2027-06-30"\n', ["is not a date", "without quotes"]),
        (HEAD + ENTRY + "expires = 2027-06-30T00:00:00\n", ["is not a date"]),
        (HEAD + ENTRY + 'cells = "activaton=relu2"\n', ["line 2 (entry 1)", "'activaton'", "activation"]),
        (HEAD + ENTRY + 'cells = "activation=relu3"\n', ["line 2 (entry 1)", "'relu3'", "relu2"]),
        (HEAD + ENTRY + 'cells = "role=draft bias=none"\n', ["one word too many"]),
        (HEAD + ENTRY + "environment = 3\n", ["environment = 3 is neither text nor a list of texts"]),
        (HEAD + ENTRY + "owner = 3\n", ["owner = 3 is not text"]),
        (HEAD + '[[expect]]\nverdict = "FAIL_API"\n', ["'reason' is missing or empty"]),
        (HEAD + ENTRY + "\n# note\n" + ENTRY + "x = 1\n", ["line 7 (entry 2)"]),
        (HEAD + "[[expect\n", ["is not valid TOML", "line 2"]),
    ],
)
def test_each_mistake_is_named_with_its_place_and_what_to_do(tmp_path, text, says):
    path = written(tmp_path, text)
    with pytest.raises(InputError) as error:
        load(path)
    assert str(path) in str(error.value)
    assert error.value.remedy
    for words in says:
        assert words in str(error.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="cannot read"):
        load(tmp_path / "nothing.toml")
