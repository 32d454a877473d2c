"""What differs between two surfaces, as subjects with plain facts. What a fact means is `breaks.toml`'s matter."""

from __future__ import annotations

import ast
import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matrix.surface.model import Entry, Surface

__all__ = ["FACTS", "Side", "Subject", "default_value", "differences", "parameters_of", "shown_signature"]

FACTS = {
    "module": {"gone", "new", "now-conditional"},
    "symbol": {"gone", "elsewhere", "incidental", "moved", "kind-changed", "now-conditional", "new"},
    "parameter": {
        "added",
        "removed",
        "renamed",
        "before-others",
        "required",
        "reordered",
        "made-required",
        "kind-changed",
        "kind-narrowed",
        "default-changed",
    },
    "return": {"changed"},
    "member": {"added", "removed", "value-changed", "takes-value"},
}
"""Every fact that a subject can have; a break class that names another one is refused."""

POSITIONAL = ("POSITIONAL_ONLY", "POSITIONAL_OR_KEYWORD")
CALLED = {"__call__", "__enter__", "__exit__"}
KINDS = {
    "POSITIONAL_ONLY": "positional-only",
    "POSITIONAL_OR_KEYWORD": "positional or keyword",
    "VAR_POSITIONAL": "*args",
    "KEYWORD_ONLY": "keyword-only",
    "VAR_KEYWORD": "**kwargs",
}
TYPING_ALIASES = {"List": "list", "Dict": "dict", "Tuple": "tuple", "Set": "set", "Type": "type"}


