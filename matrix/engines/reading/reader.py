"""A file that is being read: where in it the reader stands, what was gathered, and what reads its parts."""

from __future__ import annotations

import ast
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from matrix.engines.conditions import TRUE, Condition, consistent, every, has, release_part
from matrix.engines.reading.dispatch import BINDERS, DECIDERS, EVALUATORS, executor
from matrix.engines.reading.findings import ClassInfo, Findings
from matrix.engines.reading.options import bounded, truth
from matrix.engines.reading.scopes import Definition, Following, Frame, Scope
from matrix.engines.reading.stars import Stars
from matrix.engines.reading.texts import shorten
from matrix.engines.reading.values import (
    UNKNOWN,
    Function,
    Holder,
    LocalClass,
    Mirror,
    Other,
    Own,
    Returning,
    Symbol,
    Value,
)
from matrix.engines.uses import Arguments, Use, is_private

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matrix.engines.config import Engine

Exports = dict[str, dict[str, Value]]
"""What other files of the engine export: values by module and name."""
_MAX_STEPS = 40_000


class ExhaustedError(Exception):
    """A function has more branches than are worth following."""


@dataclass
class Reader:
    """Reads one file, in the order of its lines.

    Attributes:
        engine: how this engine differs from others (lazy helpers, version checks).
        file: the path to report.
        module: the file's dotted name.
        package: the package that its relative imports start from.
        exports: what other files of the engine are known to export.
        stars: its star imports.
        importers: functions and classes of the file that import modules by name.
        found: what was gathered so far.
        scope: the names at this line.
        path: the conditions under which this line is reached.
        frames: the `try` statements around it, innermost last.
        postponed: whether annotations are left unevaluated.
        quiet: true on the first reading, which only learns what classes and functions hold.
        inside_call: how many calls this expression is the function of.
        repeats: how many times the loops around this line are unrolled.
        loops: how many loops around this line are read once for all of their rounds.
        steps: how many expressions were read of this function.
        following: the calls for which functions are read once more, innermost last.
        definitions: the functions met so far.
        deferred: those whose bodies are read when the module has been.
    """

    engine: Engine
    file: str
    module: str
    package: str
    exports: Exports
    stars: Stars = field(default_factory=Stars)
    importers: set[str] = field(default_factory=set)
    found: Findings = field(default_factory=Findings)
    scope: Scope = field(default_factory=Scope)
    path: list[Condition] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    postponed: bool = False
    quiet: bool = True
    inside_call: int = 0
    repeats: int = 1
    loops: int = 0
    steps: int = 0
    following: list[Following] = field(default_factory=list)
    definitions: dict[str, Definition] = field(default_factory=dict)
    deferred: list[Definition] = field(default_factory=list)

    # --- reading

    def value(self, node: ast.expr | None) -> Value:
        """What an expression stands for; calls into FlashInfer are noted on the way."""
        self.steps += 1
        if self.steps > _MAX_STEPS:
            raise ExhaustedError
        if node is None:
            return UNKNOWN
        return EVALUATORS.get(type(node), EVALUATORS[ast.expr])(self, node)

    def argument(self, node: ast.expr) -> Value:
        """An argument's value: what is read there is read for itself."""
        depth, self.inside_call = self.inside_call, 0
        value = self.value(node)
        self.inside_call = depth
        return value

    def callee(self, node: ast.expr) -> Value:
        """The value of what is called: reading an attribute on the way to it is no use of its own."""
        self.inside_call += 1
        value = self.value(node)
        self.inside_call -= 1
        return value

    def test(self, node: ast.expr) -> Condition:
        """The condition under which an expression is true."""
        decide = DECIDERS.get(type(node))
        return truth(self.value(node), shorten(node)) if decide is None else decide(self, node)

    def bind(self, target: ast.expr, value: Value) -> None:
        """Assign a value to a name, attribute, element or several of them."""
        bind = BINDERS.get(type(target))
        if bind is not None:
            bind(self, target, bounded(value))

    def run(self, body: Sequence[ast.stmt]) -> bool:
        """Read a block; False where it always leaves by return, raise, continue or break."""
        depth = len(self.path)
        goes_on = True
        for statement in body:
            if executor(statement)(self, statement) is False:
                goes_on = False
                break
        del self.path[depth:]
        return goes_on

    # What is set aside here is not put back after an error: whoever catches it starts anew.

    @contextmanager
    def hushed(self) -> Iterator[None]:
        """Read something of which no use is noted."""
        quiet, self.quiet = self.quiet, True
        yield
        self.quiet = quiet

    @contextmanager
    def inner(self) -> Iterator[None]:
        """Read something that has names of its own."""
        outer, self.scope = self.scope, self.scope.inner()
        yield
        self.scope = outer

    # --- noting

    def note(
        self,
        node: ast.AST,
        symbol: Symbol,
        *,
        kind: str,
        form: str,
        condition: Condition = TRUE,
        arguments: Arguments | None = None,
        doubt: str = "",
        named: Condition = TRUE,
        unasked: str = "",
    ) -> None:
        """Keep one use, unless the line cannot be reached or this is the first reading."""
        scope = self.scope.qualname
        if self.following:
            if kind != "import" or form not in {"module", "attribute", "lazy"}:
                return
            form = form if scope == self.following[-1].function else "lazy"
            node, scope = self.following[0].node, self.following[0].scope
        if self.quiet or not consistent([*self.path, condition]):
            return
        line = getattr(node, "lineno", 0)
        reached = [release_part(term) for term in (*self.path, condition)]
        guards = tuple(guard for frame in reversed(self.frames) for guard in frame.guards)
        if form == "from" and any("ModuleNotFoundError" in guard.catches for guard in guards):
            # a name that a module lacks raises the plain ImportError
            reached.append(has(symbol.path.rpartition(".")[0]))
            guards = tuple(left for guard in guards if (left := guard.but("ModuleNotFoundError")))
        self.found.uses.setdefault(
            (line, getattr(node, "col_offset", 0), symbol.path, form, condition),
            Use(
                file=self.file,
                line=line,
                scope=scope,
                kind="private" if kind == "import" and is_private(symbol.path) else kind,
                form=form,
                symbol=symbol.path,
                via=symbol.via,
                origin=symbol.line,
                rescue=symbol.rescue,
                condition=every(reached),
                under=self._under(),
                guards=guards,
                arguments=arguments,
                doubt=doubt,
                named=named,
                unasked=unasked,
            ),
        )

    def _under(self) -> str:
        """The innermost tests around the line that say nothing about the release."""
        texts = [term for term in self.path if release_part(term) == TRUE]
        return " and ".join(
            f"not {term[1][1]}" if term[0] == "not" and term[1][0] == "opaque" else str(term[1])
            for term in texts[-2:]
            if term[0] in {"opaque", "not"}
        )

    def uncertain(self, node: ast.Call, symbol: Symbol, how: str) -> None:
        """Note a use of which no more is seen than that it is one."""
        self.note(
            node,
            symbol,
            kind="call",
            form="call",
            arguments=Arguments(unknown=f"arguments {how}"),
            doubt=f"it is reached {how}",
        )

    def reached(self) -> Condition:
        """The condition under which this line is reached, with what the `try` around it has needed so far."""
        return every([*self.path, *(need for frame in self.frames for need in frame.rescued())])

    def need(self, condition: Condition, exception: str) -> None:
        """Tell the innermost `try` what its body needs of the release, and what is raised otherwise."""
        if self.frames:
            self.frames[-1].needs.append((condition, exception))

    # --- other parts of the engine

    def own(self, module: str, name: str) -> Value:
        """A name of another file of the engine, where an earlier reading found out what it is."""
        if name in self.engine.mirrors:
            return Mirror(name)
        path = f"{module}:{name}"
        self.found.own_imports.add(path)
        self.mention(f"{module}:")
        known = self.exports.get(module, {}).get(name, Own(path))
        if isinstance(known, Holder):
            held = {attribute: [(TRUE, value)] for attribute, value in known.attributes}
            self.found.classes.setdefault(path, ClassInfo(bases=(UNKNOWN,), attributes=held))
            return LocalClass(path)
        return Returning(known.value, path) if isinstance(known, Returning) else known

    def name(self, value: Value) -> Value:
        """Note that the part of the file that is being read names another part of the engine."""
        if type(value) is Other:  # most are
            return value
        if isinstance(value, LocalClass) and ":" in value.name:
            self.mention(value.name)
        elif isinstance(value, Function | LocalClass):
            self.mention(f"{self.module}:{value.name.partition('.')[0]}")
        elif isinstance(value, Own | Returning) and ":" in value.path:
            self.mention(value.path)
        return value

    def mention(self, path: str) -> None:
        """Note that this part of the file names `module:name`."""
        part = (self.scope.qualname or self.scope.cls).partition(".")[0]
        if not self.quiet and path != f"{self.module}:{part}":
            self.found.named.add((part, path))
