"""One source file of an engine, read into the uses that it makes of FlashInfer.

Nothing is imported or run. The file is read twice: first to learn what its classes and functions hold, then
to note the uses. A file's result depends on its content, its module name, the engine's rules and what other
files of the engine export to it, so that it can be kept by those.
"""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from matrix.engines.conditions import TRUE, Condition, about_release, asks_release, from_json
from matrix.engines.reading.expressions import IMPORTERS, ExhaustedError
from matrix.engines.reading.scopes import Findings, Scope, gathered
from matrix.engines.reading.statements import Statements
from matrix.engines.reading.values import (
    UNKNOWN,
    Constant,
    Either,
    Function,
    Pairs,
    Release,
    Returning,
    Symbol,
    Truth,
    Value,
    options,
    truth,
)
from matrix.engines.uses import Use

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matrix.engines.config import Engine

Exports = dict[str, dict[str, Value]]


@dataclass(frozen=True, kw_only=True)
class FileFacts:
    """What one file says.

    Attributes:
        uses: in the order of the lines.
        exports: names of the module that lead into FlashInfer, as JSON.
        probes: functions of the module that test the release: name to what makes them true.
        mirrors: copied enums: name to member to (integer, line).
        passed: `Enum.Member` that goes straight into a call of FlashInfer.
        pins: versions that the code itself demands, with their lines.
        needs: `module:name` of other files of the engine that this one imports.
        named: which part of the file names which part of the engine, see `callers`.
        operators: names under which PyTorch calls functions of the file.
        problem: why the file could not be read; empty where it was.
    """

    uses: tuple[Use, ...] = ()
    exports: dict[str, Any] = field(default_factory=dict)
    probes: dict[str, Condition] = field(default_factory=dict)
    mirrors: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)
    passed: tuple[str, ...] = ()
    pins: tuple[tuple[str, int], ...] = ()
    needs: tuple[str, ...] = ()
    named: tuple[tuple[str, str], ...] = ()
    operators: tuple[tuple[str, str], ...] = ()
    problem: str = ""

    def to_json(self) -> dict[str, Any]:
        """The facts as JSON keeps them."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "uses"}
        return {name: value for name, value in fields.items() if value} | {
            "uses": [use.to_json() for use in self.uses]
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> FileFacts:
        """Read back what `to_json` wrote."""
        return cls(
            uses=tuple(Use.from_json(use) for use in data["uses"]),
            exports=data.get("exports", {}),
            probes={name: from_json(condition) for name, condition in data.get("probes", {}).items()},
            mirrors={
                enum: {name: (value[0], value[1]) for name, value in members.items()}
                for enum, members in data.get("mirrors", {}).items()
            },
            passed=tuple(data.get("passed", ())),
            pins=tuple((pin[0], pin[1]) for pin in data.get("pins", ())),
            needs=tuple(data.get("needs", ())),
            named=tuple((part, path) for part, path in data.get("named", ())),
            operators=tuple((name, path) for name, path in data.get("operators", ())),
            problem=data.get("problem", ""),
        )


class _Reader(Statements):
    def read(self, tree: ast.Module, source: bytes) -> None:
        self.importers = {name for name in IMPORTERS if name.encode() in source}
        looked_at = self.importers or b"import *" in source
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)] if looked_at else []
        self.importers |= {
            alias.asname
            for node in imports
            for alias in node.names
            if alias.asname and alias.name in self.importers
        }
        stars = [node for node in imports if node.names[0].name == "*"]
        self.stars = [
            Symbol(node.module, "import", node.lineno)
            for node in stars
            if node.module and not node.level and node.module.partition(".")[0] == self.engine.provider
        ]
        if self.stars:
            self.only_star = len(stars) == 1
            self.bound = frozenset(_bound(tree))
        for quiet in (True, False):
            self.quiet = quiet
            self.scope = Scope()
            self.found.returned_before, self.found.returns = self.found.returns, {}
            self.deferred, self.bodies, self.steps = [], {}, 0
            try:
                self.run(tree.body)
            except ExhaustedError:
                self.path, self.frames, self.repeats, self.following = [], [], 1, []
                self.exhausted(tree.body, "")
            for name, assigned in self.found.globals.items():
                first = [(TRUE, self.scope.names[name])] if name in self.scope.names else []
                self.scope.names[name] = gathered([*first, *assigned], name)
            while self.deferred:
                self.deferred.pop(0)()


def read_file(
    source: bytes, file: str, module: str, engine: Engine, *, exports: Exports | None = None
) -> FileFacts:
    """Read one file.

    Args:
        source: its bytes; a byte-order mark and a declared encoding are honoured.
        file: the path to report, relative to the package's parent folder.
        module: its dotted name.
        engine: the engine's rules.
        exports: what other files of the engine are known to export, by module and name.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source, filename=file)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        return FileFacts(problem=f"line {line}: {error}" if line else str(error))
    reader = _Reader(engine, file, module, is_package=file.endswith("/__init__.py"))
    reader.exports = exports or {}
    try:
        reader.read(tree, source)
    except RecursionError:
        return FileFacts(problem="nested too deeply to be read")
    pins = _pins(tree, engine) if any(name.encode() in source for name in engine.pin_checks) else ()
    return _facts(reader.found, reader.scope, pins)


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