@dataclass(frozen=True, kw_only=True)
class Side:
    """One side of a finding: file in the release, line from 1, and what stands there."""

    file: str
    line: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One thing that differs.

    `symbol` is a public import path, `name` the parameter, member, module or symbol; `words` fill a message;
    `call` holds both functions' entries where a witness may call them.
    """

    kind: str
    symbol: str
    name: str
    facts: frozenset[str]
    old: Side | None = None
    new: Side | None = None
    words: dict[str, str] = field(default_factory=dict)
    call: tuple[Entry, Entry] | None = None
    qualnames: tuple[str, ...] = ()


def differences(old: Surface, new: Surface) -> Iterator[Subject]:
    """Every subject that differs; modules whose entry is the same in both are not even read."""
    return _Comparison(old, new).run()


def parameters_of(entry: Entry, qualname: str) -> list[list[Any]]:
    """The parameters that a caller fills: without the first one of a method."""
    rows: list[list[Any]] = entry["parameters"]
    is_method = "." in qualname.partition(":")[2]
    static = any(text.endswith("staticmethod") for text in entry.get("decorators", ()))
    return rows[1:] if is_method and not static and rows and rows[0][1] in POSITIONAL else rows


class _Comparison:
    def __init__(self, old: Surface, new: Surface) -> None:
        self.old = old
        self.new = new
        self.pairs: dict[tuple[str, str], str] = {}
        self.homes: dict[tuple[str, str], str | None] = {}
        self.heirs: dict[str, str] = {}

    def run(self) -> Iterator[Subject]:
        for module in self.old.modules:
            if module not in self.new.modules:
                yield from self._module_gone(module)
                yield from self._paths(module, self.old.modules[module], {})
            elif self.old.digest(module) != self.new.digest(module):
                before, after = self.old.modules[module], self.new.modules[module]
                yield from self._module_needs(module, before, after)
                yield from self._paths(module, before, after)
                yield from self._new_symbols(module, before, after)
                for section in ("functions", "classes"):
                    for name, entry in before.get(section, {}).items():
                        if "." not in name and name in after.get(section, {}) and "path" in entry:
                            self.pairs.setdefault((f"{module}:{name}", f"{module}:{name}"), entry["path"])
        for module in self.new.modules:
            if module not in self.old.modules and _is_public(module):
                side = Side(file=module.replace(".", "/"), line=1, text=module)
                yield Subject(kind="module", symbol=module, name=module, facts=frozenset({"new"}), new=side)
        done: set[tuple[str, str]] = set()
        while self.pairs.keys() - done:
            for pair in [pair for pair in self.pairs if pair not in done]:
                done.add(pair)
                yield from self._definition(*pair, self.pairs[pair])

    def _module_gone(self, module: str) -> Iterator[Subject]:
        entry = self.old.modules[module]
        if entry.get("paths") or entry.get("values") or entry["file"].endswith("__init__.py"):
            side = Side(file=entry["file"], line=1, text=module)
            yield Subject(kind="module", symbol=module, name=module, facts=frozenset({"gone"}), old=side)

    def _module_needs(self, module: str, before: Entry, after: Entry) -> Iterator[Subject]:
        more = sorted(set(after["needs"]) - set(before["needs"]))
        if more and _is_public(module):
            yield Subject(
                kind="module",
                symbol=module,
                name=module,
                facts=frozenset({"now-conditional"}),
                old=Side(file=before["file"], line=1, text=_needs_text(before["needs"])),
                new=Side(file=after["file"], line=1, text=_needs_text(after["needs"])),
                words={"new": ", ".join(more)},
            )

    def _paths(self, module: str, before: Entry, after: Entry) -> Iterator[Subject]:
        there = {**after.get("paths", {}), **after.get("values", {})}
        for local, item in before.get("values", {}).items():
            if local not in there and f"{module}.{local}" not in self.new.modules:
                yield self._value_gone(module, local, before, item)
        for local, qualname in before.get("paths", {}).items():
            path = f"{module}.{local}"
            incidental = local in before.get("incidental", ())
            now = after.get("paths", {}).get(local)
            if now:
                yield from self._kept(path, qualname, now, incidental=incidental)
                yield from self._conditional(path, qualname, now)
            elif local in after.get("values", {}):
                yield from self._became_value(path, qualname, after, after["values"][local])
            elif path not in self.new.modules:
                yield self._gone(path, qualname, self._side(self.old, qualname), incidental=incidental)

    def _value_gone(self, module: str, local: str, before: Entry, item: Entry) -> Subject:
        source = item.get("from", "")
        home = source if source and (self.new.value(source) or self.new.qualname(source)) else ""
        facts = {
            "gone",
            *(["elsewhere"] if home else []),
            *(["incidental"] if local in before.get("incidental", ()) else []),
        }
        return Subject(
            kind="symbol",
            symbol=f"{module}.{local}",
            name=f"{module}.{local}",
            facts=frozenset(facts),
            old=Side(
                file=before["file"], line=item.get("line", 1), text=f"{local} = {item.get('text', source)}"
            ),
            words={"home": home},
        )

    def _gone(self, path: str, qualname: str | None, side: Side, *, incidental: bool) -> Subject:
        facts = {"gone", *(["incidental"] if incidental else [])}
        home = self._home(path, qualname) if qualname else None
        if home:
            facts.add("elsewhere")
        return Subject(
            kind="symbol",
            symbol=path,
            name=path,
            facts=frozenset(facts),
            old=side,
            new=self._side(self.new, home) if home else None,
            words={"home": self._path(self.new, home) if home else ""},
            qualnames=(qualname,) if qualname else (),
        )

    def _home(self, path: str, qualname: str) -> str | None:
        """Where a name that left its path can be had now: the same definition, else the nearest of the name."""
        key = (path.rpartition(".")[0], qualname)
        if key not in self.homes:
            self.homes[key] = qualname if self._path(self.new, qualname) else self._namesake(*key)
        return self.homes[key]

    def _namesake(self, module: str, qualname: str) -> str | None:
        """The nearest new definition of the same name and kind, where the last one of the module went if it can."""
        name = qualname.rpartition(":")[2]
        candidates = set(self.new.named(name)) - set(self.old.named(name))
        look = self.new.function if self.old.function(qualname) else self.new.cls
        beside = f"{self.heirs.get(module)}:{name}"
        parts = module.split(".")

        def distance(candidate: str) -> tuple[int, str]:
            other = candidate.partition(":")[0].split(".")
            shared = next(
                (i for i, (a, b) in enumerate(zip(parts, other, strict=False)) if a != b), len(parts)
            )
            return (-shared, candidate)

        for one in [beside] if beside in candidates else sorted(candidates, key=distance):
            if "path" in (look(one) or {}):
                self.heirs[module] = one.partition(":")[0]
                return one
        return None

    def _kept(self, path: str, qualname: str, now: str, *, incidental: bool) -> Iterator[Subject]:
        same_kind = bool(self.old.function(qualname)) == bool(self.new.function(now))
        if not same_kind:
            old_kind = "function" if self.old.function(qualname) else "class"
            new_kind = "function" if self.new.function(now) else "class"
            yield self._kind_changed(path, qualname, old_kind, new_kind, self._side(self.new, now))
            return
        best = self._path(self.old, qualname) or path
        first = (qualname, now) not in self.pairs
        self.pairs.setdefault((qualname, now), best if self.new.qualname(best) == now else path)
        if qualname != now and first and not incidental:
            yield Subject(
                kind="symbol",
                symbol=path,
                name=path,
                facts=frozenset({"moved"}),
                old=self._side(self.old, qualname),
                new=self._side(self.new, now),
                words={"home": now.partition(":")[0]},
                qualnames=(qualname, now),
            )

    def _became_value(self, path: str, qualname: str, after: Entry, value: Entry) -> Iterator[Subject]:
        if _is_plain(value.get("text", "?")):
            old_kind = "function" if self.old.function(qualname) else "class"
            side = Side(file=after["file"], line=value["line"], text=value["text"])
            yield self._kind_changed(path, qualname, old_kind, "constant", side)

    def _kind_changed(self, path: str, qualname: str, old: str, new: str, side: Side) -> Subject:
        return Subject(
            kind="symbol",
            symbol=path,
            name=path,
            facts=frozenset({"kind-changed"}),
            old=self._side(self.old, qualname),
            new=side,
            words={"old": old, "new": new},
            qualnames=(qualname,),
        )

    def _conditional(self, path: str, qualname: str, now: str) -> Iterator[Subject]:
        before, after = self.old.conditional(path) or {}, self.new.conditional(path) or {}
        module = path.rpartition(".")[0]
        known = {*before.get("needs", ()), *self.new.modules[module].get("needs", ())}
        more = sorted(set(after.get("needs", ())) - known)
        if more:
            line = after.get("line", 1)
            file = str(after.get("file") or self.new.modules[module]["file"])
            yield Subject(
                kind="symbol",
                symbol=path,
                name=path,
                facts=frozenset({"now-conditional"}),
                old=self._side(self.old, qualname),
                new=Side(file=file, line=line, text=after.get("when", _needs_text(after["needs"]))),
                words={"new": ", ".join(more)},
                qualnames=(qualname, now),
            )

    def _new_symbols(self, module: str, before: Entry, after: Entry) -> Iterator[Subject]:
        for section in ("functions", "classes"):
            for name, entry in after.get(section, {}).items():
                path = entry.get("path")
                known = name in before.get(section, {}) or "." in name or not path
                if not known and not self.old.qualname(path) and not self.old.named(name):
                    yield Subject(
                        kind="symbol",
                        symbol=path,
                        name=path,
                        facts=frozenset({"new"}),
                        new=Side(file=after["file"], line=entry["line"], text=f"{module}:{name}"),
                        qualnames=(f"{module}:{name}",),
                    )

    def _definition(self, old: str, new: str, path: str) -> Iterator[Subject]:
        before, after = self.old.function(old), self.new.function(new)
        if before and after:
            yield from _functions(path, before, after, old, new, self.old.file(old), self.new.file(new))
            return
        first, second = self.old.cls(old), self.new.cls(new)
        if not first or not second:
            return
        yield from self._methods(old, new, path, first, second)
        if self.old.enum(old) is not None and self.new.enum(new) is not None:
            yield from self._members(old, new, path, first, second)

    def _methods(self, old: str, new: str, path: str, first: Entry, second: Entry) -> Iterator[Subject]:
        made = self.old.constructor(old), self.new.constructor(new)
        if made[0] and made[1]:
            self.pairs.setdefault((made[0], made[1]), path)
        for name, before in first["methods"].items():
            if name.startswith("_") and (
                name not in CALLED or (name == "__init__" and "__new__" in first["methods"])
            ):
                continue
            if name not in second["methods"]:
                if name not in second["attributes"] and name not in CALLED and _closed(second):
                    side = self._side(self.old, before) if before else None
                    yield Subject(
                        kind="symbol",
                        symbol=f"{path}.{name}",
                        name=f"{path}.{name}",
                        facts=frozenset({"gone"}),
                        old=side or Side(file=self.old.file(old), line=first["line"], text=f"{path}.{name}"),
                        qualnames=(old, new),
                    )
                continue
            after = second["methods"][name]
            if before and after:
                self.pairs.setdefault((before, after), f"{path}.{name}")

    def _members(self, old: str, new: str, path: str, first: Entry, second: Entry) -> Iterator[Subject]:
        before, after = self.old.enum(old) or {}, self.new.enum(new) or {}
        files = self.old.file(old), self.new.file(new)
        for name in [*before, *(one for one in after if one not in before)]:
            facts: set[str] = set()
            was, now = before.get(name), after.get(name)
            words = {"old": str(was), "new": str(now)}
            if name not in after:
                facts.add("removed")
            elif name not in before:
                facts.add("added")
                displaced = [m for m, v in before.items() if v == now and v is not None and after.get(m) != v]
                if displaced:
                    facts.add("takes-value")
                    words["old"] = displaced[0]
            elif was is not None and now is not None and was != now:
                facts.add("value-changed")
            if facts:
                yield Subject(
                    kind="member",
                    symbol=path,
                    name=name,
                    facts=frozenset(facts),
                    old=_member_side(files[0], first, name, was) if name in before else None,
                    new=_member_side(files[1], second, name, now) if name in after else None,
                    words=words,
                    call=(before, after),
                    qualnames=(old, new),
                )

    @staticmethod
    def _path(surface: Surface, qualname: str) -> str:
        entry = surface.function(qualname) or surface.cls(qualname) or {}
        return str(entry.get("path", ""))

    @staticmethod
    def _side(surface: Surface, qualname: str) -> Side:
        entry = surface.function(qualname) or surface.cls(qualname) or {}
        return Side(file=surface.file(qualname), line=entry.get("line", 1), text=qualname)


def _functions(
    path: str, before: Entry, after: Entry, old: str, new: str, old_file: str, new_file: str
) -> Iterator[Subject]:
    """Subjects of one function's parameters and return annotation."""
    if before["parameters"] == after["parameters"] and before.get("resolved") == after.get("resolved"):
        yield from _returns(path, before, after, old, new, old_file, new_file)
        return
    first, second = parameters_of(before, old), parameters_of(after, new)
    names_before, names_after = [row[0] for row in first], [row[0] for row in second]
    renames = _renames(first, second)
    entries = ({**before, "parameters": first}, {**after, "parameters": second})

    def subject(name: str, facts: set[str], words: dict[str, str]) -> Subject:
        return Subject(
            kind="parameter",
            symbol=path,
            name=name,
            facts=frozenset(facts),
            old=Side(file=old_file, line=before["line"], text=_parameter_text(before, name, first)),
            new=Side(file=new_file, line=after["line"], text=_parameter_text(after, name, second)),
            words=words,
            call=entries,
            qualnames=(old, new),
        )

    for row in first:
        name = row[0]
        if name not in names_after:
            facts = {"removed", *(["renamed"] if name in renames else [])}
            yield subject(name, facts, {"new": renames.get(name, "")})
            continue
        facts, words = _changed(row, second[names_after.index(name)], before, after)
        was, now = _slot(first, name), _slot(second, name)
        if _is_reordered(name, first, second):
            facts.add("reordered")
            words = {"old": str(was)}
        if facts:
            yield subject(name, facts, words | {"at": str(now)})
    for row in second:
        name = row[0]
        if name in names_before:
            continue
        facts = {"added"}
        words = {"at": str(_slot(second, name)), "old": "", "new": str(row[2])}
        if name in renames.values():
            facts.add("renamed")
        if row[2] is None and not row[1].startswith("VAR_"):
            facts.add("required")
        behind = [other[0] for other in second[names_after.index(name) + 1 :] if other[1] in POSITIONAL]
        shifted = [other for other in behind if other in names_before and _slot(first, other) is not None]
        if row[1] in POSITIONAL and shifted:
            facts.add("before-others")
            words["old"] = shifted[0]
        yield subject(name, facts, words)
    yield from _returns(path, before, after, old, new, old_file, new_file)


