"""A file without its functions' bodies gives the same record as the whole file."""

import ast

import pytest

from matrix.surface import parse as parsing
from matrix.surface.outline import outline

TRICKY = '''
"""Text with
def inside(a):
    of it"""
X = """
def not_one(): pass
"""

@decorated(
    key="value:",  # a comment: with (brackets
)
def f(
    a, b={"x": 1}, *, c="):",
) -> int:
    """Doc
at the margin
    """
    # comment
# comment at the margin
    if a:
        s = """
back at the margin
"""
        def nested(z):
            return z

    return 1
def g(): return 1
class C:
    def m(self):
        x = 1
        y = 2
        z = 3
        return x

    async def n(self, k=lambda: 3):
        a = 1
        b = 2
        c = 3
        return (a,
            b)
    attribute = 4
def available():
    try:
        import cutlass
    except ImportError:
        return False
    return True
Y = 2
'''


def whole(source, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(parsing, "outline", lambda text: text)
        return parsing.parse(source)


def test_tricky_source(monkeypatch):
    short = outline(TRICKY)
    assert short.count("\n") == TRICKY.count("\n")
    assert "nested" not in short
    assert "back at the margin" not in short
    ast.parse(short)
    assert parsing.parse(TRICKY.encode()) == whole(TRICKY.encode(), monkeypatch)
    assert parsing.parse(TRICKY.encode())["flags"] == {"available": [[0, "cutlass"]]}


@pytest.mark.parametrize(
    "source",
    [
        "def f():\n\tx = 1\n\ty = 2\n\tz = 3\n\treturn (x,\n1)\nX = 1\n",
        "def f():\n    a = (\n1,\n2,\n3)\n    return a\nX = 1\n",
    ],
)
def test_misleading_indentation_is_read_whole(source, monkeypatch):
    record = parsing.parse(source.encode())
    assert record == whole(source.encode(), monkeypatch)
    assert set(record["names"]) == {"f", "X"}


@pytest.mark.wheels
def test_a_real_release(library, monkeypatch):
    from matrix.releases.wheel import open_file
    from matrix.surface.files import python_files

    tree = open_file(library.index.release(library.project, "0.6.8.post1").best, library.index.network)
    contents = tree.read(python_files(tree.members()))
    different = [name for name, data in contents.items() if parsing.parse(data) != whole(data, monkeypatch)]
    assert different == []
