"""`check-consumer` as a user calls it, on folders: formats, baseline, exit codes."""

import datetime as dt
import json
from dataclasses import replace
from textwrap import dedent

import pytest

from matrix.cli import check_consumer
from matrix.engines import baseline, consumer, formats, risks
from matrix.engines.config import general
from matrix.engines.judge import Judge
from matrix.engines.provider import Provider
from matrix.engines.shelf import Shelf
from matrix.engines.since import Since
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


def test_since_is_read_from_the_releases_and_never_made_up(tmp_path):
    """A pinned engine between local releases: what never existed, what came late, and what went."""
    sources = {
        "0.1.0": "def old(x): ...\ndef f(x): ...",
        "0.2.0": "def old(x): ...\ndef f(x): ...",
        "0.3.0": "def f(x, speed=1): ...",
        "0.4.0": "def f(x, speed=1): ...",
    }
    for version, source in sources.items():
        lay(tmp_path / version, {"flashinfer/__init__.py": "", "flashinfer/core.py": source})
    lay(
        tmp_path / "engine",
        {
            "server/__init__.py": "",
            "server/m.py": "from flashinfer.core import f, old, nope\nf(1, speed=2)\nf(1, nosuch=2)\n",
        },
    )
    library = Local(tmp_path, list(sources))
    engine = general("server")
    release = Shelf(library).anything(str(tmp_path / "engine"))

    def told(against, pin):
        provider, reference = (Provider(one, library, {}) for one in (against, pin))
        since = Since(engine, library, provider, reference=reference, history=False)
        judged = Judge(provider, engine, reference, release.probes).all(release)
        names = {found.name: since.of(use, found) for use, found in judged if found.alarming}
        return names, since.inexact

    assert told("0.4.0", "0.2.0") == (
        {
            "old": "since 0.3.0",
            "nope": "exists in no release read (4)",
            "nosuch": "right in no release read (4)",
        },
        0,
    )
    assert told("0.1.0", "0.4.0")[0]["speed"] == "exists from 0.3.0"
    library.unread = {"0.3.0"}
    found, inexact = told("0.4.0", "0.2.0")
    assert found["old"] == "since 0.4.0 at the latest (right in 0.2.0)"
    assert inexact == 1


class Local(Library):
    """Releases that lie in folders."""

    def __init__(self, folder, versions):
        super().__init__(store=Store(folder / "cache"))
        self.folder, self.versions, self.unread = folder, versions, set()

    def published(self, *, pre=False):
        return self.versions

    def get(self, release):
        surface = super().get(release if "/" in release else str(self.folder / release))
        if "/" not in release:
            surface.release = release
        return surface

    def _open(self, release):
        return super()._open(release if "/" in release else str(self.folder / release))

    def is_kept(self, version):
        return version not in self.unread


def lay(folder, files):
    for name, source in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")


def test_a_vendored_copy_is_left_out_and_told(folders):
    engine, _ = folders
    copy = engine / "3rdparty/flashinfer"
    lay(copy, {"flashinfer/__init__.py": "", "flashinfer/a.py": "from flashinfer.core import anything\n"})
    lay(copy, {"tools/b.py": "import flashinfer\nflashinfer.nothing(1)\n"})
    release = Shelf(Library(store=Store())).anything(str(engine))
    assert {use.file for use in release.uses} == {"server/moe.py"}
    assert release.problems == (("3rdparty/flashinfer", "vendored copy of flashinfer, 3 files"),)


def test_one_more_bad_call_of_a_known_kind_does_not_pass(folders, tmp_path, capsys):
    path = tmp_path / "known.toml"
    assert call(folders, "--write-baseline", str(path)) == 0
    source = folders[0] / "server/moe.py"
    before = source.read_text()
    source.write_text(before.replace("    run(x, speed=2)\n", "    run(x, speed=2)\n    run(x, speed=3)\n"))
    assert call(folders, "--baseline", str(path)) == 1
    assert "more than the 1 known findings" in capsys.readouterr().out
    source.write_text(before + "\ndef other(x):\n    run(x, speed=3)\n")
    assert call(folders, "--baseline", str(path)) == 1


