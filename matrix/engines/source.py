"""Small questions to FlashInfer's source that a surface does not answer, each answered once a release.

A surface has signatures and names; it leaves out what a class attribute is an alias of, to what a `**kwargs` is
passed on, which attributes an `__init__` sets, and private constants. The files are long and the questions are
few, so that they are answered from the text; where the text is ambiguous the answer is the careful one.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import textwrap
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matrix.releases.wheel import open_file, open_path

if TYPE_CHECKING:
    from matrix.releases.tree import Tree
    from matrix.surface.library import Library


@lru_cache
def _version() -> str:
    """Of this file: what another version of it answered is not used."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]


class Sources:
    """The source files of one release, opened when a question needs one.

    Args:
        release: a version, or the path of a wheel or folder.
        library: knows the index and the store.
    """

    def __init__(self, release: str, library: Library) -> None:
        self.release, self.library = release, library
        self.key = f"{_version()}/{release}.json"
        self.is_path = "/" in release or Path(release).exists()
        kept = None if self.is_path else library.store.read("engine-source-answers", self.key)
        self.answers: dict[str, Any] = json.loads(kept) if kept else {}
        self.fresh = False
        self._texts: dict[str, str] = {}
        self._tree: Tree | None = None

    def alias(self, file: str, cls: str, name: str) -> str | None:
        """The method of the same class that a class attribute stands for, as in `begin_forward = plan`."""
        found: str | None = self._ask("alias", file, cls, name)
        return found

    def binds(self, file: str, name: str) -> bool:
        """Whether a module binds a name at its top level, in whatever branch."""
        return bool(self._ask("binds", file, name))

    def sets(self, file: str, cls: str, name: str) -> bool:
        """Whether a method of a class sets `self.name`."""
        return bool(self._ask("sets", file, cls, name))

    def attaches(self, file: str, function: str, name: str) -> bool:
        """Whether a module sets an attribute on one of its functions."""
        return bool(self._ask("attaches", file, function, name))

    def forwards(self, file: str, qualname: str) -> str | None:
        """The function or method that a function hands its `**kwargs` to; after a `*` one that gets its `*args` too."""
        found: str | None = self._ask("forwards", file, qualname)
        return found

    def save(self) -> None:
        """Keep the answers for the next run."""
        if self.fresh and not self.is_path:
            self.library.store.write("engine-source-answers", self.key, json.dumps(self.answers).encode())
            self.fresh = False

    def _ask(self, question: str, file: str, *about: str) -> Any:
        key = " ".join((question, file, *about))
        if key not in self.answers:
            self.answers[key] = _QUESTIONS[question](self._text(file), *about)
            self.fresh = True
        return self.answers[key]

    def _text(self, file: str) -> str:
        if file not in self._texts:
            tree = self._open()
            members = tree.members()
            place = next((name for name in (file, f"src/{file}") if name in members), None)
            content = tree.read([place])[place] if place else b""
            self._texts[file] = content.decode("utf-8", "replace")
        return self._texts[file]

    def _open(self) -> Tree:
        if self._tree is None:
            if self.is_path:
                self._tree = open_path(Path(self.release).expanduser())
            else:
                index = self.library.index
                version = self.release.partition("==")[2] or self.release
                self._tree = open_file(index.release(self.library.project, version).best, index.network)
        return self._tree


def _class(text: str, name: str) -> str:
    """The lines of a class, up to the next statement at the top level."""
    found = re.search(rf"^class {name}\b.*\n(?:(?:[ \t#)].*)?\n)*", text, re.MULTILINE)
    return found[0] if found else ""


def _alias(text: str, cls: str, name: str) -> str | None:
    assigned = re.search(
        rf"^    {name}[ \t]*=[ \t]*(?:functools\.)?(?:partial\w*\([ \t]*)?(\w+)[ \t]*(?:,.*)?\)?[ \t]*$",
        _class(text, cls),
        re.MULTILINE,
    )
    return assigned[1] if assigned else None


def _binds(text: str, name: str) -> bool:
    statement = rf"(?:async )?def {name}\b|class {name}\b|{name}[ \t]*(?::[^=\n]+)?=[^=]|(?:from|import)\b.*\b{name}\b"
    imported = rf"(?:\w+ as )?{name}[ \t]*,?[ \t]*(?:#.*)?$"
    return re.search(rf"^[ \t]*(?:{statement}|{imported})", text, re.MULTILINE) is not None


def _sets(text: str, cls: str, name: str) -> bool:
    return re.search(rf"\bself\.{name}[ \t]*(?::[^=\n]+)?=[^=]", _class(text, cls)) is not None


def _attaches(text: str, function: str, name: str) -> bool:
    return re.search(rf"^[ \t]*{re.escape(function)}\.{name}[ \t]*=[^=]", text, re.MULTILINE) is not None


def _forwards(text: str, qualname: str) -> str | None:
    owner, _, name = qualname.rpartition(".")
    body = _class(text, owner) if owner else text
    indent = "    " if owner else ""
    found = re.search(
        rf"^{indent}(?:async )?def {name}\b[^\n]*\n(?:(?:{indent}[ \t)].*)?\n)*", body, re.MULTILINE
    )
    try:
        tree = ast.parse(textwrap.dedent(found[0])) if found else None
    except SyntaxError:
        tree = None
    function = tree.body[0] if tree else None
    if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) or function.args.kwarg is None:
        return None
    rest = function.args.kwarg.arg
    calls = [
        node
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
        and any(keyword.arg is None and ast.unparse(keyword.value) == rest for keyword in node.keywords)
    ]
    targets = {ast.unparse(node.func) for node in calls}
    own = [item.arg for item in (*function.args.posonlyargs, *function.args.args) if item.arg != "self"]
    given = [[ast.unparse(argument) for argument in node.args] for node in calls]
    handed = any(argument.startswith("*") for one in given for argument in one)
    as_it_came = function.args.vararg and all(one == [*own, f"*{function.args.vararg.arg}"] for one in given)
    if len(targets) != 1 or (handed and not as_it_came):
        return None
    target = targets.pop()
    target = f"{owner}.{target[5:]}" if target.startswith("self.") and owner else target
    return f"*{target}" if handed else target


_QUESTIONS: dict[str, Any] = {
    "alias": _alias,
    "binds": _binds,
    "sets": _sets,
    "attaches": _attaches,
    "forwards": _forwards,
}
