"""One Python file as a plain record: what it binds, imports, guards and exports, without running it.

A record depends on nothing but the file's content, so that every release which ships the same content shares
it. Names are resolved later, in `assemble`, where the module's own name and its neighbours are known.
"""

from __future__ import annotations

import ast
import warnings
from pathlib import Path
from typing import Any

import griffe

from matrix.surface.lazy import lazy_names, modules_in, strings
from matrix.surface.outline import PROBE_LINES, outline

__all__ = ["parse"]


KINDS = {
    griffe.ParameterKind.positional_only: "POSITIONAL_ONLY",
    griffe.ParameterKind.positional_or_keyword: "POSITIONAL_OR_KEYWORD",
    griffe.ParameterKind.var_positional: "VAR_POSITIONAL",
    griffe.ParameterKind.keyword_only: "KEYWORD_ONLY",
    griffe.ParameterKind.var_keyword: "VAR_KEYWORD",
}
VALUE_CHARACTERS = 200
TABLE_LINES = 12
TABLES: dict[type[ast.expr], str] = {
    ast.List: "[...]",
    ast.Tuple: "(...)",
    ast.Dict: "{...}",
    ast.Set: "{...}",
}
CATCHES_IMPORT = {
    "ImportError",
    "ModuleNotFoundError",
    "Exception",
    "BaseException",
    "OSError",
    "RuntimeError",
}
Record = dict[str, Any]


def parse(source: bytes) -> Record:
    """The record of one file.

    Returns:
        A dict that JSON can hold:
        `names`: bindings of each name in order, `[kind, line, guard, ...]`, where kind is `f` (function dict),
        `c` (class dict), `i` (level, module, attribute or null, whether it is `x as x`) or `v` (text of the value);
        `stars`: `[level, module, guard]`; `imports`: `[level, module, [names], guard]`;
        `guards`: `[kind, text, line, parent]`, kind one of `try`, `except`, `if`, `else`;
        `flags`: names that tell whether packages are there, with those packages;
        `all`: what `__all__` lists, or null; `lazy` and `lazy_star`: what a module's `__getattr__` hands out;
        `error`: instead of all this, why the file is not Python.
    """
    try:
        tree = _tree(source)
    except (SyntaxError, ValueError) as error:
        return {"error": f"{type(error).__name__}: {error}"}
    record: Record = {"names": {}, "stars": [], "imports": [], "guards": [], "flags": {}}
    if b"find_spec" in source or b"except" in source:
        record["flags"] = _flags(tree)
    collections = _collections(tree)
    record["all"] = _exports(tree, collections) if b"__all__" in source else None
    getter = next((n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "__getattr__"), None)
    record["lazy"], record["lazy_star"] = lazy_names(getter, collections) if getter else ({}, [])
    if b"sys.modules[__name__]" in source:
        replacements = _replacements(tree)
        record["lazy_star"] += replacements
        record["imports"] += [[level, module, [], None] for level, module, _ in replacements]
    hands_out = b"globals()" in source and _hands_globals(tree)
    _strip_bodies(tree)
    recorder = _Recorder(record)
    reader = _Reader("module", Path("module.py"), "", griffe.Extensions(recorder))
    reader.record = record
    reader.hands_out = hands_out
    reader.visit(tree)
    return record


def _tree(source: bytes) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(outline(source.decode()))
        except (SyntaxError, ValueError):
            return ast.parse(source)


