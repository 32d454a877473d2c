"""Options that several commands share."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

from matrix import cli


def test_no_option_is_written_down_twice():
    places = defaultdict(list)
    for path in sorted(Path(cli.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".add_argument"):
                option = ", ".join(map(ast.unparse, [*node.args, *node.keywords]))
                places[option].append(f"{path.name}, line {node.lineno}")
    assert len(places) > 50
    assert {option: where for option, where in places.items() if len(where) > 1} == {}
