"""Statements of the engine's source: imports, branches, `try`, assignments, functions and classes."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from matrix.engines.conditions import FALSE, TRUE, Condition, every, has, negate, opaque, release_part
from matrix.engines.reading.callers import ANYONE
from matrix.engines.reading.calls import Calls, Passed
from matrix.engines.reading.expressions import ExhaustedError
from matrix.engines.reading.scopes import ClassInfo, Following, Frame, Scope, dotted, shorten
from matrix.engines.reading.values import (
    NOTHING,
    UNKNOWN,
    Constant,
    Container,
    Function,
    Local,
    LocalClass,
    Mirror,
    Other,
    Own,
    Pairs,
    Release,
    Row,
    Symbol,
    Value,
    bounded,
    either,
    element,
    join,
    one_of,
    options,
    weight,
)
from matrix.engines.uses import CATCHES, NO_MODULE, NO_NAME, Guard

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

_ENUM_BASES = {"Enum", "IntEnum", "IntFlag", "Flag", "StrEnum"}
_MAX_UNROLL = 24
_MAX_NESTED = 96
_MAX_FOLLOWED = 3


class Statements(Calls):
    """Reads statements in order; `run` says whether the end of a block is reached."""

    deferred: list[Callable[[], None]]
    bodies: dict[str, tuple[ast.FunctionDef | ast.AsyncFunctionDef, Scope, bool]]

    def run(self, body: Sequence[ast.stmt]) -> bool:
        """Read a block; False where it always leaves by return, raise, continue or break."""
        depth = len(self.path)
        for statement in body:
            handler = getattr(self, f"_run_{type(statement).__name__.lower()}", None)
            if handler is None:
                self._run_other(statement)
            elif handler(statement) is False:
                del self.path[depth:]
                return False
        del self.path[depth:]
        return True

    def _run_other(self, node: ast.stmt) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.value(child)

    # --- leaving a block

    def _run_return(self, node: ast.Return) -> bool:
        value = self.value(node.value) if node.value else NOTHING
        if self.scope.qualname:
            self.found.returns.setdefault(self.scope.qualname, []).append((every(self.path), value))
        return False

    def _run_raise(self, node: ast.Raise) -> bool:
        self._run_other(node)
        return False

    def _run_continue(self, _: ast.Continue) -> bool:
        return False

    def _run_break(self, _: ast.Break) -> bool:
        return False

    def _run_assert(self, node: ast.Assert) -> None:
        self.path.append(self.test(node.test))
        self._narrow(node.test, positive=True)

    def _narrow(self, test: ast.expr, *, positive: bool) -> None:
        """What `isinstance` leaves of the values that a name may have."""
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            self._narrow(test.operand, positive=not positive)
        elif isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) == positive:
            for part in test.values:
                self._narrow(part, positive=positive)
        elif (
            isinstance(test, ast.Call)
            and shorten(test.func) == "isinstance"
            and len(test.args) == 2
            and isinstance(test.args[0], ast.Name | ast.Attribute)
        ):
            value, kind = self.value(test.args[0]), self.value(test.args[1])
            left = [
                (condition, single)
                for condition, single in options(value)
                if single != NOTHING and self.is_instance(single, kind) is not (not positive)
            ]
            if left and (not isinstance(value, Other)):
                self.scope.names[shorten(test.args[0])] = one_of(single for _, single in left)
            elif positive and isinstance(kind, Symbol):
                self.scope.names[shorten(test.args[0])] = Symbol(f"{kind.path}()", kind.via, kind.line)
            elif positive and isinstance(kind, LocalClass):
                self.scope.names[shorten(test.args[0])] = Local(kind.name)

    # --- what an import binds

    def _run_import(self, node: ast.Import) -> None:
        for alias in node.names:
            root = alias.name.split(".")[0]
            name = alias.asname or root
            if root == self.engine.provider:
                symbol = Symbol(alias.name, "import", node.lineno)
                self.need(has(alias.name), NO_MODULE)
                self.note(node, symbol, kind="import", form="module")
                self.scope.names[name] = symbol if alias.asname else Symbol(root, "import", node.lineno)
            elif root == self.module.split(".")[0]:
                self.scope.names[name] = Own(alias.name if alias.asname else root)
            else:
                self.scope.names[name] = Other(name)

    def _run_importfrom(self, node: ast.ImportFrom) -> None:
        module = self._absolute(node)
        root = module.split(".")[0]
        for alias in node.names:
            name = alias.asname or alias.name
            if alias.name == "*":
                if root == self.engine.provider and not node.level:
                    self.note(node, Symbol(module, "import", node.lineno), kind="import", form="star")
                for exported, value in self.exports.get(module, {}).items():
                    self.scope.names[exported] = value
                    self.found.own_imports.add(f"{module}:{exported}")
            elif root == self.engine.provider and not node.level:
                symbol = Symbol(f"{module}.{alias.name}", "import", node.lineno)
                self.need(has(module), NO_MODULE)
                if alias.name == "__version__":
                    self.scope.names[name] = Release()
                    continue
                self.need(has(symbol.path), NO_NAME)
                self.note(node, symbol, kind="import", form="from")
                self.scope.names[name] = symbol
            elif root == self.module.split(".")[0]:
                self.scope.names[name] = self.own(module, alias.name)
            else:
                self.scope.names[name] = Other(f"{module}.{alias.name}")

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self.package.split(".")
        parts = parts[: len(parts) - node.level + 1]
        return ".".join([*parts, *([node.module] if node.module else [])])

    # --- branches

    def _branch(
        self,
        condition: Condition,
        body: Sequence[ast.stmt],
        test: ast.expr | None = None,
        *,
        positive: bool = True,
    ) -> tuple[dict[str, Value], bool]:
        before = dict(self.scope.names)
        self.path.append(condition)
        if test is not None:
            self._narrow(test, positive=positive)
        goes_on = self.run(body)
        self.path.pop()
        after, self.scope.names = self.scope.names, before
        return after, goes_on

    def _merge(
        self, condition: Condition, then: tuple[dict[str, Value], bool], other: tuple[dict[str, Value], bool]
    ) -> bool:
        if then[1] and other[1]:
            names = self._joined(condition, then[0], other[0])
            self.scope.names = names
            return True
        if then[1] or other[1]:
            self.scope.names = then[0] if then[1] else other[0]
            self.path.append(condition if then[1] else negate(condition))
            return True
        return False

    def _joined(
        self, condition: Condition, then: dict[str, Value], other: dict[str, Value]
    ) -> dict[str, Value]:
        names = {}
        for name in {**then, **other}:
            first, second = then.get(name), other.get(name)
            if first is second and first:
                names[name] = first
            else:
                names[name] = bounded(join(condition, first, second))
                self.steps += weight(names[name])
        return names

    def _run_if(self, node: ast.If) -> bool:
        if shorten(node.test).rpartition(".")[2] == "TYPE_CHECKING":
            quiet, self.quiet = self.quiet, True
            self.run(node.body)
            self.quiet = quiet
            return self.run(node.orelse) if node.orelse else True
        condition = self.test(node.test)
        then = (
            self._branch(condition, node.body, node.test) if condition != FALSE else (self.scope.names, False)
        )
        other = (
            self._branch(negate(condition), node.orelse, node.test, positive=False)
            if condition != TRUE
            else (dict(self.scope.names), False)
        )
        return self._merge(condition, then, other)

    def _run_match(self, node: ast.Match) -> None:
        self.value(node.subject)
        for number, case in enumerate(node.cases):
            condition = opaque(f"case {number} of match {shorten(node.subject)}")
            then = self._branch(condition, case.body)
            self._merge(condition, then, (dict(self.scope.names), True))
            self.path = [term for term in self.path if term not in {condition, negate(condition)}]

    def _run_for(self, node: ast.For | ast.AsyncFor) -> bool:
        items = self.value(node.iter)
        if (
            isinstance(items, Row)
            and 0 < len(items.elements) <= _MAX_UNROLL
            and self.repeats * len(items.elements) <= _MAX_NESTED
            and not node.orelse
        ):
            return self._unrolled(node, items)
        self.bind(node.target, element(items))
        return self._loop(node.body, node.orelse, f"line {node.lineno} loops")

    _run_asyncfor = _run_for

    def _unrolled(self, node: ast.For | ast.AsyncFor, items: Row) -> bool:
        outer = self.repeats
        self.repeats *= len(items.elements)
        for item in items.elements:
            self.bind(node.target, item)
            for statement in node.body:
                handler = getattr(self, f"_run_{type(statement).__name__.lower()}", self._run_other)
                if handler(statement) is False:
                    break
        self.repeats = outer
        return True

    def _run_while(self, node: ast.While) -> bool:
        self.test(node.test)
        return self._loop(node.body, node.orelse, f"line {node.lineno} loops")

    def _loop(self, body: Sequence[ast.stmt], orelse: Sequence[ast.stmt], text: str) -> bool:
        condition = opaque(text)
        after, _ = self._branch(condition, body)
        self._merge(condition, (after, True), (dict(self.scope.names), True))
        return self.run(orelse) if orelse else True

    def _run_with(self, node: ast.With | ast.AsyncWith) -> bool:
        guards: tuple[Guard, ...] = ()
        for item in node.items:
            call = item.context_expr
            if isinstance(call, ast.Call) and shorten(call.func).rpartition(".")[2] == "suppress":
                names = tuple(shorten(argument).rpartition(".")[2] for argument in call.args)
                guards = (Guard(catches=names, raises=False, does="suppressed", line=node.lineno),)
                continue
            value = self.value(call)
            if item.optional_vars is not None:
                self.bind(item.optional_vars, value)
        if not guards:
            return self.run(node.body)
        return self._guarded(node.body, guards, [])

    _run_asyncwith = _run_with

    def _run_try(self, node: ast.Try) -> bool:
        guards = tuple(self._guard(handler) for handler in node.handlers)
        goes_on = self._guarded(node.body, guards, node.handlers, node.orelse)
        return self.run(node.finalbody) and goes_on if node.finalbody else goes_on

    _run_trystar = _run_try

    def _guard(self, handler: ast.ExceptHandler) -> Guard:
        catches: list[str] = []
        if handler.type is None:
            catches = ["*"]
        else:
            value = self.value(handler.type)
            for single in value.elements if isinstance(value, Row) else (value,):
                text = single.text if isinstance(single, Other) else ""
                catches.append(text.rpartition(".")[2] or shorten(handler.type).rpartition(".")[2])
        return Guard(
            catches=tuple(catches),
            raises=any(isinstance(inner, ast.Raise) for item in handler.body for inner in ast.walk(item)),
            does="; ".join(shorten(item, 60) for item in handler.body)[:160],
            line=handler.lineno,
        )

    def _guarded(
        self,
        body: Sequence[ast.stmt],
        guards: tuple[Guard, ...],
        handlers: Sequence[ast.ExceptHandler],
        orelse: Sequence[ast.stmt] = (),
    ) -> bool:
        frame = Frame(guards)
        before = dict(self.scope.names)
        self.frames.append(frame)
        depth = len(self.path)
        goes_on = self.run(body)
        self.frames.pop()
        del self.path[depth:]
        needed = dict.fromkeys(
            need
            for need, exception in frame.needs
            if any(not CATCHES[exception].isdisjoint(guard.catches) for guard in guards)
        )
        packages = {need[1].rpartition(".")[0] for need in needed if need[0] == "has"}
        rescued = [need for need in needed if need[0] != "has" or need[1] not in packages]
        line = guards[0].line if guards else 0
        ok = every([*rescued, opaque(f"the try before line {line} goes through")])
        if goes_on and orelse:
            self.path.append(ok)
            goes_on = self.run(orelse)
            del self.path[depth:]
        after = (self.scope.names, goes_on)
        started = after[0]
        leaves = bool(handlers) and goes_on
        for handler in handlers:
            self.scope.names = {
                **{name: value for name, value in started.items() if name in before},
                **before,
            }
            if handler.name:
                self.scope.names[handler.name] = Other(handler.name)
            branch = self._branch(negate(ok), handler.body)
            leaves = leaves and not branch[1] and not isinstance(handler.body[-1], ast.Raise)
            if branch[1]:
                self.scope.names = dict(after[0])
                if after[1]:
                    names = self._joined(ok, after[0], branch[0])
                    after = (names, True)
                else:
                    after = branch
        self.scope.names = after[0]
        if leaves:
            self.path.append(ok)
        if not handlers and not after[1]:
            return True
        return after[1]

    # --- assignments

    def _run_assign(self, node: ast.Assign) -> None:
        value = self.value(node.value)
        for target in node.targets:
            self.bind(target, value)

    def _run_annassign(self, node: ast.AnnAssign) -> None:
        value = self.value(node.value) if node.value else UNKNOWN
        if isinstance(value, Other) or value in {NOTHING, Row(), Pairs()}:
            declared = self.annotated(node.annotation)
            value = declared if declared != UNKNOWN else value
        self.bind(node.target, value)

    def _run_augassign(self, node: ast.AugAssign) -> None:
        value = self.value(node.value)
        if isinstance(node.op, ast.BitOr) and isinstance(value, Pairs):
            known = self.value(ast.copy_location(_loaded(node.target), node))
            if isinstance(known, Pairs):
                self.bind(node.target, known.merge(value))
                return
        if isinstance(node.target, ast.Name):
            self.scope.names[node.target.id] = UNKNOWN

    def _run_delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
                known = self.value(target.value)
                if isinstance(known, Pairs):
                    self.bind(target.value, known.drop(str(target.slice.value)))

    def _run_global(self, node: ast.Global) -> None:
        self.scope.declared_global.update(node.names)

    def bind(self, target: ast.expr, value: Value) -> None:
        """Assign a value to a name, attribute, element or several of them."""
        value = bounded(value)
        if isinstance(target, ast.Name):
            self._bind_name(target.id, value)
        elif isinstance(target, ast.Attribute):
            self._bind_attribute(target, value)
        elif isinstance(target, ast.Subscript):
            self._bind_element(target, value)
        elif isinstance(target, ast.Tuple | ast.List):
            known = value.elements if isinstance(value, Row) else ()
            for number, part in enumerate(target.elts):
                fits = len(known) == len(target.elts)
                inner = known[number] if fits else element(value)
                self.bind(part.value if isinstance(part, ast.Starred) else part, inner)

    def _bind_name(self, name: str, value: Value) -> None:
        self.scope.names[name] = value
        if name in self.scope.declared_global:
            self.found.globals.setdefault(name, []).append((release_part(every(self.path)), value))
        elif self.scope.cls and not self.scope.self_name:
            self.found.classes[self.scope.cls].learn(name, TRUE, value)

    def _bind_attribute(self, target: ast.Attribute, value: Value) -> None:
        base = self.value(target.value)
        for _, single in options(base):
            if isinstance(single, Local) and single.name in self.found.classes:
                self.found.classes[single.name].learn(target.attr, release_part(every(self.path)), value)
            elif not isinstance(value, Constant | Container | Row | Pairs):
                self.found.patched.add(target.attr)
        path = dotted(target)
        if path:
            self.scope.names[path] = value

    def _bind_element(self, target: ast.Subscript, value: Value) -> None:
        known = self.value(target.value)
        key = self.value(target.slice)
        if isinstance(known, Pairs):
            if isinstance(key, Constant) and isinstance(key.value, str):
                self.bind(target.value, known.put(key.value, value))
            elif known.entries:
                self.bind(target.value, Pairs(known.entries, f"keys from {shorten(target.slice)}"))
            else:
                self.bind(target.value, Container(value))
        elif isinstance(known, Container | Row):
            item = element(known)
            self.bind(target.value, Container(value if item == UNKNOWN else one_of((item, value))))

    # --- functions and classes

    def _run_functiondef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for decorator in node.decorator_list:
            self.value(decorator)
        for default in (*node.args.defaults, *(item for item in node.args.kw_defaults if item)):
            self.value(default)
        outer = self.scope
        nested = bool(outer.qualname) and not (outer.cls and not outer.self_name)
        is_method = bool(outer.cls) and not outer.self_name and not nested
        prefix = outer.qualname or outer.cls
        qualname = f"{prefix}.{node.name}" if prefix else node.name
        if is_method:
            self.found.classes[outer.cls].methods.add(node.name)
        else:
            outer.names[node.name] = Function(qualname)
        if not nested and any(_registers(decorator) for decorator in node.decorator_list):
            self.found.named.add((ANYONE, f"{self.module}:{qualname.partition('.')[0]}"))
        if not nested:
            for decorator in node.decorator_list:
                self.operator(decorator, Function(qualname))
        if mentions(node, self.importers):
            self.importers.add(node.name)
        self.bodies[qualname] = (node, outer, is_method)
        path = list(self.path)

        def body() -> None:
            self._body(node, outer, qualname, path, is_method=is_method)

        if nested:
            body()
        else:
            self.deferred.append(body)

    _run_asyncfunctiondef = _run_functiondef

    def _body(
        self,
        node: ast.FunctionDef | ast.AsyncFunctionDef,
        outer: Scope,
        qualname: str,
        path: list[Condition],
        *,
        is_method: bool,
    ) -> None:
        kept = self.scope, self.path, self.frames, self.repeats, self.quiet
        if not self.following and not outer.qualname:
            self.steps = 0
        self._enter(node, outer, qualname, is_method=is_method)
        self.path, self.frames, self.repeats = path, [], 1
        scope = self.scope
        try:
            if self.run(node.body):
                self.found.returns.setdefault(qualname, []).append((TRUE, NOTHING))
        except ExhaustedError:
            if self.following or outer.qualname:
                raise
            self.scope, self.path, self.frames, self.repeats, self.quiet = scope, [], [], 1, kept[4]
            self.exhausted(node.body, qualname)
        declared = self.annotated(node.returns)
        if declared != UNKNOWN:
            self.found.returns[qualname] = [(TRUE, declared)]
        self.scope, self.path, self.frames, self.repeats, self.quiet = kept

    def _enter(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef, outer: Scope, qualname: str, *, is_method: bool
    ) -> list[str]:
        """Open a function's scope, its parameters as they are declared; gives their names."""
        static = any(shorten(item) == "staticmethod" for item in node.decorator_list)
        parameters = [*node.args.posonlyargs, *node.args.args]
        self_name = parameters[0].arg if is_method and parameters and not static else ""
        rest = [item.arg for item in (node.args.vararg, node.args.kwarg) if item is not None]
        self.scope = Scope(
            parent=outer if not outer.cls or outer.self_name else outer.parent,
            qualname=qualname,
            cls=outer.cls,
            self_name=self_name or outer.self_name or ("-" if is_method else ""),
            rest=tuple(rest),
        )
        for parameter in (*parameters, *node.args.kwonlyargs):
            self.scope.names[parameter.arg] = self.annotated(parameter.annotation)
        for name in rest:
            self.scope.names[name] = UNKNOWN
        if self_name:
            self.scope.names[self_name] = Local(outer.cls)
        return [parameter.arg for parameter in parameters]

    def follow(self, call: ast.Call, function: str, passed: Passed) -> Value | None:
        """What a function of the file gives back for what one call passes; None where it is not followed."""
        if function not in self.bodies or len(self.following) >= _MAX_FOLLOWED or passed.unknown:
            return None
        node, outer, is_method = self.bodies[function]
        if passed.keywords.unknown or any(item.function == function for item in self.following):
            return None
        kept = self.scope, list(self.path), self.repeats, self.inside_call
        returns = self.found.returns.pop(function, None)
        following = Following(function, call, self.scope.qualname)
        self.following.append(following)
        names = self._enter(node, outer, function, is_method=is_method)
        defaults = dict(zip(names[::-1], node.args.defaults[::-1], strict=False)) | {
            item.arg: default
            for item, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
            if default is not None
        }
        if is_method and self.scope.self_name != "-":
            names = names[1:]
        self.scope.names |= {name: self.value(default) for name, default in defaults.items()}
        self.scope.names |= dict(zip(names, passed.positional, strict=False))
        self.scope.names |= {key: value for key, _, value in passed.keywords.entries}
        self.inside_call = 0
        if self.run(node.body):
            self.found.returns.setdefault(function, []).append((TRUE, NOTHING))
        result = either(
            [
                (
                    condition,
                    following.forwards.get(single.name, single) if isinstance(single, Function) else single,
                )
                for given, value in self.found.returns.pop(function, [])
                for inner, single in options(value)
                if (condition := every((given, inner))) != FALSE
            ]
        )
        self.following.pop()
        self.scope, self.path, self.repeats, self.inside_call = kept
        if returns is not None:
            self.found.returns[function] = returns
        return result

    def exhausted(self, body: Sequence[ast.stmt], where: str) -> None:
        """Note the calls of a body that has more branches than are worth following."""
        self.steps = 0
        for node in (inner for statement in body for inner in ast.walk(statement)):
            if isinstance(node, ast.Call) and dotted(node.func):
                for _, single in options(self.value(node.func)):
                    if isinstance(single, Symbol):
                        self.uncertain(
                            node, single, f"on what {where or 'the file'} has too many branches for"
                        )

    def _run_classdef(self, node: ast.ClassDef) -> None:
        bases = tuple(self.value(base) for base in node.bases)
        names = {shorten(base).rpartition(".")[2] for base in node.bases}
        if node.name in self.engine.mirrors and (names & _ENUM_BASES or not bases):
            self._mirror(node)
            self.scope.names[node.name] = Mirror(node.name)
            return
        if mentions(node, self.importers):
            self.importers.add(node.name)
        info = self.found.classes.setdefault(node.name, ClassInfo())
        info.bases = bases
        self.scope.names[node.name] = LocalClass(node.name)
        kept = self.scope
        self.scope = Scope(parent=kept, cls=node.name)
        self.run(node.body)
        self.scope = kept
        for decorator in node.decorator_list:
            self.value(decorator)

    def _mirror(self, node: ast.ClassDef) -> None:
        members: dict[str, tuple[int, int]] = {}
        for statement in node.body:
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                value = self.value(statement.value)
                if isinstance(value, Row) and len(value.elements) == 1:
                    value = value.elements[0]
                if isinstance(value, Constant) and isinstance(value.value, int):
                    members[statement.targets[0].id] = (value.value, statement.lineno)
        if len(members) > 1:
            self.found.mirrors[node.name] = members


def _registers(decorator: ast.expr) -> bool:
    """Whether a decorator hands what it decorates to callers that cannot be seen."""
    text = shorten(decorator).partition("(")[0]
    return "register" in text and "custom_op" not in text


def mentions(node: ast.AST, names: Collection[str]) -> bool:
    """Whether one of the names stands anywhere in a node."""
    return bool(names) and any(
        (isinstance(inner, ast.Name) and inner.id in names)
        or (isinstance(inner, ast.Attribute) and inner.attr in names)
        for inner in ast.walk(node)
    )


def _loaded(target: ast.expr) -> ast.expr:
    if isinstance(target, ast.Name):
        return ast.Name(id=target.id, ctx=ast.Load())
    if isinstance(target, ast.Attribute):
        return ast.Attribute(value=target.value, attr=target.attr, ctx=ast.Load())
    return target
