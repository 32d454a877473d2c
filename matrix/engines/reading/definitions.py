"""Functions and classes where they are defined, and the engine's copies of FlashInfer's enums."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from matrix.engines.conditions import atoms
from matrix.engines.reading.by_name import operator
from matrix.engines.reading.callers import ANYONE
from matrix.engines.reading.declared import evaluated
from matrix.engines.reading.dispatch import executes
from matrix.engines.reading.findings import ClassInfo
from matrix.engines.reading.functions import read_body
from matrix.engines.reading.scopes import Definition, FunctionNode, Scope
from matrix.engines.reading.texts import mentions, shorten
from matrix.engines.reading.values import Constant, Function, LocalClass, Mirror, Row

if TYPE_CHECKING:
    from matrix.engines.reading.reader import Reader

_ENUM_BASES = {"Enum", "IntEnum", "IntFlag", "Flag", "StrEnum"}


@executes(ast.FunctionDef, ast.AsyncFunctionDef)
def _function(at: Reader, node: FunctionNode) -> None:
    for outside in (*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)):
        at.value(outside)
    parameters = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
    for annotation in (*(parameter.annotation for parameter in parameters), node.returns):
        evaluated(at, annotation)
    outer = at.scope
    in_class = bool(outer.cls) and not outer.self_name
    nested = bool(outer.qualname) and not in_class
    prefix = outer.qualname or outer.cls
    qualname = f"{prefix}.{node.name}" if prefix else node.name
    if in_class:
        _method(at.found.classes[outer.cls], node)
    else:
        outer.names[node.name] = Function(qualname)
    if not nested:
        if any(_registers(decorator) for decorator in node.decorator_list):
            at.found.named.add((ANYONE, f"{at.module}:{qualname.partition('.')[0]}"))
        for decorator in node.decorator_list:
            operator(at, decorator, Function(qualname))
    if mentions(node, at.importers):
        at.importers.add(node.name)
    function = Definition(node, qualname, outer, tuple(at.path), is_method=in_class)
    at.definitions[qualname] = function
    if nested:
        read_body(at, function)
    else:
        at.deferred.append(function)


def _method(info: ClassInfo, node: FunctionNode) -> None:
    decorators = {shorten(decorator).rpartition(".")[2] for decorator in node.decorator_list}
    info.methods.add(node.name)
    if decorators & {"property", "cached_property"}:
        info.properties.add(node.name)
    elif decorators & {"staticmethod", "classmethod"}:
        info.free.add(node.name)


def _registers(decorator: ast.expr) -> bool:
    """Whether a decorator hands what it decorates to callers that cannot be seen."""
    text = shorten(decorator).partition("(")[0]
    return "register" in text and "custom_op" not in text


@executes(ast.ClassDef)
def _class(at: Reader, node: ast.ClassDef) -> None:
    bases = tuple(at.value(base) for base in node.bases)
    for keyword in node.keywords:
        at.value(keyword.value)
    names = {shorten(base).rpartition(".")[2] for base in node.bases}
    copies = node.name in at.engine.mirrors and (names & _ENUM_BASES or not bases)
    if copies and not _replaces(at, node.name):
        _mirror(at, node)
        at.scope.names[node.name] = Mirror(node.name)
        return
    if mentions(node, at.importers):
        at.importers.add(node.name)
    info = at.found.classes.setdefault(node.name, ClassInfo())
    info.bases, info.decorators = bases, tuple(shorten(item) for item in node.decorator_list)
    at.scope.names[node.name] = LocalClass(node.name)
    outer = at.scope
    at.scope = Scope(parent=outer, cls=node.name)
    at.run(node.body)
    at.scope = outer
    for decorator in node.decorator_list:
        at.value(decorator)


def _replaces(at: Reader, name: str) -> bool:
    """Whether a class stands in for FlashInfer's of that name, and is there only where that one is not."""
    asked = (atom for condition in at.path for atom in atoms(condition))
    return any(atom[0] == "has" and atom[1].endswith(f".{name}") for atom in asked)


def _mirror(at: Reader, node: ast.ClassDef) -> None:
    members: dict[str, tuple[int, int]] = {}
    for statement in node.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            value = at.value(statement.value)
            if isinstance(value, Row) and len(value.elements) == 1:
                value = value.elements[0]
            if isinstance(value, Constant) and isinstance(value.value, int):
                members[statement.targets[0].id] = (value.value, statement.lineno)
    if len(members) > 1:
        at.found.mirrors[node.name] = members