def _changed(row: list[Any], now: list[Any], before: Entry, after: Entry) -> tuple[set[str], dict[str, str]]:
    """Facts of a parameter that both signatures have."""
    facts: set[str] = set()
    words: dict[str, str] = {}
    name, kind, default = row
    if kind != now[1]:
        facts.add("kind-changed")
        if now[1] != "POSITIONAL_OR_KEYWORD":
            facts.add("kind-narrowed")
        words = {"old": KINDS[kind], "new": KINDS[now[1]]}
    if default is not None and now[2] is None and not now[1].startswith("VAR_"):
        facts.add("made-required")
        words |= {"old": default}
    elif default is not None and now[2] is not None:
        was, is_now = default_value(before, name, default), default_value(after, name, now[2])
        if was != is_now and "<factory>" not in (was, is_now):
            facts.add("default-changed")
            words |= {"old": _default_text(default, was), "new": _default_text(now[2], is_now)}
    return facts, words


def default_value(entry: Entry, name: str, default: str) -> str:
    """What tells one default from another: its value where the source says it, else its text."""
    resolved = entry.get("resolved", {})
    return str(resolved[name]) if name in resolved else _literal(default)


@functools.cache
def _literal(default: str) -> str:
    try:
        return repr(ast.literal_eval(default))
    except (ValueError, SyntaxError):
        return default


