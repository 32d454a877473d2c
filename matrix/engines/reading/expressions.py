"""What an expression of the engine's source stands for; calls into FlashInfer are noted on the way."""

from __future__ import annotations

import ast
import builtins
import re
from typing import TYPE_CHECKING

from matrix.engines.conditions import (
    FALSE,
    TRUE,
    Condition,
    accepts,
    asked,
    consistent,
    every,
    has,
    negate,
    opaque,
    release_part,
    some,
)
from matrix.engines.reading.callers import OPERATORS
from matrix.engines.reading.scopes import Findings, Following, Frame, Scope, dotted, shorten
from matrix.engines.reading.values import (
    NUMBERS,
    SIGNS,
    UNKNOWN,
    Asked,
    Constant,
    Container,
    Either,
    Function,
    Local,
    LocalClass,
    Member,
    Mirror,
    Number,
    Other,
    Own,
    Pairs,
    Parameters,
    Release,
    Returning,
    Row,
    Split,
    Symbol,
    Truth,
    Value,
    compare_version,
    either,
    element,
    is_something,
    is_version,
    join,
    one_of,
    options,
    sliced,
    truth,
    version_attribute,
)
from matrix.engines.uses import Arguments, Use, is_private

if TYPE_CHECKING:
    from matrix.engines.config import Engine
    from matrix.engines.reading.values import Value as _Value

_CONTAINERS = {"List", "list", "Sequence", "Iterable", "Tuple", "tuple", "Dict", "dict", "Mapping", "Set"}
_MAX_STEPS = 40_000
_OF_TEXTS = {
    *(
        "startswith",
        "endswith",
        "split",
        "rsplit",
        "partition",
        "strip",
        "lstrip",
        "rstrip",
        "replace",
        "group",
    ),
    *(
        "release",
        "major",
        "minor",
        "micro",
        "base_version",
        "public",
        "is_prerelease",
        "is_devrelease",
        "groups",
    ),
}
"""What is asked of a version, as a text or parsed."""
_PRIVATE_OF_INSTANCE = re.compile(r"\(\)\._[a-z]\w*$")
_TRANSPARENT = {"Optional", "Union", "Annotated", "Final", "ClassVar"}


IMPORTERS = ("import_module", "__import__", "find_spec")


class ExhaustedError(Exception):
    """A function has more branches than are worth following."""


