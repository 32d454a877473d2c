"""`check-consumer` as a user calls it, on folders: formats, baseline, exit codes."""

import datetime as dt
import json
from textwrap import dedent

import pytest

from matrix.cli import check_consumer
from matrix.engines import baseline, consumer, formats
from matrix.engines.config import general
from matrix.engines.shelf import Shelf
from matrix.errors import InputError
from matrix.releases.store import Store
from matrix.surface.library import Library

FLASHINFER = """
def run(x, scale=1.0): ...
"""
ENGINE = """
import flashinfer
from flashinfer.core import run, gone

def f(x):
    run(x, scale=2)
    run(x, speed=2)
    try:
        flashinfer.core.lost(x)
    except AttributeError:
        return None
"""


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """A FlashInfer and an engine that pins nothing, with a cache of their own."""
    monkeypatch.setenv("KERNEL_MATRIX_CACHE", str(tmp_path / "cache"))
    for name, source in {
        "fi/flashinfer/__init__.py": "",
        "fi/flashinfer/core.py": FLASHINFER,
        "engine/server/__init__.py": "",
        "engine/server/moe.py": ENGINE,
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(source), encoding="utf-8")
    return tmp_path / "engine", tmp_path / "fi"


@pytest.fixture
def report(folders):
    library = Library(store=Store())
    release = Shelf(library).anything(str(folders[0]))
    return consumer.check(general("server"), release, str(folders[1]), library)


def call(folders, *more):
    import argparse

    parser = argparse.ArgumentParser()
    check_consumer.add_arguments(parser)
    return check_consumer.run(parser.parse_args([str(folders[0]), "--against", str(folders[1]), *more]))


def test_what_breaks_and_what_is_caught(report):
    assert [(one.use.line, one.judgement.verdict.value) for one in report.broken] == [
        (3, "broken at import"),
        (7, "broken at call"),
    ]
    assert report.counts["guarded"] == 1
    assert report.notices == [
        "The engine pins no FlashInfer: what shifts by position or default cannot be seen."
    ]


def test_json_has_the_fields_that_scripts_rely_on(folders, capsys):
    assert call(folders, "--json") == 1
    document = json.loads(capsys.readouterr().out)
    assert {"engine", "engine_release", "flashinfer", "uses"} <= set(document)
    needed = {"file", "line", "symbol", "kind", "verdict", "class", "name", "reason", "guard", "since"}
    assert all(needed <= set(use) for use in document["uses"])
    assert {use["kind"] for use in document["uses"]} <= {"import", "call", "enum", "private"}
    assert {use["file"] for use in document["uses"]} == {"server/moe.py"}
    broken = [use for use in document["uses"] if use["breaks"]]
    assert [use["class"] for use in broken] == ["removed-symbol", "removed-parameter"]


def test_text_markdown_and_annotations_name_file_line_and_reason(report):
    for shown in (formats.text(report), formats.markdown(report)):
        assert "server/moe.py:7" in shown
        assert "unexpected keyword argument 'speed'" in shown
        assert "2 uses break" in shown
    annotations = formats.github(report).splitlines()
    assert annotations[0].startswith("::error file=server/moe.py,line=3,")
    assert len(annotations) == 2


def test_sarif_has_a_result_a_break(report):
    run = formats.sarif(report)["runs"][0]
    assert [result["ruleId"] for result in run["results"]] == ["removed-symbol", "removed-parameter"]
    assert {rule["id"] for rule in run["tool"]["driver"]["rules"]} == {"removed-symbol", "removed-parameter"}


def test_a_baseline_lets_known_breaks_pass_until_they_expire(folders, tmp_path, capsys):
    path = tmp_path / "known.toml"
    assert call(folders, "--write-baseline", str(path)) == 0
    assert call(folders, "--baseline", str(path)) == 0
    assert "Known and let pass (2)" in capsys.readouterr().out
    expired = path.read_text().replace(str(dt.datetime.now(dt.timezone.utc).year), "2020")
    path.write_text(expired.replace(str(dt.datetime.now(dt.timezone.utc).year + 1), "2020"))
    assert call(folders, "--baseline", str(path)) == 1
    assert "expired on 2020" in capsys.readouterr().out


def test_an_entry_that_fits_nothing_is_told(report, tmp_path):
    path = tmp_path / "known.toml"
    path.write_text('[[known]]\nsymbol = "flashinfer.other"\nreason = "r"\nexpires = 2100-01-01\n')
    known = baseline.Baseline(path, dt.date(2030, 1, 1))
    assert consumer.excuse(report, known.reason).broken == report.broken
    assert known.notices() == [f"{path}: `flashinfer.other` fits no finding; remove it."]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ('symbol = "x"\nreson = "r"', "unknown key 'reson'"),
        ('symbol = "x"\nreason = "r"', "expires is missing"),
        ('symbol = "x"\nreason = "r"\nexpires = "soon"', "expires is not a date"),
    ],
)
def test_a_wrong_baseline_is_refused(tmp_path, entry, message):
    path = tmp_path / "known.toml"
    path.write_text(f"[[known]]\n{entry}\n")
    with pytest.raises(InputError, match=message):
        baseline.Baseline(path, dt.date(2030, 1, 1))


def test_what_is_no_package_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no Python source"):
        Shelf(Library(store=Store(tmp_path))).anything(str(tmp_path))
    with pytest.raises(InputError, match="neither there nor a requirement"):
        Shelf(Library(store=Store(tmp_path))).anything("./nothing/here")


@pytest.mark.parametrize("content", ["known = 3", "known = ['x']"])
def test_a_baseline_without_tables_is_refused(tmp_path, content):
    path = tmp_path / "known.toml"
    path.write_text(f"{content}\n")
    with pytest.raises(InputError, match="not a list of tables"):
        baseline.Baseline(path, dt.date(2030, 1, 1))