class _Reader(griffe.Visitor):
    """Griffe's visitor, which also knows under which guards a statement stands."""

    record: Record
    hands_out: bool = False
    guard: int | None = None

    def visit(self, node: ast.AST) -> None:
        if isinstance(node, ast.Try):
            catches = [
                ast.unparse(handler.type) if handler.type else ""
                for handler in node.handlers
                if not _raises(handler.body)
            ]
            guard = (
                self._guard("try", f"except {', '.join(catches)}", node) if _may_miss(catches) else self.guard
            )
            self._under(guard, [*node.body, *node.orelse], node)
            self._under(self._guard("except", ", ".join(catches), node), node.handlers, node)
            self._under(self.guard, node.finalbody, node)
        elif isinstance(node, ast.With):
            text = ", ".join(ast.unparse(item) for item in node.items)
            self._under(
                self._guard("try", text, node) if "suppress(" in text else self.guard, node.body, node
            )
        elif isinstance(node, ast.If):
            self._if(node)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            self._import(node)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)) and self._is_table(node):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name):
                    _bind(self.record, target.id, ["v", node.lineno, self.guard, _shortened(node.value)])
        else:
            super().visit(node)

    def _is_table(self, node: ast.Assign | ast.AnnAssign) -> bool:
        """Whether a module-level value is too long to be shown, and not worth its text."""
        length = (node.end_lineno or node.lineno) - node.lineno
        return length > TABLE_LINES and self.current.kind is griffe.Kind.MODULE

    def _guard(self, kind: str, text: str, node: ast.stmt) -> int:
        guards = self.record["guards"]
        guards.append([kind, text, node.lineno, self.guard])
        return len(guards) - 1

    def _under(self, guard: int | None, nodes: list[Any], parent: ast.AST) -> None:
        before, self.guard = self.guard, guard
        for node in nodes:
            node.parent = parent
            self.visit(node)
        self.guard = before

    def _if(self, node: ast.If) -> None:
        test = ast.unparse(node.test)
        if test in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            for inner in node.body if self.hands_out else ():
                self._lazy(inner)
            self._under(self.guard, node.orelse, node)
        elif test.startswith("__name__ == "):
            pass
        else:
            self._under(self._guard("if", test, node), node.body, node)
            self._under(self._guard("else", test, node), node.orelse, node)

    def _lazy(self, node: ast.stmt) -> None:
        """A module that makes its names at run time tells type checkers by an import what they are."""
        if isinstance(node, ast.ImportFrom):
            for one in node.names:
                target = [node.level, node.module or "", one.name]
                self.record["lazy"].setdefault(one.asname or one.name, []).append(target)

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        at_module = self.current.kind is griffe.Kind.MODULE
        if isinstance(node, ast.Import):
            for name in node.names:
                self.record["imports"].append([0, name.name, [], self.guard])
                if at_module:
                    local = name.asname or name.name.partition(".")[0]
                    _bind(
                        self.record,
                        local,
                        ["i", node.lineno, self.guard, 0, name.name if name.asname else local, None],
                    )
        else:
            names = [name.name for name in node.names]
            self.record["imports"].append([node.level, node.module or "", names, self.guard])
            for name in node.names if at_module else []:
                if name.name == "*":
                    self.record["stars"].append([node.level, node.module or "", self.guard])
                else:
                    target = [node.level, node.module or "", name.name, name.asname == name.name]
                    _bind(self.record, name.asname or name.name, ["i", node.lineno, self.guard, *target])
        if not isinstance(node, ast.ImportFrom) or node.level == 0:
            super().visit(node)


class _Recorder(griffe.Extension):
    """Writes down what griffe finds: functions, classes with their members, and assignments."""

    def __init__(self, record: Record) -> None:
        super().__init__()
        self.record = record
        self.classes: dict[int, Record] = {}

    def on_function_instance(self, *, node: Any, func: griffe.Function, agent: Any, **_: Any) -> None:
        if "overload" in {str(decorator.value).rpartition(".")[2] for decorator in func.decorators}:
            return
        self._put(agent, func.name, "f", node.lineno, _function(func))

    def on_class_instance(self, *, node: Any, cls: griffe.Class, agent: Any, **_: Any) -> None:
        data: Record = {
            "bases": [str(base) for base in cls.bases],
            "decorators": [str(decorator.value) for decorator in cls.decorators],
            "members": {},
            "fields": [],
        }
        self.classes[id(cls)] = data
        owner = cls.parent
        if owner is not None and owner.kind is griffe.Kind.CLASS:
            self.classes[id(owner)]["members"][cls.name] = ["c", node.lineno, data]
        else:
            _bind(self.record, cls.name, ["c", node.lineno, agent.guard, data])

    def on_attribute_instance(self, *, node: Any, attr: griffe.Attribute, agent: Any, **_: Any) -> None:
        value = None if attr.value is None else str(attr.value)
        if agent.current.kind is griffe.Kind.CLASS:
            owner = self.classes[id(agent.current)]
            if "property" in attr.labels:
                owner["members"][attr.name] = ["p", node.lineno, None]
            else:
                annotation = None if attr.annotation is None else str(attr.annotation)
                if annotation and "instance-attribute" not in attr.labels:
                    annotation = f"ClassVar[{annotation}]"  # griffe takes it off
                owner["fields"].append([attr.name, annotation, value, node.lineno])
        elif value is not None:
            _bind(self.record, attr.name, ["v", node.lineno, agent.guard, value[:VALUE_CHARACTERS]])

    def _put(self, agent: Any, name: str, kind: str, line: int, data: Record) -> None:
        if agent.current.kind is griffe.Kind.CLASS:
            self.classes[id(agent.current)]["members"][name] = [kind, line, data]
        else:
            _bind(self.record, name, [kind, line, agent.guard, data])


def _bind(record: Record, name: str, binding: list[Any]) -> None:
    record["names"].setdefault(name, []).append(binding)


def _function(func: griffe.Function) -> Record:
    parameters = []
    annotations = {}
    for parameter in func.parameters:
        kind = KINDS[parameter.kind or griffe.ParameterKind.positional_or_keyword]
        default = None if parameter.default is None or kind.startswith("VAR_") else str(parameter.default)
        parameters.append([parameter.name.lstrip("*"), kind, default])
        if parameter.annotation is not None:
            annotations[parameter.name.lstrip("*")] = str(parameter.annotation)
    return {
        "parameters": parameters,
        "annotations": annotations,
        "returns": None if func.returns is None else str(func.returns),
        "decorators": [str(decorator.value) for decorator in func.decorators],
    }


