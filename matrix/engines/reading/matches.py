"""`match`: each case is read as the test that it is."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from matrix.engines.reading.dispatch import executes, executor

if TYPE_CHECKING:
    from matrix.engines.reading.reader import Reader


@executes(ast.Match)
def _match(at: Reader, node: ast.Match) -> bool | None:
    at.value(node.subject)
    for statement in _as_tests(node.subject, node.cases):
        ast.fix_missing_locations(ast.copy_location(statement, node))
        if executor(statement)(at, statement) is False:
            return False
    return None


def _as_tests(subject: ast.expr, cases: list[ast.match_case]) -> list[ast.stmt]:
    """Cases as `if` and `else`."""
    if not cases:
        return []
    case, *others = cases
    test = _as_test(subject, case.pattern)
    body = [*_bound(subject, case.pattern), *case.body]
    if isinstance(test, ast.Constant) and case.guard is None:
        return body
    if case.guard is not None:
        test = ast.BoolOp(op=ast.And(), values=[test, case.guard])
    return [ast.If(test=test, body=body, orelse=_as_tests(subject, others))]


def _as_test(subject: ast.expr, pattern: ast.pattern) -> ast.expr:
    """A pattern as an expression that is true where it matches."""
    if isinstance(pattern, ast.MatchValue):
        return ast.Compare(left=subject, ops=[ast.Eq()], comparators=[pattern.value])
    if isinstance(pattern, ast.MatchSingleton):
        return ast.Compare(left=subject, ops=[ast.Is()], comparators=[ast.Constant(value=pattern.value)])
    if isinstance(pattern, ast.MatchOr):
        return ast.BoolOp(op=ast.Or(), values=[_as_test(subject, part) for part in pattern.patterns])
    if isinstance(pattern, ast.MatchAs):
        return ast.Constant(value=True) if pattern.pattern is None else _as_test(subject, pattern.pattern)
    if isinstance(pattern, ast.MatchClass) and not pattern.patterns and not pattern.kwd_patterns:
        name = ast.Name(id="isinstance", ctx=ast.Load())
        return ast.Call(func=name, args=[subject, pattern.cls], keywords=[])
    text = ast.Constant(value=f"case {ast.unparse(pattern)}")
    return ast.Compare(left=subject, ops=[ast.In()], comparators=[text])


def _bound(subject: ast.expr, pattern: ast.pattern) -> list[ast.stmt]:
    """What a pattern gives names to: the subject itself, or a part of it that is not seen."""
    whole = pattern.name if isinstance(pattern, ast.MatchAs) else None
    names = [
        name
        for inner in ast.walk(pattern)
        for name in (getattr(inner, "name", None), getattr(inner, "rest", None))
        if name is not None and name != whole
    ]
    given = [(whole, subject)] if whole is not None else []
    return [
        ast.Assign(targets=[ast.Name(id=name, ctx=ast.Store())], value=value)
        for name, value in (*given, *((name, ast.Constant(value=...)) for name in names))
    ]
