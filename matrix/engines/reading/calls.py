"""Calls in the engine's source: into FlashInfer, to its lazy helpers, and to what decides between paths."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from matrix.engines.conditions import (
    FALSE,
    TRUE,
    Condition,
    asks_release,
    consistent,
    every,
    has,
    implied,
    negate,
    opaque,
    some,
    terms,
    unfollowed,
)
from matrix.engines.reading.expressions import Expressions, spread
from matrix.engines.reading.scopes import ClassInfo, shorten
from matrix.engines.reading.values import (
    NOTHING,
    UNKNOWN,
    Asked,
    Constant,
    Container,
    Function,
    Local,
    LocalClass,
    Member,
    Other,
    Own,
    Pairs,
    Parameters,
    Partial,
    Release,
    Returning,
    Row,
    Specifier,
    Split,
    Symbol,
    Truth,
    Value,
    either,
    element,
    is_version,
    one_of,
    options,
    specified,
    truth,
)
from matrix.engines.uses import NO_MODULE, Arguments

if TYPE_CHECKING:
    from matrix.engines.config import Lazy

_MAX_PATH = 2
_MODULE = re.compile(r"[a-z_]\w*(\.[A-Za-z_]\w*)*")
_READERS = {
    *("getLogger", "get_logger", "startswith", "endswith", "debug", "info", "warning", "error", "print"),
    *("get", "pop", "setdefault", "replace", "split", "version", "distribution", "requires", "append", "add"),
}
"""Functions that are given a dotted name without importing it."""


@dataclass(frozen=True)
class Passed:
    """What a call passes; `unknown` says why there may be more."""

    positional: tuple[Value, ...]
    keywords: Pairs
    unknown: str = ""


class Calls(Expressions):
    """Evaluates call expressions."""

    def _call(self, node: ast.Call) -> Value:
        name = self._called(node.func)
        special = getattr(self, f"_call_{name.strip('_').lower()}", None)
        if special is not None and (result := special(node)) is not None:
            known: Value = result
            return known
        helper = self.engine.helpers.get(name)
        if helper is not None and (lazy := self._lazy(node, helper)) is not None:
            return lazy
        if "custom_op" in name and self.operator(node):
            return UNKNOWN
        self.inside_call += 1
        function = self.value(node.func)
        self.inside_call -= 1
        return self._apply(node, function)

    def _called(self, node: ast.expr) -> str:
        """The last part of a called name, an imported one as its own module calls it."""
        if isinstance(node, ast.Attribute):
            return node.attr
        if not isinstance(node, ast.Name):
            return ""
        known = self.scope.find(node.id)
        return known.text.rpartition(".")[2] if type(known) is Other and known.text else node.id

    def operator(self, node: ast.expr, function: Value | None = None) -> bool:
        """Note a function that is registered as an operator, by a call or as a decorator."""
        if not (isinstance(node, ast.Call) and "custom_op" in shorten(node.func)):
            return False
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        target = node.args[1] if len(node.args) > 1 else given.get("op_func")
        quiet, self.quiet = self.quiet, True
        name = self.value(node.args[0] if node.args else given.get("op_name"))
        function = function or self.value(target)
        self.quiet = quiet
        if not (
            isinstance(name, Constant) and isinstance(name.value, str) and isinstance(function, Function)
        ):
            return False
        operator = name.value.rpartition(":")[2]
        self.found.operators.add((operator, f"{self.module}:{function.name.partition('.')[0]}"))
        return True

    def _outside(self, node: ast.expr) -> Value:
        """An argument's value: what is read there is read for itself."""
        depth, self.inside_call = self.inside_call, 0
        value = self.value(node)
        self.inside_call = depth
        return value

    def _arguments(self, node: ast.Call) -> Passed:
        positional: list[Value] = []
        unknown = ""
        for argument in node.args:
            if isinstance(argument, ast.Starred):
                value = self._outside(argument.value)
                if isinstance(value, Row):
                    positional += value.elements
                else:
                    unknown = f"*{shorten(argument.value)}"
            else:
                positional.append(self._outside(argument))
        keywords = Pairs()
        for keyword in node.keywords:
            value = self._outside(keyword.value)
            if keyword.arg is None:
                keywords = keywords.merge(spread(value, shorten(keyword.value)))
            else:
                keywords = keywords.put(keyword.arg, value)
        return Passed(tuple(positional), keywords, unknown)

    def _apply(self, node: ast.Call, function: Value) -> Value:
        passed = self._arguments(node)
        choices = list(options(function))
        results: list[tuple[Condition, Value]] = []
        alive = [
            (condition, single)
            for condition, single in choices
            if single != NOTHING and consistent([*self.path, condition])
        ]
        others = [single for _, single in alive if not isinstance(single, Symbol | Partial)]
        for option, single in alive:
            condition, doubt = option, ""
            if len(alive) == 1 and isinstance(single, Symbol) and isinstance(node.func, ast.Name):
                condition = self._unasked(node, single, option)
                single = single if condition == option else replace(single, via="attribute")  # noqa: PLW2901
            if others and not isinstance(single, Other):
                doubt = f"`{shorten(node.func, 60)}` may also be something else here"
            results.append((condition, self._invoke(node, single, passed, condition=condition, doubt=doubt)))
        if not any(isinstance(single, Symbol | Partial) for _, single in alive):
            self._escape(node)
        result = either(results) if results else UNKNOWN
        if type(result) is Other and (
            any(is_version(value) for value in passed.positional)
            or any(isinstance(single, Asked) for single in others)
        ):
            return Asked(shorten(node))
        return result

    def _unasked(self, node: ast.Call, symbol: Symbol, condition: Condition) -> Condition:
        """The condition of a call through a name that may be None or unset, as nothing before it asks.

        Where the line is certain to be reached, that is no condition of the call; else it is told as a doubt.
        """
        lacking = [term for term in terms(condition) if asks_release(term) and not implied(term, self.path)]
        if self.following or not lacking or not consistent([*self.path, negate(every(lacking))]):
            return condition
        rest = every(term for term in terms(condition) if term not in lacking)
        if self._is_reached(lacking):
            return rest
        doubt = f"`{shorten(node.func)}` is then None or unset, and whether this call is reached is not seen"
        self.note(node, symbol, kind="import", form="attribute", condition=rest, doubt=doubt)
        return condition

    def _is_reached(self, lacking: list[Condition]) -> bool:
        """Whether a public function, or the file itself, gets to this line with nothing asked on the way."""
        if self.scope.cls or self.scope.qualname.startswith("_") or "." in self.scope.qualname:
            return False
        if any(term != TRUE for condition in self.path for term in terms(condition)):
            return False
        top = self.scope
        while top.parent is not None:
            top = top.parent
        return not any(
            isinstance(single, Constant | Truth)
            and single != NOTHING
            and set(lacking) & set(terms(condition))
            for value in top.names.values()
            for condition, single in options(value)
        )

    def _invoke(
        self, node: ast.Call, function: Value, passed: Passed, *, condition: Condition, doubt: str
    ) -> Value:
        if isinstance(function, Partial):
            more = Passed(
                (*function.positional, *passed.positional),
                function.keywords.merge(passed.keywords),
                passed.unknown,
            )
            return self._invoke(node, function.target, more, condition=condition, doubt=doubt)
        if isinstance(function, Symbol):
            return self._call_symbol(node, function, passed, condition=condition, doubt=doubt)
        if isinstance(function, LocalClass):
            loaded = self._loader(node, function.name, passed)
            return Local(function.name) if loaded is None else loaded
        if isinstance(function, Function):
            return self._call_function(node, function.name, passed)
        if isinstance(function, Returning):
            return function.value
        if isinstance(function, Own):
            self._by_name(node, passed)
            about = any(is_version(value) for value in passed.positional)
            return Asked(shorten(node)) if about else Truth(("own", function.path))
        self._by_name(node, passed)
        return UNKNOWN

    def _call_function(self, node: ast.Call, name: str, passed: Passed) -> Value:
        plain = self.found.returned(name)
        given = [*passed.positional, *(value for _, _, value in passed.keywords.entries)]
        imports = name.rpartition(".")[2] in self.importers
        gates = any(is_version(value) for value in given) or any(
            is_version(single) or (isinstance(single, Truth) and unfollowed(single.condition))
            for _, single in options(plain)
        )
        if not given or not (gates or (imports and self._modules(passed))):
            return plain
        followed = self.follow(node, name, passed)
        result = plain if followed is None else followed
        if imports and not gates and not any(isinstance(single, Symbol) for _, single in options(result)):
            self._by_name(node, passed)
        return result

    def follow(self, call: ast.Call, function: str, passed: Passed) -> Value | None:
        """What a function of the file gives back for one call; statements know how."""
        raise NotImplementedError

    # --- helpers that are given a module's name

    def _modules(self, passed: Passed) -> list[str]:
        """The modules of FlashInfer that a call passes by name."""
        given = [*passed.positional, *(value for _, _, value in passed.keywords.entries)]
        return [
            value.value
            for value in given
            if isinstance(value, Constant)
            and isinstance(value.value, str)
            and _MODULE.fullmatch(value.value)
            and value.value.partition(".")[0] == self.engine.provider
        ]

    def _loader(self, node: ast.Call, cls: str, passed: Passed) -> Value | None:
        """An instance that stands for a module: its class imports what it is told, and looks names up there."""
        modules = self._modules(passed)
        info = self.found.classes.get(cls, ClassInfo())
        if cls not in self.importers or not modules:
            return None
        if len(modules) > 1 or "__getattr__" not in info.methods or "__call__" in info.methods:
            self._by_name(node, passed)
            return None
        symbol = Symbol(modules[0], "lazy", node.lineno)
        self.note(node, symbol, kind="import", form="lazy")
        return symbol

    def _by_name(self, node: ast.Call, passed: Passed) -> None:
        """Note that other code is given the name of a module to import, or so it looks."""
        name = self._called(node.func)
        imports = any(word in name.lower() for word in ("import", "lazy", "load"))
        if name in _READERS:
            return
        for module in self._modules(passed):
            if imports or "." in module:
                self.uncertain(
                    node, Symbol(module, "lazy", node.lineno), f"through `{shorten(node.func, 40)}`"
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

    def _call_import(self, node: ast.Call) -> Value | None:
        """`__import__("flashinfer.x")` gives the package, with a `fromlist` the module."""
        path = self._outside(node.args[0]) if node.args else UNKNOWN
        if self._called(node.func) != "__import__" or not isinstance(path, Constant):
            return None
        root = str(path.value).partition(".")[0]
        if root != self.engine.provider:
            return None
        symbol = Symbol(str(path.value), "import", node.lineno)
        self.need(has(symbol.path), NO_MODULE)
        self.note(node, symbol, kind="import", form="module")
        chosen = len(node.args) > 3 or any(keyword.arg == "fromlist" for keyword in node.keywords)
        return symbol if chosen else Symbol(root, "import", node.lineno)

    def _call_import_module(self, node: ast.Call) -> Value | None:
        """A name relative to a package; an absolute one is for the lazy helpers."""
        given = [self._outside(argument) for argument in node.args]
        given += [self._outside(keyword.value) for keyword in node.keywords if keyword.arg == "package"]
        if len(given) != 2:
            return None
        name, package = (str(value.value) if isinstance(value, Constant) else "" for value in given)
        if not name.startswith(".") or package.partition(".")[0] != self.engine.provider:
            return None
        above = len(name) - len(name.lstrip(".")) - 1
        parts = package.split(".")
        path = ".".join([*parts[: len(parts) - above], name.lstrip(".")])
        symbol = Symbol(path, "import", node.lineno)
        self.need(has(path), NO_MODULE)
        self.note(node, symbol, kind="import", form="module")
        return symbol

    # --- FlashInfer's version in pieces

    def _call_split(self, node: ast.Call) -> Value | None:
        target = self._on_target(node)
        if target is None or not isinstance(target[1], Release):
            return None
        separator = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
        if separator == "." and len(node.args) == 1:
            return Split()
        return Row((Release(),)) if separator == "+" else Asked(shorten(node))

    def _call_map(self, node: ast.Call) -> Value | None:
        value = self._outside(node.args[1]) if len(node.args) == 2 else UNKNOWN
        if not is_version(value):
            return None
        return value if shorten(node.args[0]) == "int" else Asked(shorten(node))

    def _call_specifierset(self, node: ast.Call) -> Value | None:
        text = self._outside(node.args[0]) if len(node.args) == 1 else UNKNOWN
        return Specifier(str(text.value)) if isinstance(text, Constant) else None

    def _call_contains(self, node: ast.Call) -> Value | None:
        target = self._on_target(node)
        asked_of = self._outside(node.args[0]) if node.args else UNKNOWN
        if target is None or not isinstance(target[1], Specifier) or not isinstance(asked_of, Release):
            return None
        inside = specified(target[1].text)
        return Truth(inside) if inside else Asked(shorten(node))

    def _call_symbol(
        self, node: ast.Call, symbol: Symbol, passed: Passed, *, condition: Condition, doubt: str
    ) -> Value:
        if self.following and passed.unknown and not passed.positional and not passed.keywords.entries:
            rest = {shorten(item.value) for item in node.args if isinstance(item, ast.Starred)}
            rest |= {shorten(item.value) for item in node.keywords if item.arg is None}
            if rest == set(self.scope.rest):
                self.following[-1].forwards[self.scope.qualname] = Symbol(symbol.path, "lazy", symbol.line)
        here = [*self.path, condition]
        named = [(key, value) for key, _, value in passed.keywords.entries]
        for _, value in named:
            self._note_member(value)
        for value in passed.positional:
            self._note_member(value)
        integers = tuple(
            (key, value.value)
            for key, value in (
                *((f"#{number}", value) for number, value in enumerate(passed.positional)),
                *named,
            )
            if isinstance(value, Constant)
            and isinstance(value.value, int)
            and not isinstance(value.value, bool)
        )
        self.note(
            node,
            symbol,
            kind="call",
            form="call",
            condition=condition,
            arguments=Arguments(
                positional=len(passed.positional),
                keywords=tuple(
                    (key, presence)
                    for key, presence, _ in passed.keywords.entries
                    if consistent([*here, presence]) and not unfollowed(presence)
                ),
                unknown=passed.unknown or passed.keywords.unknown or _gated(passed.keywords),
                integers=integers,
            ),
            doubt=doubt or self._patched(symbol),
        )
        if symbol.path.count("()") >= _MAX_PATH:
            return UNKNOWN
        return Symbol(f"{symbol.path}()", symbol.via, symbol.line)

    def _note_member(self, value: Value) -> None:
        for _, single in options(value):
            if isinstance(single, Member):
                self.found.passed.add((single.enum, single.name))

    def _patched(self, symbol: Symbol) -> str:
        method = symbol.path.rpartition(".")[2]
        is_method = "()." in symbol.path
        return (
            f"`.{method}` is replaced elsewhere in the file"
            if is_method and method in self.found.patched
            else ""
        )

    # --- helpers that import by name

    def _lazy(self, node: ast.Call, helper: Lazy) -> Value | None:
        words = [self._outside(argument) for argument in node.args]
        texts = [
            value.value if isinstance(value, Constant) and isinstance(value.value, str) else None
            for value in words
        ]
        module = texts[helper.module] if helper.module < len(texts) else None
        if module is None or module.split(".")[0] != self.engine.provider:
            return None
        path = module
        if helper.attribute is not None:
            name = texts[helper.attribute] if helper.attribute < len(texts) else None
            if name is None:
                return None
            path = f"{module}.{name}"
        if helper.missing == "import":
            self.need(has(path), "ImportError")
            symbol = Symbol(path, "import", node.lineno)
            self.note(node, symbol, kind="import", form="module")
            return symbol
        if helper.missing == "none":
            return either([(has(path), Symbol(path, "import", node.lineno)), (negate(has(path)), NOTHING)])
        rescue = next(
            (
                shorten(keyword.value)
                for keyword in node.keywords
                if keyword.arg == helper.missing and isinstance(keyword.value, ast.Lambda)
            ),
            "",
        )
        symbol = Symbol(path, "lazy", node.lineno, rescue)
        self.note(node, symbol, kind="import", form="lazy")
        return symbol

    # --- functions that decide between paths

    def _call_hasattr(self, node: ast.Call) -> Value | None:
        base, name = self._two(node)
        if not isinstance(name, Constant):
            of = any(isinstance(single, Symbol) for _, single in options(base))
            return Asked(shorten(node)) if of else None
        conditions = []
        for condition, single in options(base):
            if isinstance(single, Symbol):
                conditions.append(every((condition, has(f"{single.path}.{name.value}"))))
            elif single == NOTHING:
                continue
            else:
                conditions.append(every((condition, opaque(shorten(node)))))
        return Truth(some(conditions)) if conditions else None

    def _call_getattr(self, node: ast.Call) -> Value | None:
        base, name = self._two(node)
        if not (isinstance(name, Constant) and isinstance(name.value, str)):
            of = any(isinstance(single, Symbol) for _, single in options(base))
            return Asked(shorten(node)) if of else None
        value = self.attribute(
            ast.Attribute(value=node.args[0], attr=name.value, ctx=ast.Load()), base, name.value
        )
        symbols = [single for _, single in options(value) if isinstance(single, Symbol)]
        if len(node.args) < 3:
            for symbol in symbols:
                self.need(has(symbol.path), "AttributeError")
                self.note(node, symbol, kind="import", form="attribute")
            return value
        default = self._outside(node.args[2])
        if not symbols:
            return value
        return either(
            [
                pair
                for condition, single in options(value)
                for pair in (
                    [
                        (every((condition, has(single.path))), single),
                        (every((condition, negate(has(single.path)))), default),
                    ]
                    if isinstance(single, Symbol)
                    else [(condition, single)]
                )
            ]
        )

    def _two(self, node: ast.Call) -> tuple[Value, Value]:
        values = [self._outside(argument) for argument in node.args[:2]]
        return (values[0], values[1]) if len(values) == 2 else (UNKNOWN, UNKNOWN)

    def _call_isinstance(self, node: ast.Call) -> Value | None:
        value, kind = self._two(node)
        answers = [(condition, self.is_instance(single, kind)) for condition, single in options(value)]
        if all(answer is None for _, answer in answers):
            return None
        text = opaque(shorten(node))
        return Truth(
            some(
                every((condition, text if answer is None else TRUE if answer else FALSE))
                for condition, answer in answers
            )
        )

    def is_instance(self, value: Value, kind: Value) -> bool | None:
        """Whether a value is an instance of a class, where both are known."""
        if isinstance(kind, LocalClass):
            if isinstance(value, Local):  # what is declared as a base may be an instance of a class under it
                inherits = self._inherits(value.name, kind.name)
                return (
                    None
                    if inherits is False and self._inherits(kind.name, value.name) is not False
                    else inherits
                )
            return False if isinstance(value, Symbol) and value.path.endswith("()") else None
        if isinstance(kind, Symbol) and isinstance(value, Symbol) and value.path.endswith("()"):
            return True if value.path == f"{kind.path}()" else None
        return None

    def _inherits(self, cls: str, other: str) -> bool | None:
        if cls == other:
            return True
        info = self.found.classes.get(cls, ClassInfo())
        answers = [
            self._inherits(base.name, other) if isinstance(base, LocalClass) and base.name != cls else None
            for base in info.bases
        ]
        if True in answers:
            return True
        return None if None in answers else False

    def _call_callable(self, node: ast.Call) -> Value | None:
        if len(node.args) != 1:
            return None
        return Truth(truth(self._outside(node.args[0]), shorten(node)))

    def _call_bool(self, node: ast.Call) -> Value | None:
        return Truth(self.test(node.args[0])) if len(node.args) == 1 else None

    def _call_all(self, node: ast.Call) -> Value | None:
        return self._quantified(node, want_all=True)

    def _call_any(self, node: ast.Call) -> Value | None:
        return self._quantified(node, want_all=False)

    def _quantified(self, node: ast.Call, *, want_all: bool) -> Value | None:
        """`all(hasattr(m, n) for n in (...))`, unrolled over literal elements."""
        argument = node.args[0] if len(node.args) == 1 else None
        if not isinstance(argument, ast.GeneratorExp | ast.ListComp) or len(argument.generators) != 1:
            return None
        items = self._outside(argument.generators[0].iter)
        if not isinstance(items, Row):
            return None
        outer = self._inner()
        parts = []
        for item in items.elements:
            self.bind(argument.generators[0].target, item)
            parts.append(self.test(argument.elt))
        self.scope = outer
        return Truth(every(parts) if want_all else some(parts))

    def _call_find_spec(self, node: ast.Call) -> Value | None:
        name = self._outside(node.args[0]) if node.args else UNKNOWN
        if (
            isinstance(name, Constant)
            and isinstance(name.value, str)
            and name.value.split(".")[0] == self.engine.provider
        ):
            return either([(has(name.value), Other(name.value)), (negate(has(name.value)), NOTHING)])
        return None

    def _call_signature(self, node: ast.Call) -> Value | None:
        target = self._outside(node.args[0]) if node.args else UNKNOWN
        found: list[tuple[Condition, Value]] = [
            (condition, Parameters(single.path))
            for condition, single in options(target)
            if isinstance(single, Symbol)
        ]
        return either(found) if found else None

    _call_getfullargspec = _call_signature

    def _call_version(self, node: ast.Call) -> Value | None:
        """`Version(x)` of FlashInfer's version, or `importlib.metadata.version("flashinfer-python")`."""
        value = self._outside(node.args[0]) if node.args else UNKNOWN
        names = {name.replace("-", "_") for name in self.engine.provider_distributions}
        if isinstance(value, Constant) and str(value.value).replace("-", "_") in names:
            return Release()
        if any(isinstance(single, Release) for _, single in options(value)):
            return Release()
        return value if isinstance(value, Constant) and isinstance(value.value, str) else None

    _call_parse = _call_version

    def _call_partial(self, node: ast.Call) -> Value | None:
        passed = self._arguments(node)
        if not passed.positional or passed.unknown:
            return None
        found: list[tuple[Condition, Value]] = [
            (condition, Partial(single, passed.positional[1:], passed.keywords))
            for condition, single in options(passed.positional[0])
            if isinstance(single, Symbol)
        ]
        return either(found) if found else None

    def _call_cast(self, node: ast.Call) -> Value | None:
        if len(node.args) != 2:
            return None
        value = self._outside(node.args[1])
        return value if value != UNKNOWN else self.annotated(node.args[0])

    def _call_int(self, node: ast.Call) -> Value | None:
        return self._outside(node.args[0]) if len(node.args) == 1 else None

    def _call_tuple(self, node: ast.Call) -> Value | None:
        return self._outside(node.args[0]) if len(node.args) == 1 else None

    _call_list = _call_tuple

    def _call_super(self, node: ast.Call) -> Value | None:
        info = self.found.classes.get(self.scope.cls, ClassInfo())
        bases: list[Value] = [
            Symbol(f"{base.path}()", "attribute", base.line)
            for base in info.bases
            if isinstance(base, Symbol)
        ]
        return one_of(bases) if bases and not node.args else None

    # --- dictionaries and lists

    def _call_dict(self, node: ast.Call) -> Value | None:
        passed = self._arguments(node)
        if passed.unknown or len(passed.positional) > 1:
            return UNKNOWN
        start = spread(passed.positional[0], shorten(node.args[0])) if passed.positional else Pairs()
        return start.merge(passed.keywords)

    def _call_copy(self, node: ast.Call) -> Value | None:
        value = (
            self.value(node.func.value) if isinstance(node.func, ast.Attribute) and not node.args else None
        )
        return value if isinstance(value, Pairs | Container) else None

    def _on_target(self, node: ast.Call) -> tuple[ast.expr, Value] | None:
        if not isinstance(node.func, ast.Attribute):
            return None
        self.inside_call += 1
        value = self.value(node.func.value)
        self.inside_call -= 1
        return node.func.value, value

    def _call_append(self, node: ast.Call) -> Value | None:
        target = self._on_target(node)
        if target is None or len(node.args) != 1 or not isinstance(target[1], Container | Row):
            return None
        item = self._outside(node.args[0])
        known = element(target[1])
        self.bind(target[0], Container(item if known == UNKNOWN else one_of((known, item))))
        return NOTHING

    def _call_update(self, node: ast.Call) -> Value | None:
        target = self._on_target(node)
        if target is None or not isinstance(target[1], Pairs):
            return None
        added = self._call_dict(node)
        merged = target[1].merge(added) if isinstance(added, Pairs) else Pairs(target[1].entries, "an update")
        self.bind(target[0], merged)
        return NOTHING

    def _call_setdefault(self, node: ast.Call) -> Value | None:
        target = self._on_target(node)
        key = node.args[0] if node.args else None
        if target is None or not isinstance(target[1], Pairs):
            return None
        if isinstance(key, ast.Constant) and isinstance(key.value, str) and len(node.args) == 2:
            self.bind(target[0], target[1].put(key.value, self._outside(node.args[1])))
        return UNKNOWN

    def _call_pop(self, node: ast.Call) -> Value | None:
        target = self._on_target(node)
        key = node.args[0] if node.args else None
        if target is None or not isinstance(target[1], Pairs | Container):
            return None
        if isinstance(target[1], Container):
            return target[1].item
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            self.bind(target[0], target[1].drop(key.value))
        return UNKNOWN

    def _call_get(self, node: ast.Call) -> Value | None:
        target = self._on_target(node)
        if target is None or not node.args:
            return None
        key = self._outside(node.args[0])
        value = target[1]
        if isinstance(value, Parameters) and isinstance(key, Constant):
            return Truth(("accepts", value.path, str(key.value)))
        if isinstance(value, Container):
            return one_of((value.item, NOTHING))
        if isinstance(value, Pairs) and isinstance(key, Constant):
            return one_of([entry[2] for entry in value.entries if entry[0] == key.value] or [UNKNOWN])
        return None

    def _call_values(self, node: ast.Call) -> Value | None:
        target = self._on_target(node)
        value = target[1] if target else UNKNOWN
        return Container(element(value)) if isinstance(value, Container | Pairs) else None

    def _escape(self, node: ast.Call) -> None:
        """A dictionary handed to other code may come back with further keys."""
        for argument in node.args:
            if isinstance(argument, ast.Name):
                value = self.scope.names.get(argument.id)
                if isinstance(value, Pairs) and shorten(node.func) not in {"len", "print", "str", "sorted"}:
                    self.scope.names[argument.id] = Pairs(
                        value.entries, value.unknown or f"what {shorten(node.func, 40)} adds"
                    )


def _gated(keywords: Pairs) -> str:
    """Keywords that hang on what is not followed, as a reason not to say more of the call."""
    return next(
        (
            f"`{key}` where `{text}`"
            for key, presence, _ in keywords.entries
            if (text := unfollowed(presence))
        ),
        "",
    )