class Expressions:
    """Evaluates expressions in the scope that is being read.

    Attributes:
        engine: how this engine differs from others (lazy helpers, version checks).
        found: what was gathered so far.
        scope: the names at this line.
        path: the conditions under which this line is reached.
        frames: the `try` statements around it, innermost last.
        quiet: true on the first reading, which only learns what classes and functions hold.
    """

    def __init__(self, engine: Engine, file: str, module: str, *, is_package: bool) -> None:
        self.engine = engine
        self.file = file
        self.module = module
        self.package = module if is_package else module.rpartition(".")[0]
        self.exports: dict[str, dict[str, Value]] = {}
        self.found = Findings()
        self.scope = Scope()
        self.path: list[Condition] = []
        self.frames: list[Frame] = []
        self.quiet = True
        self.inside_call = 0
        self.repeats = 1
        self.steps = 0
        self.following: list[Following] = []
        self.stars: list[Symbol] = []
        self.importers: set[str] = set()
        self.only_star = False
        self.bound: frozenset[str] = frozenset()

    # --- noting uses

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
                under=self.under(),
                guards=guards,
                arguments=arguments,
                doubt=doubt,
            ),
        )

    def under(self) -> str:
        """The innermost tests around the line that say nothing about the release."""
        texts = [term for term in self.path if release_part(term) == TRUE]
        return " and ".join(
            f"not {term[1][1]}" if term[0] == "not" and term[1][0] == "opaque" else str(term[1])
            for term in texts[-2:]
            if term[0] in {"opaque", "not"}
        )

    def name(self, value: Value) -> Value:
        """Note that the part of the file that is being read names another part of the engine."""
        if isinstance(value, Function | LocalClass):
            self._name_path(f"{self.module}:{value.name.partition('.')[0]}")
        elif isinstance(value, Own | Returning) and ":" in value.path:
            self._name_path(value.path)
        return value

    def _name_path(self, path: str) -> None:
        part = (self.scope.qualname or self.scope.cls).partition(".")[0]
        if not self.quiet and path != f"{self.module}:{part}":
            self.found.named.add((part, path))

    def need(self, condition: Condition, exception: str) -> None:
        """Tell the innermost `try` what its body needs of the release, and what is raised otherwise."""
        if self.frames:
            self.frames[-1].needs.append((condition, exception))

    # --- evaluation

    def value(self, node: ast.expr | None) -> Value:
        """The value of an expression."""
        self.steps += 1
        if self.steps > _MAX_STEPS:
            raise ExhaustedError
        if node is None:
            return UNKNOWN
        handler = getattr(self, f"_{type(node).__name__.lower()}", self._plain)
        result: _Value = handler(node)
        return result

    def test(self, node: ast.expr) -> Condition:
        """The condition under which an expression is true."""
        if isinstance(node, ast.BoolOp):
            parts: list[Condition] = []
            depth = len(self.path)
            for operand in node.values:
                part = self.test(operand)
                parts.append(part)
                self.path.append(part if isinstance(node.op, ast.And) else negate(part))
            del self.path[depth:]
            return every(parts) if isinstance(node.op, ast.And) else some(parts)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return negate(self.test(node.operand))
        if isinstance(node, ast.Compare):
            if len(node.ops) == 1:
                return self._comparison(node)
            sides = [node.left, *node.comparators]
            return every(
                [
                    self._comparison(
                        ast.copy_location(ast.Compare(left=left, ops=[operator], comparators=[right]), node)
                    )
                    for left, operator, right in zip(sides, node.ops, sides[1:], strict=False)
                ]
            )
        return truth(self.value(node), shorten(node))

    def _comparison(self, node: ast.Compare) -> Condition:
        left, right = self.value(node.left), self.value(node.comparators[0])
        operator, text = node.ops[0], shorten(node)
        if isinstance(operator, ast.Is | ast.IsNot | ast.Eq | ast.NotEq) and right == Constant(None):
            base = shorten(node.left)
            present = truth(left, f"{base} is not None", absent=is_something)
            return present if isinstance(operator, ast.IsNot | ast.NotEq) else negate(present)
        if is_version(left) or is_version(right):
            return some(
                every((condition, compare_version(single, type(operator), right) or asked(text)))
                for condition, single in options(left)
                if single != Constant(None)
            )
        if isinstance(operator, ast.In | ast.NotIn):
            return self._membership(left, right, text, inside=isinstance(operator, ast.In))
        sign = SIGNS.get(type(operator))
        if isinstance(left, Constant) and isinstance(right, Constant) and sign in {"==", "!="}:
            return TRUE if (left.value == right.value) == (sign == "==") else FALSE
        if isinstance(operator, ast.Is | ast.IsNot) and isinstance(right, Constant):
            same = truth(left, shorten(node.left))
            wanted = same if right.value else negate(same)
            return wanted if isinstance(operator, ast.Is) else negate(wanted)
        if isinstance(operator, ast.NotEq):
            return negate(opaque(text.replace(" != ", " == ", 1)))
        return opaque(text)

    def _membership(self, left: Value, right: Value, text: str, *, inside: bool) -> Condition:
        answers = []
        for condition, single in options(right):
            if isinstance(single, Parameters):
                word = accepts(single.path, str(left.value)) if isinstance(left, Constant) else asked(text)
                answers.append(every((condition, word)))
            elif isinstance(single, Pairs) and isinstance(left, Constant) and not single.unknown:
                presence = some(entry[1] for entry in single.entries if entry[0] == left.value)
                answers.append(every((condition, presence)))
            else:
                answers.append(every((condition, opaque(text.replace(" not in ", " in ", 1)))))
        answer = some(answers)
        return answer if inside else negate(answer)

    def _constant(self, node: ast.Constant) -> Value:
        allowed = isinstance(node.value, str | int | float | bool) or node.value is None
        return Constant(node.value) if allowed else UNKNOWN  # type: ignore[arg-type]

    def _name(self, node: ast.Name) -> Value:
        found = self.scope.find(node.id)
        if found is None:
            return self._starred_name(node.id)
        return self.name(found)

    def _starred_name(self, name: str) -> Value:
        """A name that nothing in the file binds, where `from flashinfer.x import *` may."""
        if not self.stars or name in self.bound or hasattr(builtins, name) or name.startswith("_"):
            return Other(name)
        symbols = [Symbol(f"{star.path}.{name}", "attribute", star.line) for star in self.stars]
        return symbols[0] if self.only_star else one_of([*symbols, UNKNOWN])

    def _attribute(self, node: ast.Attribute) -> Value:
        if isinstance(node.value, ast.Attribute) and dotted(node.value).startswith("torch.ops."):
            self._name_path(f"{OPERATORS}:{node.attr}")
        base = self.value(node.value)
        result = self.attribute(node, base, node.attr)
        if isinstance(node.ctx, ast.Load) and not self.inside_call:
            self._note_read(node, result)
        return result

    def _note_read(self, node: ast.Attribute, value: Value) -> None:
        choices = list(options(value))
        doubt = f"`{shorten(node, 60)}` may also be something else here" if len(choices) > 1 else ""
        for condition, single in choices:
            if not isinstance(single, Symbol):
                continue
            if "()" not in single.path or (
                single.path.count("()") == 1 and _PRIVATE_OF_INSTANCE.search(single.path)
            ):
                self.need(has(single.path), "AttributeError")
                self.note(node, single, kind="import", form="attribute", condition=condition, doubt=doubt)

    def attribute(self, node: ast.Attribute, base: Value, name: str) -> Value:
        """What `base.name` stands for."""
        path = dotted(node.value)
        local = self.scope.find(f"{path}.{name}") if path else None
        if local is not None:
            return local
        results: list[tuple[Condition, Value]] = []
        for condition, single in options(base):
            results.append((condition, self._single_attribute(single, name)))
        return either(results)

    def _single_attribute(self, base: Value, name: str) -> Value:
        if isinstance(base, Symbol):
            if name == "__version__" and "." not in base.path:
                return Release()
            if base.path.count("()") > 1:
                return UNKNOWN
            return Symbol(f"{base.path}.{name}", base.via if base.via == "lazy" else "attribute", base.line)
        if isinstance(base, Mirror):
            return Member(base.enum, name)
        if isinstance(base, Member) and name == "value":
            return base
        if isinstance(base, Local):
            found = self.found.attribute(base.name, name)
            if found is not None:
                return found
            return self._method(base.name, name)
        if isinstance(base, Own) and ":" not in base.path:
            return self.name(self.own(base.path, name))
        if isinstance(base, Parameters) and name in {"parameters", "args", "keys"}:
            return base
        if isinstance(base, Release):
            return version_attribute(name)
        if isinstance(base, Split | Number | Asked):
            return Asked(name) if name in _OF_TEXTS else UNKNOWN
        return UNKNOWN

    def _method(self, cls: str, name: str) -> Value:
        info = self.found.classes.get(cls)
        if info is None:
            return UNKNOWN
        if name in info.methods:
            return Function(f"{cls}.{name}")
        for base in info.bases:
            if isinstance(base, LocalClass) and base.name != cls:
                return self._method(base.name, name)
            if isinstance(base, Symbol):
                return Symbol(f"{base.path}().{name}", "attribute", base.line)
        return UNKNOWN

    def own(self, module: str, name: str) -> Value:
        """A name of another file of the engine, where an earlier reading found out what it is."""
        if name in self.engine.mirrors:
            return Mirror(name)
        path = f"{module}:{name}"
        self.found.own_imports.add(path)
        self._name_path(f"{module}:")
        known = self.exports.get(module, {}).get(name, Own(path))
        return Returning(known.value, path) if isinstance(known, Returning) else known

    def _subscript(self, node: ast.Subscript) -> Value:
        base, index = self.value(node.value), self.value(node.slice)
        results: list[tuple[Condition, Value]] = []
        for condition, single in options(base):
            if isinstance(single, Pairs) and isinstance(index, Constant):
                results += [
                    (every((condition, present)), value)
                    for key, present, value in single.entries
                    if key == index.value
                ] or [(condition, UNKNOWN)]
            elif isinstance(node.slice, ast.Slice) and (piece := sliced(single, node.slice)) is not None:
                results.append((condition, piece))
            elif isinstance(single, Split):
                number = index.value if isinstance(index, Constant) else None
                inside = isinstance(number, int) and 0 <= number < len(NUMBERS.elements)
                results.append((condition, Number(number) if inside else Asked(shorten(node))))  # type: ignore[arg-type]
            elif is_version(single) and not isinstance(single, Row):
                results.append((condition, Asked(shorten(node))))
            elif isinstance(single, Row) and isinstance(index, Constant) and isinstance(index.value, int):
                inside = -len(single.elements) <= index.value < len(single.elements)
                results.append((condition, single.elements[index.value] if inside else UNKNOWN))
            elif isinstance(single, Symbol):
                results.append((condition, UNKNOWN))
            else:
                results.append((condition, element(single)))
        return either(results)

    def _boolop(self, node: ast.BoolOp) -> Value:
        first = self.value(node.values[0])
        if isinstance(node.op, ast.Or) and not isinstance(first, Truth):
            others = [self.value(item) for item in node.values[1:]]
            return one_of(item for item in (first, *others) if not isinstance(item, Other))
        return Truth(self.test(node))

    def _unaryop(self, node: ast.UnaryOp) -> Value:
        return Truth(self.test(node)) if isinstance(node.op, ast.Not) else self._plain(node)

    def _plain(self, node: ast.expr) -> Value:
        parts = [self.value(child) for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
        return Asked(shorten(node)) if any(is_version(part) for part in parts) else UNKNOWN

    def _compare(self, node: ast.Compare) -> Value:
        return Truth(self.test(node))

    def _ifexp(self, node: ast.IfExp) -> Value:
        condition = self.test(node.test)
        self.path.append(condition)
        then = self.value(node.body)
        self.path[-1] = negate(condition)
        other = self.value(node.orelse)
        self.path.pop()
        return join(condition, then, other)

    def _namedexpr(self, node: ast.NamedExpr) -> Value:
        value = self.value(node.value)
        self.scope.names[node.target.id] = value
        return value

    def _dict(self, node: ast.Dict) -> Value:
        pairs = Pairs()
        for key, item in zip(node.keys, node.values, strict=True):
            value = self.value(item)
            if key is None:
                pairs = pairs.merge(spread(value, shorten(item)))
            elif isinstance(key, ast.Constant) and isinstance(key.value, str):
                pairs = pairs.put(key.value, value)
            else:
                self.value(key)
                pairs = Pairs(pairs.entries, "keys that are not literal")
        return pairs

    def _tuple(self, node: ast.Tuple) -> Value:
        return self._row(node)

    def _list(self, node: ast.List) -> Value:
        return self._row(node)

    def _set(self, node: ast.Set) -> Value:
        return self._row(node)

    def _row(self, node: ast.Tuple | ast.List | ast.Set) -> Value:
        items = tuple(self.value(item) for item in node.elts)
        return Container(UNKNOWN) if any(isinstance(item, ast.Starred) for item in node.elts) else Row(items)

    def _joinedstr(self, node: ast.JoinedStr) -> Value:
        self._plain(node)
        return UNKNOWN

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> None:
        for part in node.generators:
            self.bind(part.target, element(self.value(part.iter)))
            for condition in part.ifs:
                self.test(condition)

    def bind(self, target: ast.expr, value: Value) -> None:
        """Assign a value to a target; statements know how."""
        raise NotImplementedError

    def _inner(self) -> Scope:
        outer = self.scope
        self.scope = Scope(parent=outer, qualname=outer.qualname, cls=outer.cls, self_name=outer.self_name)
        return outer

    def _listcomp(self, node: ast.ListComp) -> Value:
        outer = self._inner()
        if len(node.generators) == 1 and not node.generators[0].ifs:
            items = self.value(node.generators[0].iter)
            if isinstance(items, Row) and is_version(items):
                numbers = []
                for item in items.elements:
                    self.bind(node.generators[0].target, item)
                    numbers.append(self.value(node.elt))
                self.scope = outer
                return Row(tuple(numbers))
            if is_version(items):
                self.scope = outer
                return Asked(shorten(node))
        self._comprehension(node)
        item = self.value(node.elt)
        self.scope = outer
        return Container(item)

    _setcomp = _generatorexp = _listcomp

    def _dictcomp(self, node: ast.DictComp) -> Value:
        outer = self._inner()
        self._comprehension(node)
        self.value(node.key)
        item = self.value(node.value)
        self.scope = outer
        filtered = self._filtered(node)
        return filtered if filtered is not None else Container(item)

    def _filtered(self, node: ast.DictComp) -> Value | None:
        """`{k: v for k, v in d.items() if k in signature(f).parameters}` keeps what `f` accepts."""
        part = node.generators[0]
        source = part.iter
        if not (
            len(node.generators) == 1
            and isinstance(source, ast.Call)
            and isinstance(source.func, ast.Attribute)
            and source.func.attr == "items"
            and isinstance(node.key, ast.Name)
        ):
            return None
        pairs = self.value(source.func.value)
        if not isinstance(pairs, Pairs):
            return None
        for condition in part.ifs:
            gate = (
                self.value(condition.comparators[0])
                if isinstance(condition, ast.Compare) and isinstance(condition.ops[0], ast.In)
                else UNKNOWN
            )
            if not isinstance(gate, Parameters):
                return Pairs(pairs.entries, f"a filter: {shorten(condition)}")
            pairs = Pairs(
                tuple((key, every((c, accepts(gate.path, key))), v) for key, c, v in pairs.entries),
                pairs.unknown,
            )
        return pairs

    def _lambda(self, node: ast.Lambda) -> Value:
        outer, frames, self.frames = self._inner(), self.frames, []
        for argument in node.args.args:
            self.scope.names[argument.arg] = UNKNOWN
        self.value(node.body)
        self.scope, self.frames = outer, frames
        return Other(shorten(node))

    def _starred(self, node: ast.Starred) -> Value:
        self.value(node.value)
        return UNKNOWN

    # --- annotations

    def annotated(self, node: ast.expr | None) -> Value:
        """An instance of what an annotation names, where that is certain."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            try:
                node = ast.parse(node.value, mode="eval").body
            except SyntaxError:
                return UNKNOWN
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return self._union([node.left, node.right])
        if isinstance(node, ast.Subscript):
            name = shorten(node.value).rpartition(".")[2]
            inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            if name in _CONTAINERS:
                item = self.annotated(inner[-1] if name in {"Dict", "dict", "Mapping"} else inner[0])
                return UNKNOWN if item == UNKNOWN else Container(item)
            return self._union(inner) if name in _TRANSPARENT else UNKNOWN
        if isinstance(node, ast.Name | ast.Attribute):
            return self._instance(node)
        return UNKNOWN

    def _union(self, members: list[ast.expr]) -> Value:
        found = [
            self.annotated(member)
            for member in members
            if not (isinstance(member, ast.Constant) and member.value is None)
        ]
        return UNKNOWN if UNKNOWN in found else one_of(found)

    def _instance(self, node: ast.Name | ast.Attribute) -> Value:
        quiet, self.quiet = self.quiet, True
        value = self.value(node)
        self.quiet = quiet
        results: list[tuple[Condition, Value]] = []
        for condition, single in options(value):
            if isinstance(single, Symbol) and "()" not in single.path:
                results.append((condition, Symbol(f"{single.path}()", single.via, single.line)))
            elif isinstance(single, LocalClass):
                results.append((condition, Local(single.name)))
        return either(results) if results else UNKNOWN


def spread(value: Value, text: str) -> Pairs:
    """A value used as `**value`: its keys where they are known."""
    if isinstance(value, Pairs):
        return value
    if isinstance(value, Either):
        result: Pairs | None = None
        for condition, single in value.options:
            part = spread(single, text) if single != Constant(None) else Pairs()
            placed = Pairs(tuple((k, every((condition, c)), v) for k, c, v in part.entries), part.unknown)
            result = (
                placed
                if result is None
                else Pairs(result.entries + placed.entries, result.unknown or placed.unknown)
            )
        return result or Pairs()
    return Pairs(unknown=f"**{text}")
