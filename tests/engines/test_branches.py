"""A name that is FlashInfer's on one branch and something else on another is judged for FlashInfer's branch."""

from textwrap import dedent

import pytest

from matrix.engines import table
from matrix.engines.config import general
from matrix.engines.judge import Judge
from matrix.engines.provider import Provider
from matrix.engines.release import read_engine
from matrix.releases.store import Store
from matrix.releases.wheel import open_path
from matrix.surface.library import Library

OLD = "def sample(x, order='a', *, check=False): ...\ndef other(x): ...\n"
RENAMED = OLD.replace("order", "sort")
BRANCHES = """
if is_cuda():
    from flashinfer.core import sample
if is_musa():
    from sgl_kernel import sample
"""
CALL = "def f(x):\n    return sample(x, order='b')\n"


def write(folder, files):
    for name, source in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(source), encoding="utf-8")
    return folder


@pytest.fixture
def verdicts(tmp_path):
    """A function from an engine's source and two FlashInfers to (verdict, reason, unsettled) of its calls."""
    library = Library(store=Store(tmp_path / "cache"))

    def judged(source, new, old=OLD):
        sides = []
        for name, text in (("new", new), ("old", old)):
            folder = write(tmp_path / name, {"flashinfer/__init__.py": "", "flashinfer/core.py": text or ""})
            sides.append(Provider(str(folder), library, {}))
        engine = general("server")
        with open_path(write(tmp_path / "e", {"server/__init__.py": "", "server/m.py": source})) as tree:
            release = read_engine(tree, engine, store=library.store)
        judge = Judge(sides[0], engine, sides[1] if old else None, release.probes)
        calls = [(use, found) for use, found in judge.all(release) if use.kind == "call"]
        return [(found.verdict.value, found.reason, found.unsettled) for _, found in calls]

    return judged


def test_the_call_breaks_where_the_name_is_flashinfers(verdicts):
    [(verdict, reason, _)] = verdicts(BRANCHES + CALL, RENAMED)
    assert verdict == "broken at call"
    assert "unexpected keyword argument 'order'" in reason
    assert reason.endswith("where it is FlashInfer's")


def test_so_it_does_where_the_engine_pins_nothing(verdicts):
    [(verdict, _, _)] = verdicts(BRANCHES + CALL, RENAMED, old=None)
    assert verdict == "broken at call"


def test_a_test_around_the_call_may_choose_the_other_function_where_nothing_is_pinned(verdicts):
    call = "def f(x):\n    if is_musa_like():\n        return sample(x, order='b')\n"
    [(verdict, _, _)] = verdicts(BRANCHES + call, RENAMED, old=None)
    assert verdict == "not checkable"


@pytest.mark.parametrize("new", [OLD, RENAMED])
def test_a_keyword_that_only_the_other_function_may_get_is_not_checkable(verdicts, new):
    call = (
        "def f(x):\n    more = {}\n    if fast(x):\n        more['mode'] = 1\n    return sample(x, **more)\n"
    )
    [(verdict, _, _)] = verdicts(BRANCHES + call, new)
    assert verdict == "not checkable"


def test_a_call_that_does_not_fit_the_pin_either_is_the_other_functions(verdicts):
    call = "def f(x):\n    return sample(x, seed=1)\n"
    [(verdict, _, _)] = verdicts(BRANCHES + call, RENAMED)
    assert verdict == "not checkable"


def test_what_binds_counts_as_unsettled_where_a_break_could_not_have_been_told(verdicts):
    always = "def f(x):\n    return sample(x, order='b')\n"
    chosen = (
        "def f(x):\n    more = {}\n    if fast(x):\n        more['order'] = 1\n    return sample(x, **more)\n"
    )
    assert [found[::2] for found in verdicts(BRANCHES + always, OLD)] == [("bound", False)]
    assert [found[::2] for found in verdicts(BRANCHES + chosen, OLD)] == [("bound", True)]


def test_the_share_counts_what_is_unsettled():
    from matrix.engines import tabulate

    cells = {"1": table.Cell(status="safe", counts={"bound": 8, "not checkable": 2}, unsettled=3, branches=1)}
    document = tabulate.block("e", [table.Row(release="1", pin="1", cells=cells)])
    assert document["not_checkable_share"] == 0.5
    assert document["one_branch_share"] == 0.1
