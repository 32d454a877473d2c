"""What differs between two surfaces, as subjects with plain facts. What a fact means is `breaks.toml`'s matter."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from matrix.surface.signatures import changes
from matrix.surface.subjects import Side, Subject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matrix.surface.model import Entry, Surface

__all__ = ["differences"]

CALLED = {"__call__", "__enter__", "__exit__"}


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
        if bool(before) != bool(after):
            kinds = ("function", "class") if before else ("class", "function")
            yield self._kind_changed(path, old, *kinds, self._side(self.new, new))
        if before and after:
            files = self.old.file(old), self.new.file(new)
            yield from changes(path, before, after, (old, new), files)
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
            if name.startswith("_") and name not in CALLED:
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
