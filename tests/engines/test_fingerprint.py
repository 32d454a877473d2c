"""What was kept is used only while the code that reads sources is the same."""

import ast
from pathlib import Path

import matrix.engines
from matrix.engines import fingerprint

HERE = Path(matrix.engines.__file__).parent
KEYS = {"fingerprint"}  # names what is kept, and says nothing about it


def imported(path):
    """The modules of `matrix.engines` that a file imports where it runs."""
    nodes = list(ast.parse(path.read_text(encoding="utf-8")).body)
    return {
        node.module.removeprefix("matrix.engines.")
        for node in nodes
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("matrix.engines.")
    }


def reached(start):
    """The files behind a module, that of the module too."""
    found, wanted = set(), {start}
    while wanted:
        name = wanted.pop()
        path = HERE.joinpath(*name.split(".")).with_suffix(".py")
        found.add(path)
        wanted |= {
            one
            for one in imported(path) - KEYS
            if HERE.joinpath(*one.split(".")).with_suffix(".py") not in found
        }
    return found


def test_all_code_behind_a_reading_is_in_it():
    assert reached("release") | reached("config") <= set(fingerprint.read_by())


def test_another_content_is_another_fingerprint(monkeypatch, tmp_path):
    before = fingerprint.fingerprint()
    paths = fingerprint.read_by()
    for path in paths:
        edited = tmp_path / path.name
        edited.write_bytes(path.read_bytes() + b"#")
        monkeypatch.setattr(
            fingerprint,
            "read_by",
            lambda path=path, edited=edited: [edited if one == path else one for one in paths],
        )
        assert fingerprint.fingerprint.__wrapped__() != before