def _default_text(text: str, value: str) -> str:
    return text if text in (value, value.replace("'", '"')) else f"{text} ({value})"


def _renames(first: list[list[Any]], second: list[list[Any]]) -> dict[str, str]:
    """Removed parameters and the added ones that stand in their place, between the same neighbours."""
    kept = {row[0] for row in first} & {row[0] for row in second}

    def gaps(rows: list[list[Any]]) -> dict[str | None, list[list[Any]]]:
        found: dict[str | None, list[list[Any]]] = {}
        anchor = None
        for row in rows:
            if row[0] in kept:
                anchor = row[0]
            elif not row[1].startswith("VAR_"):
                found.setdefault(anchor, []).append(row)
        return found

    after = gaps(second)
    found: dict[str, str] = {}
    for anchor, rows in gaps(first).items():
        others = after.get(anchor, [])
        if len(others) != len(rows):
            continue
        for row, other in zip(rows, others, strict=True):
            if row[1] == other[1] and (row[1] in POSITIONAL or row[2] == other[2]):
                found[row[0]] = other[0]
    return found


def _slot(rows: list[list[Any]], name: str) -> int | None:
    """The position that a caller fills a parameter at, from 0."""
    names = [row[0] for row in rows if row[1] in POSITIONAL]
    return names.index(name) if name in names else None


