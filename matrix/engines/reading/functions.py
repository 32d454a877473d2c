"""Bodies of functions: read once for themselves, and once more for a call that decides between paths."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from matrix.engines.conditions import FALSE, TRUE, Condition, every, negate, release_part
from matrix.engines.reading.declared import annotated
from matrix.engines.reading.findings import gathered
from matrix.engines.reading.options import either, one_of, options
from matrix.engines.reading.reader import ExhaustedError
from matrix.engines.reading.scopes import Definition, Following, FunctionNode, Scope
from matrix.engines.reading.texts import dotted, shorten
from matrix.engines.reading.values import NOTHING, UNKNOWN, Function, Local, Symbol, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matrix.engines.reading.arguments import Given
    from matrix.engines.reading.reader import Reader

_MAX_FOLLOWED = 3
_MAX_HANDED = 4


def read_body(at: Reader, function: Definition) -> None:
    """Read a function for itself, its parameters as they are declared."""
    kept = at.scope, at.path, at.frames, at.repeats, at.quiet
    followed = len(at.following)
    if not at.following and not function.outer.qualname:
        at.steps = 0
    _enter(at, function)
    at.path, at.frames, at.repeats = [*function.path, *_made(at, function)], [], 1
    scope = at.scope
    try:
        if at.run(function.node.body):
            at.found.returns.setdefault(function.qualname, []).append((TRUE, NOTHING))
    except ExhaustedError:
        if followed or function.outer.qualname:
            raise
        at.scope, at.path, at.frames, at.repeats, at.quiet = scope, [], [], 1, kept[4]
        at.inside_call, at.following, at.loops = 0, [], 0
        exhausted(at, function.node.body, function.qualname)
    declared = annotated(at, function.node.returns)
    if declared != UNKNOWN:
        at.found.returns[function.qualname] = [(TRUE, declared)]
    at.scope, at.path, at.frames, at.repeats, at.quiet = kept


def _made(at: Reader, function: Definition) -> list[Condition]:
    """What holds wherever a method runs on an instance, as making it would have raised."""
    info = at.found.classes.get(function.outer.cls)
    if info is None or not function.is_method or function.node.name in {"__init__", "__new__", *info.free}:
        return []
    return [negate(condition) for condition in info.refused]


def _enter(at: Reader, function: Definition) -> list[str]:
    """Open a function's scope, its parameters as they are declared; gives the names of the positional ones."""
    node, outer = function.node, function.outer
    static = any(shorten(item) == "staticmethod" for item in node.decorator_list)
    parameters = [*node.args.posonlyargs, *node.args.args]
    self_name = parameters[0].arg if function.is_method and parameters and not static else ""
    rest = [item.arg for item in (node.args.vararg, node.args.kwarg) if item is not None]
    at.scope = Scope(
        parent=outer if not outer.cls or outer.self_name else outer.parent,
        qualname=function.qualname,
        cls=outer.cls,
        self_name=self_name or outer.self_name or ("-" if function.is_method else ""),
        rest=tuple(rest),
    )
    for parameter in (*parameters, *node.args.kwonlyargs):
        at.scope.names[parameter.arg] = annotated(at, parameter.annotation)
    _add_defaults(at, function)
    for name in rest:
        at.scope.names[name] = UNKNOWN
    if self_name:
        at.scope.names[self_name] = Local(outer.cls)
    return [parameter.arg for parameter in parameters]


def _add_defaults(at: Reader, function: Definition) -> None:
    """A parameter that nothing is declared of may be its default, what it is seen to be given, or anything else."""
    given_back = options(at.found.returned(function.qualname))
    wraps = any(isinstance(single, Function) for _, single in given_back)  # each call of it is followed then
    for name in [name for name, value in at.scope.names.items() if value == UNKNOWN and not wraps]:
        if handed := at.found.handed.get((function.qualname, name)):
            at.scope.names[name] = gathered([*handed, (TRUE, UNKNOWN)], f"{function.qualname}.{name}")
    for name, default in _defaults(function.node).items():
        if at.scope.names[name] == UNKNOWN and isinstance(default, ast.Name | ast.Attribute):
            with at.hushed():
                value = at.value(default)
            if isinstance(value, Symbol):
                at.scope.names[name] = one_of((value, UNKNOWN))


def hand(at: Reader, name: str, given: Given) -> None:
    """Remember the functions of FlashInfer that a call hands to a function of the file."""
    function = at.definitions.get(name)
    if function is None or at.frames:  # what a `try` catches there is not known in the function
        return
    names = [item.arg for item in (*function.node.args.posonlyargs, *function.node.args.args)]
    if function.is_method and not at.found.is_free(name):
        names = names[1:]
    keywords = [(key, value) for key, _, value in given.keywords.entries]
    for key, value in (*zip(names, given.positional, strict=False), *keywords):
        if isinstance(value, Symbol) and "()" not in value.path:
            known = at.found.handed.setdefault((name, key), [])
            pair = (release_part(every(at.path)), value)
            if pair not in known and len(known) < _MAX_HANDED:
                known.append(pair)


def _defaults(node: FunctionNode) -> dict[str, ast.expr]:
    names = [parameter.arg for parameter in (*node.args.posonlyargs, *node.args.args)]
    return dict(zip(names[::-1], node.args.defaults[::-1], strict=False)) | {
        item.arg: default
        for item, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
        if default is not None
    }


def follow(at: Reader, call: ast.Call, name: str, given: Given) -> Value | None:
    """What a function of the file gives back for what one call passes; None where it is not followed."""
    function = at.definitions.get(name)
    if function is None or len(at.following) >= _MAX_FOLLOWED or given.unknown or given.keywords.unknown:
        return None
    if any(item.function == name for item in at.following):
        return None
    kept = at.scope, list(at.path), at.repeats, at.inside_call
    returns = at.found.returns.pop(name, None)
    following = Following(name, call, at.scope.qualname)
    at.following.append(following)
    _enter_for(at, function, given)
    at.inside_call = 0
    if at.run(function.node.body):
        at.found.returns.setdefault(name, []).append((TRUE, NOTHING))
    result = either(
        [
            (
                condition,
                following.forwards.get(single.name, single) if isinstance(single, Function) else single,
            )
            for reached, value in at.found.returns.pop(name, [])
            for inner, single in options(value)
            if (condition := every((reached, inner))) != FALSE
        ]
    )
    at.following.pop()
    at.scope, at.path, at.repeats, at.inside_call = kept
    if returns is not None:
        at.found.returns[name] = returns
    return result


def _enter_for(at: Reader, function: Definition, given: Given) -> None:
    """Open a function's scope, its parameters as one call gives them."""
    names = _enter(at, function)
    defaults = _defaults(function.node)
    if function.is_method and at.scope.self_name != "-":
        names = names[1:]
    at.scope.names |= {name: at.value(default) for name, default in defaults.items()}
    at.scope.names |= dict(zip(names, given.positional, strict=False))
    at.scope.names |= {key: value for key, _, value in given.keywords.entries}


def exhausted(at: Reader, body: Sequence[ast.stmt], where: str) -> None:
    """Note the calls of a body that has more branches than are worth following."""
    at.steps = 0
    for node in (inner for statement in body for inner in ast.walk(statement)):
        if isinstance(node, ast.Call) and dotted(node.func):
            for _, single in options(at.value(node.func)):
                if isinstance(single, Symbol):
                    at.uncertain(node, single, f"on what {where or 'the file'} has too many branches for")