def test_a_baseline_without_count_and_scope_lets_all_pass(report, tmp_path):
    path = tmp_path / "known.toml"
    path.write_text('[[known]]\nsymbol = "flashinfer.*"\nreason = "r"\nexpires = 2100-01-01\n')
    assert not consumer.excuse(report, baseline.Baseline(path, dt.date(2030, 1, 1)).reason).broken


def test_markdown_folds_what_does_not_break(report):
    shown = formats.markdown(report)
    assert "| where | what | why | in which releases |" in shown
    head, folded = shown.split("<details>", 1)
    assert "**Breaks (2)**" in head
    assert "Missing but caught (1)" in folded


def test_sarif_names_risks_and_has_what_the_standard_requires(report):
    risk = risks.Note(symbol="flashinfer.run", name="a", text="relies on it", where=("server/a b.py:4",))
    document = formats.sarif(replace(report, risks=[risk]))
    assert document["version"] == "2.1.0"
    [run] = document["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(rules) == len(set(rules))
    assert run["tool"]["driver"]["name"]
    for result in run["results"]:
        assert result["ruleId"] in rules
        assert result["level"] in {"none", "note", "warning", "error"}
        assert result["message"]["text"]
        for place in result["locations"]:
            physical = place["physicalLocation"]
            assert " " not in physical["artifactLocation"]["uri"]
            assert physical["region"]["startLine"] >= 1
    assert run["results"][-1]["ruleId"] == "at-risk"
    assert [result["level"] for result in run["results"]] == ["error", "error", "warning"]


def test_a_moved_parameter_names_what_moved_it():
    assert risks._cause("c", ["a", "b", "c"], ["n", "a", "c"]) == (
        "c moved, as n came in before it and b no longer stands before it"
    )
    assert risks._cause("b", ["a", "b"], ["b", "a"]) == "b moved, as a no longer stands before it"


COPIED = {
    "fi/flashinfer/__init__.py": "",
    "fi/flashinfer/tllm_enums.py": (
        "from enum import IntEnum\nclass RoutingMethodType(IntEnum):\n    Default = 0\n    New = 1\n    TopK = 2\n"
    ),
    "fi/flashinfer/core.py": "def moe(x, routing_method_type=0): ...",
    "engine/server/__init__.py": "",
    "engine/server/kinds.py": (
        "from enum import IntEnum\nclass RoutingMethodType(IntEnum):\n    Default = 0\n    TopK = 1\n"
    ),
    "engine/server/m.py": (
        "from flashinfer.core import moe\nfrom server.kinds import RoutingMethodType\n"
        "def f(x):\n    moe(x, routing_method_type=RoutingMethodType.TopK.value)\n"
        "    moe(x, int(RoutingMethodType.Default))\n"
    ),
}


def test_a_call_that_passes_a_shifted_member_is_shifted_and_named(tmp_path):
    lay(tmp_path, COPIED)
    library = Library(store=Store(tmp_path / "cache"))
    release = Shelf(library).anything(str(tmp_path / "engine"))
    found = consumer.check(general("server"), release, str(tmp_path / "fi"), library)
    shifted = {(one.use.kind, one.use.line): one.judgement.reason for one in found.broken}
    assert set(shifted) == {("enum", 4), ("call", 4)}
    assert shifted["enum", 4].endswith("it goes into a call at server/m.py:4")
    assert shifted["call", 4] == (
        "routing_method_type=RoutingMethodType.TopK passes 1, which is RoutingMethodType.New here; TopK is 2"
    )


def test_what_the_engine_itself_refuses_is_told(folders):
    engine, flashinfer = folders
    lay(engine, {"server/check.py": 'assert_pkg_version("flashinfer_python", "0.6.8", "too old")\n'})
    lay(engine, {"server/__init__.py": "import flashinfer\n"})
    release = Shelf(Library(store=Store())).anything(str(engine))
    assert release.pins.checks == (("0.6.8", "server/check.py", 1),)
    assert consumer._refusals(release, "0.6.7") == [
        "server itself refuses FlashInfer below 0.6.8 where server/check.py:1 runs."
    ]
    assert consumer._refusals(release, "0.6.8") == []
    assert consumer._refusals(release, str(flashinfer)) == []
