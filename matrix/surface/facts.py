"""What differs between two surfaces, as subjects with plain facts. What a fact means is `breaks.toml`'s matter."""

from __future__ import annotations

import ast
import builtins
from typing import TYPE_CHECKING, Any

from matrix.surface.signatures import changes, is_static, parameters_of
from matrix.surface.subjects import Side, Subject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matrix.surface.model import Entry, Surface

__all__ = ["differences"]

CALLED = {"__call__", "__enter__", "__exit__"}
PLAIN_BASES = {
    "object",
    "Enum",
    "IntEnum",
    "StrEnum",
    "Flag",
    "IntFlag",
    "ABC",
    "Protocol",
    "Generic",
    "NamedTuple",
}
"""Bases outside a release that bring no public method, and that no caller asks for."""
BUILT_IN = frozenset(vars(builtins))


def differences(old: Surface, new: Surface) -> Iterator[Subject]:
    """Every subject that differs; modules whose entry is the same in both are not even read."""
    return _Comparison(old, new).run()


class _Comparison:
    def __init__(self, old: Surface, new: Surface) -> None:
        self.old = old
        self.new = new
        self.pairs: dict[tuple[str, str], str] = {}
        self.homes: dict[tuple[str, str], str | None] = {}
        self.heirs: dict[str, str] = {}
        self.unchanged: dict[str, bool] = {}

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
        had, has = (sorted([*entry["needs"], *entry.get("requires", ())]) for entry in (before, after))
        more = sorted(set(has) - set(had))
        if more and _is_public(module):
            yield Subject(
                kind="module",
                symbol=module,
                name=module,
                facts=frozenset({"now-conditional"}),
                old=Side(file=before["file"], line=1, text=_needs_text(had)),
                new=Side(file=after["file"], line=1, text=_needs_text(has)),
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
                if local in after.get("conditional", ()):
                    yield from self._conditional(path, qualname, now)
            elif local in after.get("values", {}):
                yield from self._became_value(path, qualname, after, after["values"][local])
            elif path not in self.new.modules:
                yield self._gone(path, qualname, self._side(self.old, qualname), incidental=incidental)
            elif not incidental:
                side = Side(file=self.new.modules[path]["file"], line=1, text=path)
                yield self._kind_changed(path, qualname, self._kind_of(self.old, qualname), "module", side)
        yield from self._otherwise(module, before, after)

    def _otherwise(self, module: str, before: Entry, after: Entry) -> Iterator[Subject]:
        """Functions that stand in where a package is missing; those in its place changed alike are enough."""
        for local, first in before.get("otherwise", {}).items():
            second = after.get("otherwise", {}).get(local)
            name = f"{module}:{local}"
            main = (before["paths"].get(local), after.get("paths", {}).get(local)) if second else (None, None)
            if second and main[0] and main[1]:
                mine = [
                    self._rows(surface, one) for surface, one in zip((self.old, self.new), main, strict=True)
                ]
                if mine[0] == mine[1]:
                    files = (before["file"], after["file"])
                    yield from changes(f"{module}.{local}", first, second, (name, name), files)

    @staticmethod
    def _rows(surface: Surface, qualname: str) -> list[list[Any]]:
        rows: list[list[Any]] = (surface.function(qualname) or {}).get("parameters", [])
        return rows

    def _value_gone(self, module: str, local: str, before: Entry, item: Entry) -> Subject:
        source = item.get("from", "")
        home = source if source and (self.new.value(source) or self.new.qualname(source)) else ""
        facts = {
            "gone",
            "constant",
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
        if qualname == now and self._is_same(qualname):
            return
        best = self._path(self.old, qualname) or path
        first = (qualname, now) not in self.pairs
        self.pairs.setdefault(
            (qualname, now), best if best == path or self.new.qualname(best) == now else path
        )
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

    def _is_same(self, qualname: str) -> bool:
        """Whether a definition's module is the same in both, and so are those that a class has methods from."""
        if not self._is_unchanged(qualname.partition(":")[0]):
            return False
        methods = (self.old.cls(qualname) or {}).get("methods", {}).values()
        return all(self._is_unchanged(one.partition(":")[0]) for one in methods if one)

    def _is_unchanged(self, module: str) -> bool:
        if module not in self.unchanged:
            there = module in self.old.modules and module in self.new.modules
            self.unchanged[module] = there and self.old.digest(module) == self.new.digest(module)
        return self.unchanged[module]

    def _became_value(self, path: str, qualname: str, after: Entry, value: Entry) -> Iterator[Subject]:
        text = value.get("text", "?")
        partial = text.partition("(")[0] in {"partial", "functools.partial"}
        if _is_plain(text) or partial:
            side = Side(file=after["file"], line=value["line"], text=text)
            kind = "functools.partial" if partial else "constant"
            yield self._kind_changed(path, qualname, self._kind_of(self.old, qualname), kind, side)

    def _kind_of(self, surface: Surface, qualname: str) -> str:
        if surface.function(qualname):
            return "function"
        return "class" if surface.enum(qualname) is None else "enum"

    def _kind_changed(
        self,
        path: str,
        qualname: str,
        old: str,
        new: str,
        side: Side,
        *,
        call: tuple[Entry, Entry] | None = None,
        base: str = "",
    ) -> Subject:
        return Subject(
            kind="symbol",
            symbol=path,
            name=path,
            facts=frozenset({"kind-changed"}),
            old=self._side(self.old, qualname),
            new=side,
            words={"old": old, "new": new} | ({"base": base} if base else {}),
            call=call,
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
        first = None if before else self.old.cls(old)
        second = None if after else self.new.cls(new)
        if before and after:
            yield from self._bound_otherwise(old, new, path, before, after)
            yield from changes(path, before, after, (old, new), (self.old.file(old), self.new.file(new)))
        elif before and second:
            made = self.new.constructor(new)
            built = self.new.function(made) if made else None
            call = None
            if made and built:
                call = (
                    {**before, "parameters": parameters_of(before, old)},
                    {**built, "parameters": parameters_of(built, made)},
                )
            yield self._kind_changed(path, old, "function", "class", self._side(self.new, new), call=call)
        elif first and after:
            yield self._kind_changed(
                path, old, self._kind_of(self.old, old), "function", self._side(self.new, new)
            )
        elif first and second:
            yield from self._class(old, new, path, first, second)

    def _class(self, old: str, new: str, path: str, first: Entry, second: Entry) -> Iterator[Subject]:
        kinds = self._kind_of(self.old, old), self._kind_of(self.new, new)
        if kinds[0] != kinds[1]:
            yield self._kind_changed(path, old, *kinds, self._side(self.new, new))
        if first["bases"] != second["bases"]:
            yield from self._bases(old, new, path)
        yield from self._methods(old, new, path, first, second)
        if kinds == ("enum", "enum"):
            yield from self._members(old, new, path, first, second)

    def _bound_otherwise(
        self, old: str, new: str, path: str, before: Entry, after: Entry
    ) -> Iterator[Subject]:
        """A static or class method that now wants an instance."""
        if is_static(before) and not is_static(after) and "." in new.partition(":")[2]:
            call = ({**before, "parameters": parameters_of(before, old)}, after)
            word = "static method" if "staticmethod" in str(before["decorators"]) else "class method"
            yield self._kind_changed(path, old, word, "method", self._side(self.new, new), call=call)

    def _bases(self, old: str, new: str, path: str) -> Iterator[Subject]:
        """Bases that the class no longer has, nor any of its bases."""
        inside, outside = self.old.lineage(old)
        there, others = self.new.lineage(new)
        kept = {one.rpartition(".")[2] for one in others} | {one.rpartition(":")[2] for one in there}
        for base in dict.fromkeys([*outside, *inside[1:]]):
            name = base.rpartition(":")[2].rpartition(".")[2]
            known = ":" not in base or self.new.cls(base) is not None
            if name not in kept and known and not name.startswith("_") and name not in PLAIN_BASES:
                shown = self._path(self.old, base) if ":" in base else base
                kinds = (f"subclass of {name}", "class of other bases")
                yield self._kind_changed(
                    path, old, *kinds, self._side(self.new, new), base=shown or base.replace(":", ".")
                )

    def _methods(self, old: str, new: str, path: str, first: Entry, second: Entry) -> Iterator[Subject]:
        made = self.old.constructor(old), self.new.constructor(new)
        if made[0] and made[1]:
            self.pairs.setdefault((made[0], made[1]), path)
        for name, before in first["methods"].items():
            if name.startswith("_") and name not in CALLED:
                continue
            if name not in second["methods"]:
                yield from self._method_gone(old, new, f"{path}.{name}", before)
                continue
            after = second["methods"][name]
            if before and after:
                self.pairs.setdefault((before, after), f"{path}.{name}")
            elif before or after:
                kinds = ("method", "property") if before else ("property", "method")
                yield self._kind_changed(f"{path}.{name}", old, *kinds, self._side(self.new, after or new))
        yield from self._inner(old, new, path)

    def _method_gone(self, old: str, new: str, path: str, before: str | None) -> Iterator[Subject]:
        """A method or property that neither the class nor a base has; a base outside the release may have it."""
        name = path.rpartition(".")[2]
        inside, outside = self.new.lineage(new)
        entries = [self.new.cls(one) or {} for one in inside]
        attributes = {one for entry in entries for one in entry.get("attributes", ())}
        dynamic = any("__getattr__" in entry.get("methods", ()) for entry in entries)
        if name in attributes or name in CALLED or dynamic:
            return
        unknown = [base for base in outside if base.rpartition(".")[2] not in PLAIN_BASES]
        unsure = [
            base for base in unknown if hasattr(getattr(builtins, base, None), name) or base not in BUILT_IN
        ]
        side = self._side(self.old, before) if before else self._side(self.old, old)
        yield Subject(
            kind="symbol",
            symbol=path,
            name=path,
            facts=frozenset({"gone"}),
            old=side if before else Side(file=side.file, line=side.line, text=path),
            words={"outside": " or ".join(unsure)} if unsure else {},
            qualnames=(old, new),
        )

    def _inner(self, old: str, new: str, path: str) -> Iterator[Subject]:
        """Classes within a class."""
        module, _, outer = old.partition(":")
        for qualname in self._inner_names(module, outer):
            name = qualname.rpartition(".")[2]
            now = f"{new}.{name}"
            if self.new.cls(now):
                self.pairs.setdefault((qualname, now), f"{path}.{name}")
            elif not name.startswith("_") and len(self.new.lineage(new)[0]) == 1:
                yield Subject(
                    kind="symbol",
                    symbol=f"{path}.{name}",
                    name=f"{path}.{name}",
                    facts=frozenset({"gone"}),
                    old=self._side(self.old, qualname),
                    qualnames=(qualname,),
                )

    def _inner_names(self, module: str, outer: str) -> list[str]:
        classes = self.old.modules[module].get("classes", {})
        return [f"{module}:{name}" for name in classes if name.rpartition(".")[0] == outer]

    def _members(self, old: str, new: str, path: str, first: Entry, second: Entry) -> Iterator[Subject]:
        before, after = self.old.enum(old) or {}, self.new.enum(new) or {}
        files = self.old.file(old), self.new.file(new)
        texts = first.get("texts", {}), second.get("texts", {})
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
            elif was is None and now is None and texts[0].get(name) != texts[1].get(name):
                facts.add("value-changed")
                words = {"old": str(texts[0].get(name)), "new": str(texts[1].get(name))}
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


def _member_side(file: str, entry: Entry, name: str, value: Any) -> Side:
    return Side(file=file, line=entry.get("lines", {}).get(name, entry["line"]), text=f"{name} = {value}")


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
