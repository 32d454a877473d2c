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
from matrix.engines.reading.dispatch import executor
from matrix.engines.reading.exports import Exports as Exported
from matrix.engines.reading.exports import value_from_json
from matrix.engines.reading.findings import Findings, gathered
from matrix.engines.reading.functions import exhausted, read_body
from matrix.engines.reading.options import options, truth
from matrix.engines.reading.reader import ExhaustedError, Exports, Reader
from matrix.engines.reading.scopes import Scope
from matrix.engines.reading.stars import stars_of
from matrix.engines.reading.values import (
    Constant,
    Function,
    LocalClass,
    Pairs,
    Returning,
    Symbol,
    Truth,
    Value,
)
from matrix.engines.uses import Use

from . import (  # noqa: F401 - each enters in `dispatch` what it reads
    attributes,
    branches,
    by_name,
    calls,
    comparisons,
    comprehensions,
    containers,
    declared,
    definitions,
    expressions,
    guards,
    imports,
    instances,
    iteration,
    matches,
    patches,
    questions,
    statements,
    targets,
    versions,
)

if TYPE_CHECKING:
    from matrix.engines.config import Engine

__all__ = ["FileFacts", "read_file", "value_from_json"]

_IMPORTERS = ("import_module", "__import__", "find_spec")


@dataclass(frozen=True, kw_only=True)
class FileFacts:
    """What one file says.

    Attributes:
        uses: in the order of the lines.
        exports: names of the module that lead into FlashInfer, as JSON.
        probes: functions of the module that test the release, `Class.method` too where it is given no instance:
            name to what makes them true.
        mirrors: copied enums: name to member to (integer, line).
        passed: `Enum.Member` that goes straight into a call of FlashInfer.
        pins: versions that the code itself demands, with their lines.
        needs: `module:name` of other files of the engine that this one imports.
        named: which part of the file names which part of the engine, see `callers`.
        operators: names under which PyTorch calls functions of the file.
        sets: names of FlashInfer that it sets, each with the function that does, and the line.
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
    sets: tuple[tuple[str, str, int], ...] = ()
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
            sets=tuple((path, scope, line) for path, scope, line in data.get("sets", ())),
            problem=data.get("problem", ""),
        )


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
    package = module if file.endswith("/__init__.py") else module.rpartition(".")[0]
    at = Reader(engine, file, module, package, exports or {})
    at.postponed = any(
        isinstance(node, ast.ImportFrom) and node.module == "__future__" and "annotations" in _names(node)
        for node in tree.body
    )
    try:
        _learn_imports(at, tree, source)
        _read_twice(at, tree)
    except RecursionError:
        return FileFacts(problem="nested too deeply to be read")
    pins = _pins(tree, engine) if any(name.encode() in source for name in engine.pin_checks) else ()
    return _facts(at.found, at.scope, Exported(at.found, module, is_package=package == module), pins)


def _names(node: ast.ImportFrom) -> set[str]:
    return {alias.name for alias in node.names}


def _learn_imports(at: Reader, tree: ast.Module, source: bytes) -> None:
    """Find what imports modules by their names, and what may bind names that are not seen."""
    at.importers = {name for name in _IMPORTERS if name.encode() in source}
    if not at.importers and b"import *" not in source:
        return
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    at.importers |= {
        alias.asname for node in nodes for alias in node.names if alias.asname and alias.name in at.importers
    }
    at.stars = stars_of(tree, nodes, at.engine.provider)


def _read_twice(at: Reader, tree: ast.Module) -> None:
    for quiet in (True, False):
        at.quiet = quiet
        at.scope = module = Scope()
        at.found.returned_before, at.found.returns = at.found.returns, {}
        at.deferred, at.definitions, at.steps = [], {}, 0
        for statement in tree.body:
            try:
                goes_on = executor(statement)(at, statement)
            except ExhaustedError:
                at.scope, at.path, at.frames, at.repeats, at.following = module, [], [], 1, []
                at.quiet, at.inside_call, at.loops = quiet, 0, 0
                exhausted(at, [statement], "")
                continue
            if goes_on is False:
                break
        at.path = []
        for name, assigned in at.found.globals.items():
            first = [(TRUE, at.scope.names[name])] if name in at.scope.names else []
            at.scope.names[name] = gathered([*first, *assigned], name)
        for function in at.deferred:  # grows by what their bodies define
            read_body(at, function)


def _facts(found: Findings, scope: Scope, exported: Exported, pins: tuple[tuple[str, int], ...]) -> FileFacts:
    exports: dict[str, Any] = {}
    probes: dict[str, Condition] = {}
    for name, value in scope.names.items():
        if isinstance(value, Function):
            returned = found.returned(value.name)
            condition = truth(returned, value.name)
            if about_release(condition) and not _only_calls(returned):
                probes[name] = condition
            if exported.lead(returned) or (isinstance(returned, Pairs) and not returned.unknown):
                exports[name] = exported.to_json(Returning(returned))
        elif "." not in name and (
            exported.lead(value) or (isinstance(value, LocalClass) and exported.hands_on(value.name))
        ):
            exports[name] = exported.to_json(value)
    for method, returned in _free_methods(found, scope).items():
        if asks_release(condition := truth(returned, method)) and not _only_calls(returned):
            probes[method] = condition
            exports[method] = exported.to_json(Returning(returned))
    exports |= _class_answers(found, scope, exported)
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
        sets=tuple(sorted((path, scope, line) for (path, scope), line in found.sets.items())),
    )


def _free_methods(found: Findings, scope: Scope) -> dict[str, Value]:
    """What those methods of the module's classes give back that are given no instance."""
    return {
        f"{cls}.{name}": found.returned(f"{cls}.{name}")
        for cls, info in found.classes.items()
        if cls in scope.names
        for name in sorted(info.free)
    }


def _class_answers(found: Findings, scope: Scope, exported: Exported) -> dict[str, Any]:
    """The attributes of the module's classes that answer something of the release, as JSON."""
    return {
        f"{cls}.{name}": exported.to_json(value)
        for cls, info in found.classes.items()
        if cls in scope.names
        for name in info.attributes
        if isinstance(value := found.attribute(cls, name), Truth) and asks_release(value.condition)
    }


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