def _facts(found: Findings, scope: Scope, pins: tuple[tuple[str, int], ...]) -> FileFacts:
    exports: dict[str, Any] = {}
    probes: dict[str, Condition] = {}
    for name, value in scope.names.items():
        if isinstance(value, Function):
            returned = found.returned(value.name)
            condition = truth(returned, value.name)
            if about_release(condition) and not _only_calls(returned):
                probes[name] = condition
            if leads_into_provider(returned) or (isinstance(returned, Pairs) and not returned.unknown):
                exports[name] = ["returns", value_to_json(returned)]
        elif "." not in name and leads_into_provider(value):
            exports[name] = value_to_json(value)
    return FileFacts(
        uses=tuple(sorted(found.uses.values(), key=lambda use: (use.line, use.symbol))),
        exports=exports,
        probes=probes,
        mirrors=found.mirrors,
        passed=tuple(sorted(f"{enum}.{name}" for enum, name in found.passed)),
        pins=pins,
        needs=tuple(sorted(found.own_imports)),
        named=tuple(sorted(found.named)),
        operators=tuple(sorted(found.operators)),
    )


def _pins(tree: ast.Module, engine: Engine) -> tuple[tuple[str, int], ...]:
    names = {name.replace("_", "-") for name in engine.provider_distributions}
    pins = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and len(node.args) > 1:
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            words = [arg.value if isinstance(arg, ast.Constant) else None for arg in node.args[:2]]
            if called in engine.pin_checks and str(words[0]).replace("_", "-") in names and words[1]:
                pins.append((str(words[1]), node.lineno))
    return tuple(pins)


def _only_calls(returned: Value) -> bool:
    """Whether a function gives back what a call gave, and no plain answer: that is no question."""
    singles = [single for _, single in options(returned)]
    called = any(isinstance(single, Symbol) and single.path.endswith("()") for single in singles)
    return called and not any(
        isinstance(single, Truth) or (isinstance(single, Constant) and single.value is not None)
        for single in singles
    )


def leads_into_provider(value: Value) -> bool:
    """Whether a name is worth telling other files of the engine about."""
    return any(
        isinstance(single, Symbol | Release)
        or (isinstance(single, Truth) and asks_release(single.condition))
        or (isinstance(single, Constant) and asks_release(condition))
        for condition, single in options(value)
    )


def value_to_json(value: Value) -> Any:
    """An exported value as JSON; what other files cannot use is left out."""
    if isinstance(value, Either):
        return ["either", [[condition, value_to_json(single)] for condition, single in value.options]]
    if isinstance(value, Symbol):
        return ["symbol", value.path, value.via, value.rescue]
    if isinstance(value, Pairs):
        entries = [[key, condition, value_to_json(item)] for key, condition, item in value.entries]
        return ["pairs", entries, value.unknown]
    if isinstance(value, Truth):
        return ["truth", value.condition]
    if isinstance(value, Release):
        return ["release"]
    if isinstance(value, Constant):
        return ["constant", value.value]
    return ["other"]


def value_from_json(data: Any) -> Value:
    """Read back what `value_to_json` wrote."""
    word, *rest = data
    if word == "either":
        return Either(tuple((from_json(condition), value_from_json(single)) for condition, single in rest[0]))
    if word == "symbol":
        return Symbol(rest[0], rest[1], 0, rest[2])
    if word == "pairs":
        entries = tuple(
            (key, from_json(condition), value_from_json(item)) for key, condition, item in rest[0]
        )
        return Pairs(entries, rest[1])
    if word == "returns":
        return Returning(value_from_json(rest[0]))
    if word == "truth":
        return Truth(from_json(rest[0]))
    if word == "release":
        return Release()
    if word == "constant":
        return Constant(rest[0])
    return UNKNOWN
