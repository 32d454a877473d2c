"""Assignments: what names, attributes and elements stand for afterwards."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from matrix.engines.conditions import TRUE, every, release_part
from matrix.engines.reading.arguments import spread
from matrix.engines.reading.changes import change, without
from matrix.engines.reading.declared import annotated, evaluated
from matrix.engines.reading.dispatch import binds, executes
from matrix.engines.reading.instances import as_declared, as_held
from matrix.engines.reading.options import element, one_of, options
from matrix.engines.reading.patches import module_named, put
from matrix.engines.reading.texts import dotted, shorten
from matrix.engines.reading.values import (
    NOTHING,
    UNKNOWN,
    Constant,
    Container,
    Local,
    Other,
    Pairs,
    Row,
    Symbol,
    Value,
)

if TYPE_CHECKING:
    from matrix.engines.reading.reader import Reader


@executes(ast.Assign)
def _assign(at: Reader, node: ast.Assign) -> None:
    value = at.value(node.value)
    for target in node.targets:
        at.bind(target, value)


@executes(ast.AnnAssign)
def _ann_assign(at: Reader, node: ast.AnnAssign) -> None:
    value = at.value(node.value) if node.value else UNKNOWN
    if not at.scope.qualname:
        evaluated(at, node.annotation)
    if isinstance(value, Other) or value in {NOTHING, Row(), Pairs()}:
        declared = annotated(at, node.annotation)
        value = value if declared == UNKNOWN else declared
    elif at.scope.cls and not at.scope.self_name:
        value = as_declared(at, value)
    at.bind(node.target, value)


@executes(ast.AugAssign)
def _aug_assign(at: Reader, node: ast.AugAssign) -> None:
    value = at.value(node.value)
    known = at.value(ast.copy_location(_loaded(node.target), node))
    if isinstance(node.op, ast.BitOr) and isinstance(known, Pairs):
        change(at, node.target, known, known.merge(spread(value, shorten(node.value))))
        return
    if isinstance(node.op, ast.Add) and isinstance(known, Row) and isinstance(value, Row) and not at.loops:
        change(at, node.target, known, Row((*known.elements, *value.elements)))
        return
    if isinstance(node.target, ast.Name):
        at.scope.names[node.target.id] = UNKNOWN


def _loaded(target: ast.expr) -> ast.expr:
    """A target as an expression that reads it."""
    if isinstance(target, ast.Name):
        return ast.Name(id=target.id, ctx=ast.Load())
    if isinstance(target, ast.Attribute):
        return ast.Attribute(value=target.value, attr=target.attr, ctx=ast.Load())
    return target


@executes(ast.Delete)
def _delete(at: Reader, node: ast.Delete) -> None:
    for target in node.targets:
        if isinstance(target, ast.Subscript):
            known, key = at.value(target.value), at.value(target.slice)
            if isinstance(known, Pairs):
                change(at, target.value, known, without(known, key, shorten(node)))


@binds(ast.Name)
def _bind_name(at: Reader, target: ast.Name, value: Value) -> None:
    at.scope.names[target.id] = value
    if target.id in at.scope.declared_global:
        at.found.globals.setdefault(target.id, []).append((release_part(every(at.path)), value))
    elif at.scope.cls and not at.scope.self_name:
        at.found.classes[at.scope.cls].learn(target.id, TRUE, as_held(value))


@binds(ast.Attribute)
def _bind_attribute(at: Reader, target: ast.Attribute, value: Value) -> None:
    base = at.value(target.value)
    if isinstance(base, Symbol) and "()" not in base.path:
        put(at, f"{base.path}.{target.attr}", value, target.lineno)
    for _, single in options(base):
        if isinstance(single, Local) and single.name in at.found.classes:
            at.found.classes[single.name].learn(target.attr, release_part(at.reached()), value)
        elif not isinstance(value, Constant | Container | Row | Pairs):
            at.found.patched.add(target.attr)
    path = dotted(target)
    if path and not isinstance(base, Symbol):
        at.scope.names[path] = value


@binds(ast.Subscript)
def _bind_element(at: Reader, target: ast.Subscript, value: Value) -> None:
    known = at.value(target.value)
    key = at.value(target.slice)
    if module := module_named(at, target.value, key):
        put(at, module, value, target.lineno)
    elif isinstance(known, Pairs):
        if isinstance(key, Constant) and isinstance(key.value, str):
            change(at, target.value, known, known.put(key.value, value))
        elif known.entries:
            change(at, target.value, known, Pairs(known.entries, f"keys from {shorten(target.slice)}"))
        else:
            change(at, target.value, known, Container(value))
    elif isinstance(known, Container | Row):
        item = element(known)
        change(at, target.value, known, Container(value if item == UNKNOWN else one_of((item, value))))


@binds(ast.Tuple, ast.List)
def _bind_elements(at: Reader, target: ast.Tuple | ast.List, value: Value) -> None:
    known = value.elements if isinstance(value, Row) else ()
    fits = len(known) == len(target.elts)
    for number, part in enumerate(target.elts):
        inner = known[number] if fits else element(value)
        at.bind(part.value if isinstance(part, ast.Starred) else part, inner)
