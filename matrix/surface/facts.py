"""What differs between two surfaces, as subjects with plain facts. What a fact means is `breaks.toml`'s matter."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from matrix.surface.class_facts import ClassFacts
from matrix.surface.signatures import changes, parameters_of
from matrix.surface.subjects import Side, Subject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matrix.surface.model import Entry, Surface

__all__ = ["differences"]


def differences(old: Surface, new: Surface) -> Iterator[Subject]:
    """Every subject that differs; modules whose entry is the same in both are not even read."""
    return _Comparison(old, new).run()


class _Comparison(ClassFacts):
    def __init__(self, old: Surface, new: Surface) -> None:
        super().__init__(old, new)
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
                yield self._gone(path, qualname, self.side_of(self.old, qualname), incidental=incidental)
            elif not incidental:
                side = Side(file=self.new.modules[path]["file"], line=1, text=path)
                yield self.kind_changed(path, qualname, self.kind_of(self.old, qualname), "module", side)
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
            new=self.side_of(self.new, home) if home else None,
            words={"home": self.path_of(self.new, home) if home else ""},
            qualnames=(qualname,) if qualname else (),
        )

    def _home(self, path: str, qualname: str) -> str | None:
        """Where a name that left its path can be had now: the same definition, else the nearest of the name."""
        key = (path.rpartition(".")[0], qualname)
        if key not in self.homes:
            self.homes[key] = qualname if self.path_of(self.new, qualname) else self._namesake(*key)
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
        best = self.path_of(self.old, qualname) or path
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
                old=self.side_of(self.old, qualname),
                new=self.side_of(self.new, now),
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
            yield self.kind_changed(path, qualname, self.kind_of(self.old, qualname), kind, side)

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
                old=self.side_of(self.old, qualname),
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
            yield from self.bound_otherwise(old, new, path, before, after)
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
            yield self.kind_changed(path, old, "function", "class", self.side_of(self.new, new), call=call)
        elif first and after:
            yield self.kind_changed(
                path, old, self.kind_of(self.old, old), "function", self.side_of(self.new, new)
            )
        elif first and second:
            yield from self.class_facts(old, new, path, first, second)


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