def _is_reordered(name: str, first: list[list[Any]], second: list[list[Any]]) -> bool:
    """Whether a parameter now stands before one that it stood behind."""
    before = [row[0] for row in first if row[1] in POSITIONAL]
    after = [row[0] for row in second if row[1] in POSITIONAL]
    if name not in before or name not in after:
        return False
    ahead = set(before[: before.index(name)]) & set(after)
    return bool(ahead - set(after[: after.index(name)]))


def _returns(
    path: str, before: Entry, after: Entry, old: str, new: str, old_file: str, new_file: str
) -> Iterator[Subject]:
    was, now = before.get("returns"), after.get("returns")
    if was and now and was != now and _plain_type(was) != _plain_type(now):
        yield Subject(
            kind="return",
            symbol=path,
            name="return",
            facts=frozenset({"changed"}),
            old=Side(file=old_file, line=before["line"], text=was),
            new=Side(file=new_file, line=after["line"], text=now),
            words={"old": was, "new": now},
            qualnames=(old, new),
        )


class _Plain(ast.NodeTransformer):
    """Annotations that mean the same brought to one form."""

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if isinstance(node.value, ast.Name) and node.value.id in {"typing", "t"}:
            return self.visit(ast.Name(node.attr, ast.Load()))  # type: ignore[no-any-return]
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(TYPING_ALIASES.get(node.id, node.id), ast.Load())

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, str):
            try:
                return self.visit(ast.parse(node.value, mode="eval").body)  # type: ignore[no-any-return]
            except SyntaxError:
                return node
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        head = ast.unparse(node.value)
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if head == "Optional":
            parts = [*parts, ast.Constant(None)]
        if head in {"Optional", "Union"}:
            joined = parts[0]
            for part in parts[1:]:
                joined = ast.BinOp(joined, ast.BitOr(), part)
            return joined
        return node


