"""What differs of a class between two surfaces: its kind, bases, methods, inner classes and enum members."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any

from matrix.surface.signatures import is_static, parameters_of
from matrix.surface.subjects import Side, Subject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matrix.surface.model import Entry, Surface

__all__ = ["ClassFacts"]

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


class ClassFacts:
    """Compares classes of two surfaces.

    Args:
        old: the older release.
        new: the newer one.

    Attributes:
        pairs: what is still to be compared: QUALNAMES in both, to the path that a caller names it by.
    """

    def __init__(self, old: Surface, new: Surface) -> None:
        self.old = old
        self.new = new
        self.pairs: dict[tuple[str, str], str] = {}

    def class_facts(self, old: str, new: str, path: str, first: Entry, second: Entry) -> Iterator[Subject]:
        """Every subject of a class that both have."""
        kinds = self.kind_of(self.old, old), self.kind_of(self.new, new)
        if kinds[0] != kinds[1]:
            yield self.kind_changed(path, old, *kinds, self.side_of(self.new, new))
        if first["bases"] != second["bases"]:
            yield from self._bases(old, new, path)
        yield from self._methods(old, new, path, first, second)
        if kinds == ("enum", "enum"):
            yield from self._members(old, new, path, first, second)

    def kind_of(self, surface: Surface, qualname: str) -> str:
        """What a definition is: a function, a class or an enum."""
        if surface.function(qualname):
            return "function"
        return "class" if surface.enum(qualname) is None else "enum"

    def kind_changed(
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
        """A name that stays, for another kind of thing; `call` has both functions where a call tells."""
        return Subject(
            kind="symbol",
            symbol=path,
            name=path,
            facts=frozenset({"kind-changed"}),
            old=self.side_of(self.old, qualname),
            new=side,
            words={"old": old, "new": new} | ({"base": base} if base else {}),
            call=call,
            qualnames=(qualname,),
        )

    def _bases(self, old: str, new: str, path: str) -> Iterator[Subject]:
        """Bases that the class no longer has, nor any of its bases."""
        inside, outside = self.old.lineage(old)
        there, others = self.new.lineage(new)
        kept = {one.rpartition(".")[2] for one in others} | {one.rpartition(":")[2] for one in there}
        for base in dict.fromkeys([*outside, *inside[1:]]):
            name = base.rpartition(":")[2].rpartition(".")[2]
            known = ":" not in base or self.new.cls(base) is not None
            if name not in kept and known and not name.startswith("_") and name not in PLAIN_BASES:
                shown = self.path_of(self.old, base) if ":" in base else base
                kinds = (f"subclass of {name}", "class of other bases")
                yield self.kind_changed(
                    path, old, *kinds, self.side_of(self.new, new), base=shown or base.replace(":", ".")
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
                yield self.kind_changed(f"{path}.{name}", old, *kinds, self.side_of(self.new, after or new))
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
        side = self.side_of(self.old, before) if before else self.side_of(self.old, old)
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
                    old=self.side_of(self.old, qualname),
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
    def path_of(surface: Surface, qualname: str) -> str:
        """The best public path of a definition, empty where it has none."""
        entry = surface.function(qualname) or surface.cls(qualname) or {}
        return str(entry.get("path", ""))

    @staticmethod
    def side_of(surface: Surface, qualname: str) -> Side:
        """Where a definition stands."""
        entry = surface.function(qualname) or surface.cls(qualname) or {}
        return Side(file=surface.file(qualname), line=entry.get("line", 1), text=qualname)

    def bound_otherwise(
        self, old: str, new: str, path: str, before: Entry, after: Entry
    ) -> Iterator[Subject]:
        """A static or class method that now wants an instance."""
        if is_static(before) and not is_static(after) and "." in new.partition(":")[2]:
            call = ({**before, "parameters": parameters_of(before, old)}, after)
            word = "static method" if "staticmethod" in str(before["decorators"]) else "class method"
            yield self.kind_changed(path, old, word, "method", self.side_of(self.new, new), call=call)


def _member_side(file: str, entry: Entry, name: str, value: Any) -> Side:
    return Side(file=file, line=entry.get("lines", {}).get(name, entry["line"]), text=f"{name} = {value}")
