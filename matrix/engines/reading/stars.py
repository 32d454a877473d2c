"""Names that `from flashinfer.x import *` may bind."""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass
from typing import TYPE_CHECKING

from matrix.engines.reading.options import one_of
from matrix.engines.reading.values import UNKNOWN, Other, Symbol, Value

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Stars:
    """The star imports of a file.

    Attributes:
        symbols: the modules of FlashInfer that are imported so.
        alone: whether no other module is.
        bound: every name that anything else in the file binds.
    """

    symbols: tuple[Symbol, ...] = ()
    alone: bool = False
    bound: frozenset[str] = frozenset()

    def value(self, name: str) -> Value:
        """What a name stands for that nothing in the file binds."""
        if not self.symbols or name in self.bound or hasattr(builtins, name) or name.startswith("_"):
            return Other(name)
        symbols = [Symbol(f"{star.path}.{name}", "attribute", star.line) for star in self.symbols]
        return symbols[0] if self.alone else one_of([*symbols, UNKNOWN])


def stars_of(tree: ast.Module, imports: list[ast.ImportFrom], provider: str) -> Stars:
    """The star imports among all of a file's imports."""
    stars = [node for node in imports if node.names[0].name == "*"]
    symbols = tuple(
        Symbol(node.module, "import", node.lineno)
        for node in stars
        if node.module and not node.level and node.module.partition(".")[0] == provider
    )
    return Stars(symbols, len(stars) == 1, frozenset(_bound(tree))) if symbols else Stars()


def _bound(tree: ast.Module) -> Iterator[str]:
    """Every name that anything in a file binds."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((alias.asname or alias.name).partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            yield node.name
        elif isinstance(node, ast.MatchMapping) and node.rest:
            yield node.rest
