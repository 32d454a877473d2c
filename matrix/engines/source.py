"""Small questions to FlashInfer's source that a surface does not answer, each answered once a release.

A surface has signatures and names; it leaves out what a class attribute is an alias of, to what a `**kwargs` is
passed on, which attributes an `__init__` sets, and private constants.
"""

from __future__ import annotations

import ast
import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matrix.engines.release import fingerprint
from matrix.releases.wheel import open_file, open_path

if TYPE_CHECKING:
    from matrix.releases.tree import Tree
    from matrix.surface.library import Library


class Sources:
    """The source files of one release, opened when a question needs one.

    Args:
        release: a version, or the path of a wheel or folder.
        library: knows the index and the store.
    """

    def __init__(self, release: str, library: Library) -> None:
        self.release, self.library = release, library
        self.key = f"{fingerprint()}/{release}.json"
        self.is_path = "/" in release or Path(release).exists()
        kept = None if self.is_path else library.store.read("engine-source-answers", self.key)
        self.answers: dict[str, Any] = json.loads(kept) if kept else {}
        self.fresh = False
        self._trees: dict[str, ast.Module | None] = {}
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
        """The function or method that a function hands its `**kwargs` to, and nothing else with it."""
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
            tree = self._parse(file)
            self.answers[key] = None if tree is None else _QUESTIONS[question](tree, *about)
            self.fresh = True
        return self.answers[key]

    def _parse(self, file: str) -> ast.Module | None:
        if file not in self._trees:
            tree = self._open()
            place = next((name for name in (file, f"src/{file}") if name in tree.members()), None)
            self._trees[file] = None
            if place is not None:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    try:
                        self._trees[file] = ast.parse(tree.read([place])[place])
                    except (SyntaxError, ValueError):
                        self._trees[file] = None
        return self._trees[file]

    def _open(self) -> Tree:
        if self._tree is None:
            if self.is_path:
                self._tree = open_path(Path(self.release).expanduser())
            else:
                index = self.library.index
                version = self.release.partition("==")[2] or self.release
                self._tree = open_file(index.release(self.library.project, version).best, index.network)
        return self._tree


def _class(tree: ast.Module, name: str) -> ast.ClassDef | None:
    found = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == name]
    return found[0] if found else None


def _alias(tree: ast.Module, cls: str, name: str) -> str | None:
    holder = _class(tree, cls)
    for statement in holder.body if holder else ():
        if isinstance(statement, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == name for target in statement.targets
        ):
            value = statement.value
            if isinstance(value, ast.Call) and "partial" in ast.unparse(value.func) and value.args:
                value = value.args[0]
            return value.id if isinstance(value, ast.Name) else None
    return None


def _binds(tree: ast.Module, name: str) -> bool:
    todo: list[ast.AST] = list(tree.body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if node.name == name:
                return True
        elif isinstance(node, ast.Name):
            if node.id == name and isinstance(node.ctx, ast.Store):
                return True
        elif isinstance(node, ast.alias):
            if (node.asname or node.name.partition(".")[0]) == name:
                return True
        elif not isinstance(node, ast.Lambda):
            todo += ast.iter_child_nodes(node)
    return False


def _sets(tree: ast.Module, cls: str, name: str) -> bool:
    holder = _class(tree, cls)
    return holder is not None and any(
        isinstance(node, ast.Attribute)
        and node.attr == name
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
        for node in ast.walk(holder)
    )


def _attaches(tree: ast.Module, function: str, name: str) -> bool:
    return any(
        isinstance(node, ast.Attribute)
        and node.attr == name
        and isinstance(node.ctx, ast.Store)
        and ast.unparse(node.value) == function
        for node in ast.walk(tree)
    )


def _forwards(tree: ast.Module, qualname: str) -> str | None:
    owner, _, name = qualname.rpartition(".")
    body = _class(tree, owner) if owner else tree
    function = next(
        (
            node
            for node in (body.body if body else ())
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name
        ),
        None,
    )
    if function is None or function.args.kwarg is None:
        return None
    rest = function.args.kwarg.arg
    targets = {
        ast.unparse(node.func)
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
        and any(keyword.arg is None and ast.unparse(keyword.value) == rest for keyword in node.keywords)
    }
    if len(targets) != 1:
        return None
    target = targets.pop()
    return f"{owner}.{target[5:]}" if target.startswith("self.") and owner else target


_QUESTIONS: dict[str, Any] = {
    "alias": _alias,
    "binds": _binds,
    "sets": _sets,
    "attaches": _attaches,
    "forwards": _forwards,
}
