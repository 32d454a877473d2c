"""Names and attributes: what `name` and `base.name` stand for."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from matrix.engines.conditions import has
from matrix.engines.reading.callers import OPERATORS
from matrix.engines.reading.dispatch import evaluates
from matrix.engines.reading.exports import leads_into_provider
from matrix.engines.reading.options import either, options
from matrix.engines.reading.patches import set_name
from matrix.engines.reading.texts import dotted, shorten
from matrix.engines.reading.values import (
    NOTHING,
    UNKNOWN,
    Asked,
    Function,
    Local,
    LocalClass,
    Member,
    Mirror,
    Number,
    Other,
    Own,
    Parameters,
    Release,
    Split,
    Symbol,
    Value,
)
from matrix.engines.reading.versions import version_attribute

if TYPE_CHECKING:
    from matrix.engines.reading.reader import Reader

_PRIVATE_OF_INSTANCE = re.compile(r"\(\)\._[a-z]\w*$")
_OF_TEXTS = {
    *("startswith", "endswith", "split", "rsplit", "partition", "group", "groups"),
    *("strip", "lstrip", "rstrip", "replace"),
    *("release", "major", "minor", "micro", "base_version", "public", "is_prerelease", "is_devrelease"),
}
"""What is asked of a version, as a text or parsed."""


@evaluates(ast.Name)
def _name(at: Reader, node: ast.Name) -> Value:
    found = at.scope.find(node.id)
    return at.stars.value(node.id) if found is None else at.name(found)


@evaluates(ast.Attribute)
def _attribute(at: Reader, node: ast.Attribute) -> Value:
    if isinstance(node.value, ast.Attribute) and dotted(node.value).startswith("torch.ops."):
        at.mention(f"{OPERATORS}:{node.attr}")
    result = attribute(at, node.value, at.value(node.value), node.attr)
    if isinstance(node.ctx, ast.Load) and not at.inside_call:
        _note_read(at, node, result)
    return result


def _note_read(at: Reader, node: ast.Attribute, value: Value) -> None:
    choices = list(options(value))
    doubt = f"`{shorten(node, 60)}` may also be something else here" if len(choices) > 1 else ""
    for condition, single in choices:
        if isinstance(single, Symbol) and (
            "()" not in single.path
            or (single.path.count("()") == 1 and _PRIVATE_OF_INSTANCE.search(single.path))
        ):
            at.need(has(single.path), "AttributeError")
            at.note(node, single, kind="import", form="attribute", condition=condition, doubt=doubt)


def attribute(at: Reader, node: ast.expr, base: Value, name: str) -> Value:
    """What `base.name` stands for.

    Args:
        at: where it is read.
        node: the base as it is written.
        base: its value; None has no attribute that leads anywhere.
        name: the attribute's.
    """
    path = dotted(node)
    local = at.scope.find(f"{path}.{name}") if path else None
    if local is not None:
        return local
    there = [(condition, single) for condition, single in options(base) if single != NOTHING]
    return either([(condition, _single(at, single, name)) for condition, single in there])


def _single(at: Reader, base: Value, name: str) -> Value:
    if type(base) is Other:  # most are
        return UNKNOWN
    if isinstance(base, Symbol):
        if name == "__version__" and "." not in base.path:
            return Release()
        if base.path.count("()") > 1:
            return UNKNOWN
        if at.found.sets and (found := set_name(at, base, name)) is not None:
            return found
        return Symbol(f"{base.path}.{name}", base.via if base.via == "lazy" else "attribute", base.line)
    if isinstance(base, Mirror):
        return Member(base.enum, name)
    if isinstance(base, Member) and name == "value":
        return base
    if isinstance(base, Local):
        return _of_instance(at, base.name, name)
    if isinstance(base, Own):
        return _of_own(at, base.path, name)
    if isinstance(base, LocalClass):
        return _of_class(at, base.name, name)
    if isinstance(base, Parameters):
        return base if name in {"parameters", "args", "keys", "kwonlyargs"} else Asked(name)
    if isinstance(base, Release):
        return version_attribute(base, name)
    if isinstance(base, Split | Number | Asked):
        return Asked(name) if name in _OF_TEXTS else UNKNOWN
    return UNKNOWN


def _of_own(at: Reader, path: str, name: str) -> Value:
    """What another file of the engine defines, or nothing known: `package:name` may be a module or anything."""
    found = at.own(path.replace(":", "."), name)
    if ":" not in path or not isinstance(found, Own):
        return at.name(found)
    module, _, cls = path.partition(":")
    found = at.own(module, f"{cls}.{name}")
    return UNKNOWN if isinstance(found, Own) else found


def _of_class(at: Reader, cls: str, name: str) -> Value:
    """What is looked up on a class itself; of what its body assigns, only what leads into FlashInfer."""
    found = at.found.attribute(cls, name)
    if found is not None and leads_into_provider(found):
        return found
    if ":" in cls:
        module, _, own = cls.partition(":")
        found = at.own(module, f"{own}.{name}")
        return UNKNOWN if isinstance(found, Own) else found
    method = _method(at, cls, name)
    return method if isinstance(method, Function) and at.found.is_free(method.name) else UNKNOWN


def _of_instance(at: Reader, cls: str, name: str) -> Value:
    if ":" in cls and cls not in at.found.classes:
        at.own(*cls.split(":"))
    found = at.found.attribute(cls, name)
    return _method(at, cls, name) if found is None else found


def _method(at: Reader, cls: str, name: str) -> Value:
    info = at.found.classes.get(cls)
    if info is None:
        return UNKNOWN
    if name in info.properties:
        return at.found.returned(f"{cls}.{name}")
    if name in info.methods:
        return Function(f"{cls}.{name}")
    for base in info.bases:
        if isinstance(base, LocalClass) and base.name != cls:
            return _method(at, base.name, name)
        if isinstance(base, Symbol):
            return Symbol(f"{base.path}().{name}", "attribute", base.line)
    return UNKNOWN
