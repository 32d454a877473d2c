"""What a call behind a question of FlashInfer's version comes to, by what a tree says of its own version."""

from textwrap import dedent

import pytest

from matrix.engines import config
from matrix.engines.consumer import check
from matrix.engines.release import read_engine
from matrix.releases.store import Store
from matrix.releases.wheel import open_path
from matrix.surface.library import Library

CONSUMER = """
    import flashinfer
    from packaging.version import Version

    def run(x):
        if Version(flashinfer.__version__) >= Version("0.7.0"):
            return flashinfer.norm(x, fast=True)
        return flashinfer.norm(x)

    def gone(x):
        if Version(flashinfer.__version__) < Version("0.6.0"):
            return flashinfer.gone(x)
"""


@pytest.fixture
def verdicts(tmp_path):
    def ask(**files):
        for name, text in {
            "server/server/__init__.py": "",
            "server/server/m.py": CONSUMER,
            "tree/flashinfer/__init__.py": "def norm(x): ...",
            **{f"tree/{name}": text for name, text in files.items()},
        }.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text))
        store = Store(tmp_path / "store")
        with open_path(tmp_path / "server") as tree:
            release = read_engine(tree, config.general("server"), store=store)
        report = check(config.general("server"), release, str(tmp_path / "tree"), Library(store=store))
        return {
            one.use.line: (one.judgement.verdict.value, one.judgement.reason or one.judgement.guard)
            for one in report.uses
            if one.use.kind == "call"
        }

    return ask


def test_a_tree_that_tells_no_version_makes_no_alarm(verdicts):
    found = verdicts()
    assert found[7][0] == "not checkable"
    assert "hangs on `FlashInfer >= 0.7.0`" in found[7][1]
    assert found[8][0] == "bound"
    assert found[12][0] == "not checkable"


@pytest.mark.parametrize(
    ("told", "fast", "gone"),
    [
        ({"version.txt": "0.6.14\n"}, "guarded", "guarded"),
        ({"version.txt": "0.7.1"}, "broken at call", "guarded"),
        ({"flashinfer/_build_meta.py": '__version__ = "0.7.0+cu130"\n'}, "broken at call", "guarded"),
        ({"flashinfer_python-0.5.9.dist-info/METADATA": "Version: 0.5.9\n"}, "guarded", "broken at call"),
    ],
)
def test_a_tree_is_judged_as_the_version_that_it_tells(verdicts, told, fast, gone):
    found = verdicts(**told)
    assert (found[7][0], found[12][0]) == (fast, gone)
    assert found[8][0] == "bound"