def _may_miss(catches: list[str]) -> bool:
    """Whether a `try` with these handlers is one that goes on where a package is missing."""
    named = {word.strip("() ") for text in catches for word in text.split(",")}
    return bool(named & CATCHES_IMPORT) or "" in named


def _replacements(tree: ast.Module) -> list[list[Any]]:
    """Modules that a module puts in its own place: `sys.modules[__name__] = import_module("x")`."""
    found = []
    for node in tree.body:
        for inner in [node, *node.body, *node.orelse] if isinstance(node, ast.If) else [node]:
            if isinstance(inner, ast.Assign) and ast.unparse(inner.targets[0]) == "sys.modules[__name__]":
                found += modules_in([inner])
    return [[*module, None] for module in found]


def _hands_globals(tree: ast.Module) -> bool:
    """Whether a call at module level is given `globals()`, and so may add names."""
    return any(
        isinstance(inner, ast.Call) and any(ast.unparse(argument) == "globals()" for argument in inner.args)
        for node in tree.body
        if isinstance(node, (ast.Expr, ast.Assign))
        for inner in ast.walk(node)
    )


def _raises(body: list[ast.stmt]) -> bool:
    """Whether a handler ends by raising again, so that it lets nothing pass."""
    last = body[-1]
    if isinstance(last, ast.Try):
        return all(_raises(handler.body) for handler in last.handlers)
    return isinstance(last, ast.Raise)


def _strip_bodies(tree: ast.Module) -> None:
    """Empty every function: nothing in a body is part of the surface, and griffe need not walk it."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            node.body = [ast.copy_location(ast.Pass(), node)]
        elif isinstance(node, (ast.stmt, ast.Module, ast.ExceptHandler)):
            waiting += [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.expr)]


def _collections(tree: ast.Module) -> dict[str, ast.expr]:
    """Module-level names that stand for a literal collection, for `__all__` and lazy tables built from them."""
    found: dict[str, ast.expr] = {}
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign) and node.value:
            targets = [node.target]
        for target in targets:
            if isinstance(target, ast.Name) and isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value:
                found[target.id] = node.value
    return found


def _exports(tree: ast.Module, collections: dict[str, ast.expr]) -> list[str] | None:
    """What `__all__` lists after every assignment, `+=`, `extend` and `append`, guarded ones too."""
    found: list[str] | None = None
    for node in ast.walk(ast.Module([_shallow(node) for node in tree.body], [])):
        value: ast.expr | None = None
        if isinstance(node, ast.Assign) and any(_is_all(target) for target in node.targets):
            value, found = node.value, []
        elif isinstance(node, (ast.AnnAssign, ast.AugAssign)) and _is_all(node.target):
            value = node.value
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and _is_all(node.func.value)
            and node.func.attr in {"extend", "append"}
            and node.args
        ):
            value = node.args[0]
        if value is not None:
            found = [*(found or []), *strings(value, collections)]
    return found


def _shallow(node: ast.stmt) -> ast.stmt:
    """A statement in which `__all__` may be built; functions and classes are left out."""
    return ast.Pass() if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) else node


def _is_all(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "__all__"


def _flags(tree: ast.Module) -> dict[str, list[list[Any]]]:
    """Names that say whether packages are there: set beside an import in a `try`, or functions that probe."""
    found: dict[str, list[list[Any]]] = {}
    for node in tree.body:
        if isinstance(node, ast.Try):
            modules = _tried(node.body)
            for inner in [*node.body, *node.orelse, *(s for handler in node.handlers for s in handler.body)]:
                if isinstance(inner, ast.Assign) and modules:
                    for target in inner.targets:
                        if isinstance(target, ast.Name):
                            found[target.id] = modules
        elif (
            isinstance(node, ast.FunctionDef)
            and not isinstance(node.body[-1], ast.Pass)
            and (node.end_lineno or 0) - node.lineno < PROBE_LINES
        ):
            probed = [
                [0, call.args[0].value]
                for call in ast.walk(node)
                if isinstance(call, ast.Call)
                and ast.unparse(call.func).endswith("find_spec")
                and call.args
                and isinstance(call.args[0], ast.Constant)
            ]
            tried = [m for inner in ast.walk(node) if isinstance(inner, ast.Try) for m in _tried(inner.body)]
            if probed or tried:
                found[node.name] = probed + tried
        elif isinstance(node, ast.Assign) and "find_spec(" in (text := ast.unparse(node.value)):
            quoted = text.partition("find_spec(")[2].split("'")
            for target in node.targets:
                if isinstance(target, ast.Name) and len(quoted) > 2:
                    found[target.id] = [[0, quoted[1]]]
    return found


def _tried(body: list[ast.stmt]) -> list[list[Any]]:
    modules: list[list[Any]] = []
    for node in body:
        if isinstance(node, ast.Import):
            modules += [[0, name.name] for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules.append([node.level, node.module or ""])
    return modules


def _shortened(value: ast.expr | None) -> str:
    """What a value too long to be shown is: a list, or the call of what."""
    if isinstance(value, ast.Call):
        return f"{ast.unparse(value.func)}(...)"
    return TABLES.get(type(value), "...") if value else "..."
