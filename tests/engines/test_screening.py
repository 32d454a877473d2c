"""A look at the bytes finds every file that leads to FlashInfer, and passes over those that only talk of it."""

from textwrap import dedent

import pytest

from matrix.engines.config import general
from matrix.engines.layout import lay_out
from matrix.engines.release import read_engine
from matrix.engines.screening import Screening
from matrix.releases.store import Store
from matrix.releases.wheel import open_path

ENGINE = general("server")
CALL = "\n\ndef f(x):\n    return core.sample(x)\n"
LEADS = {
    "from": "from flashinfer import core",
    "as": "import flashinfer.core as core",
    "after others": "import os, os.path as p, flashinfer\ncore = flashinfer.core",
    "whole name": 'import importlib\ncore = importlib.import_module("flashinfer.core")',
    "later argument": 'import importlib\ncore = importlib.import_module(".core", "flashinfer")',
    "keyword": "from importlib import import_module\ncore = import_module('.core', package='flashinfer')",
    "keyword over lines": """
        from importlib import import_module
        core = import_module(
            ".core",
            package=
                "flashinfer",
        )
    """,
    "constant": 'import importlib\nPACKAGE = "flashinfer"\ncore = importlib.import_module(".core", PACKAGE)',
    "constant over lines": """
        import importlib
        PACKAGE: str = (
            "flashinfer"
        )
        core = importlib.import_module(PACKAGE).core
    """,
    "one of several": """
        import importlib
        for package in ("torch", "flashinfer"):
            core = importlib.import_module(".core", package)
    """,
}
TALKS = {
    "docstring": '"""Attention with flashinfer, or without.\n\nflashinfer. It is fast; see flashinfer-python.\n"""',
    "log": 'import logging\nlogging.info("flashinfer is not installed, try `pip install flashinfer`")',
    "name": "flashinfer = None\nuse_flashinfer = True\nflashinfer_backend = flashinfer",
    "choice": 'BACKENDS = ["flashinfer_mla", "flashinfer/cutlass", "minicpm_flashinfer"]',
    "long list": f"from server import {', '.join(f'a{number}' for number in range(999))}  # flashinfer",
    "other package": "from flashinfer_copy import core\nimport os, flashinfer_copy\nfrom server import flashinfer_copy",
}


@pytest.fixture
def laid_out(tmp_path):
    """A function from the source of an engine's only file to the folder of that engine."""

    def write(source):
        folder = tmp_path / "engine"
        (folder / "server").mkdir(parents=True)
        (folder / "server/__init__.py").write_text("", encoding="utf-8")
        (folder / "server/m.py").write_text(dedent(source) + CALL, encoding="utf-8")
        return folder

    return write


@pytest.mark.parametrize("source", LEADS.values(), ids=LEADS)
def test_what_leads_to_flashinfer_is_read(laid_out, tmp_path, source):
    with open_path(laid_out(source)) as tree:
        release = read_engine(tree, ENGINE, store=Store(tmp_path / "cache"))
    calls = [(use.file, use.symbol) for use in release.uses if use.kind == "call"]
    assert ("server/m.py", "flashinfer.core.sample") in calls


@pytest.mark.parametrize("source", TALKS.values(), ids=TALKS)
def test_what_only_talks_of_it_is_not(laid_out, tmp_path, source):
    store = Store(tmp_path / "cache")
    with open_path(laid_out(source)) as tree:
        kinds = Screening(store, ENGINE).look(tree, lay_out(tree, ENGINE).names)
        release = read_engine(tree, ENGINE, store=store)
    assert [name for name, (_, kind) in kinds.items() if kind.strong] == []
    assert release.files == 2
    assert not release.uses
    assert not store.path("engine-files", "").exists()


def test_what_was_seen_is_kept_by_content(laid_out, tmp_path):
    """Another content under the same name is looked at anew."""
    store = Store(tmp_path / "cache")
    folder = laid_out(TALKS["log"])
    file = folder / "server/m.py"
    seen = []
    for source in (TALKS["log"], LEADS["keyword"], TALKS["log"]):
        file.write_text(source, encoding="utf-8")
        with open_path(folder) as tree:
            seen.append(Screening(store, ENGINE).look(tree, ["server/m.py"])["server/m.py"][1].strong)
    assert seen == [False, True, False]