def _plain_type(text: str) -> str:
    try:
        tree = _Plain().visit(ast.parse(text, mode="eval").body)
    except SyntaxError:
        return text
    return "|".join(sorted(part.strip() for part in ast.unparse(tree).split(" | ")))


def _parameter_text(entry: Entry, name: str, rows: list[list[Any]]) -> str:
    row = next((row for row in rows if row[0] == name), None)
    if row is None:
        return "(" + ", ".join(one[0] for one in rows) + ")"
    stars = {"VAR_POSITIONAL": "*", "VAR_KEYWORD": "**"}.get(row[1], "")
    annotation = entry.get("annotations", {}).get(name)
    text = f"{stars}{name}" + (f": {annotation}" if annotation else "")
    return text if row[2] is None else f"{text} = {row[2]}"


def _member_side(file: str, entry: Entry, name: str, value: Any) -> Side:
    return Side(file=file, line=entry.get("lines", {}).get(name, entry["line"]), text=f"{name} = {value}")


def _closed(entry: Entry) -> bool:
    """Whether a class has no bases outside the release that could bring a method."""
    return all(
        base.partition("[")[0].rpartition(".")[2]
        in {"object", "Enum", "IntEnum", "ABC", "Protocol", "Generic"}
        for base in entry["bases"]
    )


def _is_public(module: str) -> bool:
    return not any(part.startswith("_") for part in module.split("."))


def _is_plain(text: str) -> bool:
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return False
    return True


def _needs_text(needs: list[str]) -> str:
    return f"needs {', '.join(needs)}" if needs else "needs nothing more"


def shown_signature(path: str, entry: Entry) -> str:
    """A function as a line: path, parameters with defaults, return annotation."""
    words = []
    kinds = [row[1] for row in entry["parameters"]]
    for position, (name, kind, default) in enumerate(entry["parameters"]):
        if kind == "KEYWORD_ONLY" and not {"KEYWORD_ONLY", "VAR_POSITIONAL"} & set(kinds[:position]):
            words.append("*")
        stars = {"VAR_POSITIONAL": "*", "VAR_KEYWORD": "**"}.get(kind, "")
        words.append(f"{stars}{name}" if default is None else f"{name}={default}")
        if kind == "POSITIONAL_ONLY" and kinds[position + 1 : position + 2] != [kind]:
            words.append("/")
    returns = f" -> {entry['returns']}" if "returns" in entry else ""
    return f"{path}({', '.join(words)}){returns}"
