"""What was kept is used only while the code that reads sources is the same."""

import ast
from pathlib import Path

import pytest

import matrix.engines
from matrix.engines import fingerprint

HERE = Path(matrix.engines.__file__).parent
KEYS = {HERE / "fingerprint.py"}  # names what is kept, and says nothing about it


def imported(path):
    """The files of `matrix.engines` that a file imports as it is imported itself."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        module = f"{getattr(node, 'module', '')}."
        if isinstance(node, ast.ImportFrom) and module.startswith("matrix.engines."):
            place = HERE.joinpath(*module.split(".")[2:-1])
            named = [place / f"{alias.name}.py" for alias in node.names]
            yield from [one for one in named if one.exists()] or [place.with_suffix(".py")]


def reached(start):
    """The files behind one of them, that one too."""
    found, wanted = set(), {HERE / f"{start}.py"}
    while wanted:
        path = wanted.pop()
        found.add(path)
        wanted |= set(imported(path)) - found - KEYS
    return found


def test_all_code_behind_a_reading_is_in_it():
    assert reached("release") | reached("config") <= set(fingerprint.read_by())


def test_all_code_behind_a_verdict_is_in_it():
    assert reached("columns") <= set(fingerprint.judged_by())


@pytest.mark.parametrize(
    ("version", "named"),
    [(fingerprint.fingerprint, fingerprint.read_by), (fingerprint.judging, fingerprint.judged_by)],
)
def test_another_content_is_another_fingerprint(monkeypatch, tmp_path, version, named):
    before, paths = version(), named()
    for path in paths:
        edited = tmp_path / path.name
        edited.write_bytes(path.read_bytes() + b"#")
        monkeypatch.setattr(
            fingerprint,
            named.__name__,
            lambda path=path, edited=edited: [edited if one == path else one for one in paths],
        )
        assert version.__wrapped__() != before
