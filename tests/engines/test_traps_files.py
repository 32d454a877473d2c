"""Files that do not parse, that are left out, and that are too much to follow."""

import time

import pytest

from matrix.engines import config
from matrix.engines.judge import Judge
from matrix.engines.reading.file import read_file


def test_files_that_do_not_parse_are_told_and_a_byte_order_mark_is_none_of_them(read, pretended):
    release = read(
        {
            "marked": b"\xef\xbb\xbffrom flashinfer.core import gone\n",
            "latin": "# -*- coding: latin-1 -*-\nfrom flashinfer.core import run  # \xe9\n".encode("latin-1"),
            "broken": "from flashinfer.core import (\n",
            "null": b"import flashinfer\n\x00",
        }
    )
    assert [file for file, _ in release.problems] == ["sglang/broken.py", "sglang/null.py"]
    judged = Judge(pretended.new, config.load("sglang"), pretended.old, release.probes).all(release)
    assert {(use.file, judgement.verdict.value) for use, judgement in judged} == {
        ("sglang/marked.py", "broken at import"),
        ("sglang/latin.py", "bound"),
    }


def nasty(depth, width):
    """Nested loops over literals, with tests that depend on each other."""
    lines = ["import flashinfer", "def f(a):", "    kw, x = {}, ()"]
    lines += [f"{'    ' * (level + 1)}for i{level} in {tuple(range(width))}:" for level in range(depth)]
    for number in range(width):
        indent = "    " * (depth + 1)
        lines += [
            f"{indent}if a.c{number}(i0) and hasattr(flashinfer, 'n{number}') or kw is x:",
            f"{indent}    kw['k{number}'] = i0",
            f"{indent}    x = (x, x)",
            f"{indent}elif a.d{number}:",
            f"{indent}    kw = {{'out': {number}, 'was': x}}",
        ]
    return "\n".join([*lines, "    flashinfer.core.run(a, **kw)", "    flashinfer.core.run(a, y=1)"])


@pytest.mark.parametrize(("depth", "width"), [(1, 24), (3, 8), (5, 12), (12, 24)])
def test_nested_loops_and_tests_end_soon(depth, width):
    start = time.perf_counter()
    facts = read_file(nasty(depth, width).encode(), "a/b.py", "a.b", config.load("sglang"))
    assert time.perf_counter() - start < 1
    assert len({use.line for use in facts.uses if use.kind == "call"}) == 2


def test_a_function_that_is_too_much_to_follow_is_told():
    call = "int(" * 30 + "a" + ")" * 30
    lines = [f"    b = version({call.replace('int', 'version')})", "    flashinfer.core.run(a, y=1)"]
    source = "\n".join(["import flashinfer", "def f(a):", *lines])
    facts = read_file(source.encode(), "a/b.py", "a.b", config.load("sglang"))
    (use,) = [use for use in facts.uses if use.kind == "call"]
    assert "too many branches" in use.doubt


TOO_MUCH = "a" + ".pop()" * 30


@pytest.mark.parametrize(
    "before",
    [
        f"def g(a):\n    def h():\n        return {TOO_MUCH}\n    return h",
        f"class C:\n    b = {TOO_MUCH}",
        f"def h(v):\n    return {TOO_MUCH}\ndef g():\n    return h(flashinfer.__version__)",
    ],
)
def test_what_follows_on_what_is_too_much_is_read(before):
    after = "def f(x):\n    flashinfer.core.kept\n    flashinfer.core.run(x, y=1)\n"
    source = f"import flashinfer\n{before}\n{after}"
    facts = read_file(source.encode(), "a/b.py", "a.b", config.load("sglang"))
    read = {use.symbol: use.doubt for use in facts.uses if use.scope == "f"}
    assert read == {"flashinfer.core": "", "flashinfer.core.kept": "", "flashinfer.core.run": ""}


def test_what_a_class_that_is_too_much_leaves_to_the_module_is_exported():
    source = f"import flashinfer\nfrom flashinfer.core import run\nclass C:\n    b = {TOO_MUCH}\n"
    facts = read_file(source.encode(), "a/b.py", "a.b", config.load("sglang"))
    assert set(facts.exports) == {"flashinfer", "run"}


def test_tests_and_benchmarks_are_left_out(read):
    modules = ("__init__", "a", "test.b", "test_c", "bench_d", "x.tests.e")
    release = read(dict.fromkeys(modules, "import flashinfer"))
    assert {use.file for use in release.uses} == {"sglang/__init__.py", "sglang/a.py"}
