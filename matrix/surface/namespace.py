"""The modules of one release together: what a name stands for, and which packages it takes to have it."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from matrix.surface.values import Unknown, evaluate, functional_enum, lambda_function

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Module", "Namespace", "Thing"]

DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*\Z")
WORD = re.compile(r"[A-Za-z_]\w*")
DEPTH = 40


@dataclass(frozen=True, kw_only=True)
class Module:
    """One module: its dotted name, its file in the tree, its record."""

    name: str
    file: str
    record: Mapping[str, Any]

    @property
    def package(self) -> str:
        """What a relative import of level 1 starts from."""
        return self.name if self.file.endswith("__init__.py") else self.name.rpartition(".")[0]

    def absolute(self, level: int, path: str) -> str:
        """The dotted name of an import's module."""
        if level == 0:
            return path
        parts = self.package.split(".")
        base = ".".join(parts[: len(parts) - level + 1])
        return f"{base}.{path}" if path and base else base or path


@dataclass(frozen=True, kw_only=True)
class Thing:
    """What a name stands for: a function, class or value where it is defined, a module, or something outside.

    `guards` are the conditions on the way to it, as (module, guard) pairs; `fallback` says that the name exists
    also where they do not hold.
    """

    kind: str
    module: str
    name: str = ""
    binding: list[Any] = field(default_factory=list)
    guards: tuple[tuple[str, int], ...] = ()
    fallback: bool = False
    lazy: bool = False


class Namespace:
    """Resolves names over the modules of one release."""

    def __init__(self, modules: Iterable[Module]) -> None:
        self.modules = {module.name: module for module in modules}
        self.folders = {name.rpartition(".")[0] for name in self.modules}
        self._things: dict[tuple[str, str], Thing | None] = {}
        self._needs = self._closures()

    def names(self, module: str) -> list[str]:
        """Every name of a module at run time, star imports and lazy ones included."""
        record = self.modules[module].record
        found = dict.fromkeys([*record.get("names", {}), *record.get("lazy", {})])
        for level, path, _ in record.get("stars", ()):
            source = self.modules[module].absolute(level, path)
            if source in self.modules and source != module:
                found.update(dict.fromkeys(self.exported(source)))
        for level, path, _ in record.get("lazy_star", ()):
            source = self.modules[module].absolute(level, path)
            if source in self.modules and source != module:
                found.update(dict.fromkeys(self.names(source)))
        return list(found)

    def exported(self, module: str, depth: int = 0) -> list[str]:
        """What `from module import *` gives."""
        record = self.modules[module].record
        if record.get("all") is not None:
            return list(record["all"])
        found = [name for name in record.get("names", {}) if not name.startswith("_")]
        for level, path, _ in record.get("stars", ()) if depth < DEPTH else ():
            source = self.modules[module].absolute(level, path)
            if source in self.modules:
                found += self.exported(source, depth + 1)
        return found

    def thing(self, module: str, name: str, depth: int = 0) -> Thing | None:
        """What a module's name stands for, or nothing where it has no such name."""
        key = (module, name)
        if key not in self._things:
            self._things[key] = None  # a name that leads back to itself is none
            self._things[key] = self._find(module, name, depth) if depth < DEPTH else None
        return self._things[key]

    def dotted(self, module: str, path: str, depth: int = 0) -> Thing | None:
        """What a dotted expression in a module stands for, as far as modules lead."""
        head, _, rest = path.partition(".")
        thing = self.thing(module, head, depth)
        while rest and thing and thing.kind == "m":
            head, _, rest = rest.partition(".")
            thing = self.thing(thing.module, head, depth)
        return thing if not rest else None

    def path(self, dotted: str) -> Thing | None:
        """What an absolute dotted path stands for."""
        top, _, rest = dotted.partition(".")
        if top not in self.modules:
            return None
        return self.dotted(top, rest) if rest else Thing(kind="m", module=top)

    def _find(self, module: str, name: str, depth: int) -> Thing | None:
        record = self.modules[module].record
        bindings = record.get("names", {}).get(name)
        if bindings:
            found = self._bound(module, name, bindings, depth)
            if found:
                return found
        for level, path, attribute in record.get("lazy", {}).get(name, ()):
            found = self._imported(module, level, path, attribute, depth)
            if found and found.kind != "x":
                return _add(found, (), lazy=True)
        if name in record.get("lazy", {}):
            return Thing(kind="v", module=module, name=name, binding=["v", 0, None, ""], lazy=True)
        if f"{module}.{name}" in self.modules or f"{module}.{name}" in self.folders:
            return Thing(kind="m", module=f"{module}.{name}")
        for level, path, guard in record.get("stars", ()):
            source = self.modules[module].absolute(level, path)
            if source in self.modules and name in self.exported(source):
                found = self.thing(source, name, depth + 1)
                if found:
                    return _add(found, [(module, guard)] if guard is not None else ())
        for level, path, _ in record.get("lazy_star", ()):
            source = self.modules[module].absolute(level, path)
            found = self.thing(source, name, depth + 1) if source in self.modules else None
            if found:
                return _add(found, (), lazy=True)
        return None

    def _bound(self, module: str, name: str, bindings: list[list[Any]], depth: int) -> Thing | None:
        guards = self.modules[module].record["guards"]
        main = [one for one in bindings if not self._is_alternative(guards, one[2])]
        for binding in reversed(main or bindings):
            kind, _, guard = binding[:3]
            on_the_way = [(module, guard)] if guard is not None else []
            fallback = guard is not None and any(
                (other[2] is None or self._is_alternative(guards, other[2])) and other[3:] != ["None"]
                for other in bindings
                if other is not binding
            )
            if kind in "fc":
                return Thing(
                    kind=kind,
                    module=module,
                    name=name,
                    binding=binding,
                    guards=tuple(on_the_way),
                    fallback=fallback,
                )
            if kind == "i":
                level, path, attribute = binding[3:6]
                found = self._imported(module, level, path, attribute, depth)
            else:
                found = self._alias(module, name, binding, depth)
            if found:
                return _add(found, on_the_way, fallback=fallback)
        return None

    def _alias(self, module: str, name: str, binding: list[Any], depth: int) -> Thing:
        text = binding[3]
        if DOTTED.match(text) and text != name:
            found = self.dotted(module, text, depth + 1)
            if found and found.kind in "fc":
                return found
        made = functional_enum(text, binding[1])
        if made:
            return Thing(kind="c", module=module, name=name, binding=["c", *binding[1:3], made])
        written = lambda_function(text)
        if written:
            return Thing(kind="f", module=module, name=name, binding=["f", *binding[1:3], written])
        return Thing(kind="v", module=module, name=name, binding=binding)

    def _imported(
        self, module: str, level: int, path: str, attribute: str | None, depth: int
    ) -> Thing | None:
        if level == 0 and not path and attribute:
            return self.thing(module, attribute, depth + 1)
        source = self.modules[module].absolute(level, path)
        known = source in self.modules
        if attribute is None:
            if known or source in self.folders:
                return Thing(kind="m", module=source)
            return None if self._inside(source) else Thing(kind="x", module=source)
        if known:
            return self.thing(source, attribute, depth + 1)
        if f"{source}.{attribute}" in self.modules:
            return Thing(kind="m", module=f"{source}.{attribute}")
        return None if self._inside(source) else Thing(kind="x", module=source, name=attribute)

    def _inside(self, dotted: str) -> bool:
        return dotted.partition(".")[0] in self.modules

    @staticmethod
    def _is_alternative(guards: list[list[Any]], guard: int | None) -> bool:
        """Whether a guard stands for the case in which something else was not to be had."""
        while guard is not None:
            if guards[guard][0] in {"except", "else"}:
                return True
            guard = guards[guard][3]
        return False

    def value(self, module: str, dotted: str, depth: int = 0) -> Any:
        """The value of a dotted name in a module: a constant, an enum member or its `.value`.

        Raises:
            Unknown: only running the code would tell.
        """
        if depth > DEPTH:
            raise Unknown(dotted)
        head, _, rest = dotted.partition(".")
        thing = self.thing(module, head)
        while rest and thing and thing.kind == "m":
            head, _, rest = rest.partition(".")
            thing = self.thing(thing.module, head)
        if thing and thing.kind == "v" and not rest:
            owner = thing.module
            return evaluate(thing.binding[3], lambda name: self.value(owner, name, depth + 1))
        if thing and thing.kind == "c" and rest:
            return self.member(thing, rest)
        raise Unknown(dotted)

    def member(self, thing: Thing, rest: str) -> Any:
        """An enum member of a class, as its value; filled in by `assemble`, which knows the enums."""
        raise Unknown(f"{thing.name}.{rest}")

    def needs(self, module: str) -> frozenset[str]:
        """Import names of the packages outside the standard library that importing a module takes."""
        return self._names_of(self._needs.get(module, 0))

    def guard_needs(self, guards: Iterable[tuple[str, int]]) -> frozenset[str]:
        """Import names of the packages that some guards wait for."""
        found = 0
        for module, guard in guards:
            record = self.modules[module].record
            chain = set()
            number: int | None = guard
            while number is not None:
                chain.add(number)
                number = record["guards"][number][3]
            for level, path, names, under in record["imports"]:
                if under in chain and record["guards"][under][0] == "try":
                    found |= self._import_needs(self.modules[module], level, path, names)
            for number in chain:
                if record["guards"][number][0] in {"if", "else"}:
                    for word in WORD.findall(record["guards"][number][1]):
                        found |= self._flag_needs(module, word)
        return self._names_of(found)

    def _flag_needs(self, module: str, word: str, depth: int = 0) -> int:
        record = self.modules[module].record
        if word in record.get("flags", {}):
            found = 0
            for level, path in record["flags"][word]:
                found |= self._import_needs(self.modules[module], level, path, [])
            return found
        for binding in record.get("names", {}).get(word, ()) if depth < DEPTH else ():
            if binding[0] == "i" and binding[5]:
                source = self.modules[module].absolute(binding[3], binding[4])
                if source in self.modules:
                    return self._flag_needs(source, binding[5], depth + 1)
            if binding[0] == "v":
                found = 0
                for other in set(WORD.findall(binding[3])) - {word}:
                    found |= self._flag_needs(module, other, depth + 1)
                return found
        return 0

    def _closures(self) -> dict[str, int]:
        """Packages by module as bits, spread along unguarded imports until nothing changes."""
        self._bits: dict[str, int] = {}
        self._named: dict[int, frozenset[str]] = {}
        needs: dict[str, int] = dict.fromkeys(self.modules, 0)
        edges: dict[str, set[str]] = {}
        for name, module in self.modules.items():
            edges[name] = {parent for parent in _parents(name) if parent in self.modules}
            for level, path, names, guard in module.record.get("imports", ()):
                if guard is None:
                    for target in self._targets(module, level, path, names):
                        if target in self.modules:
                            edges[name].add(target)
                        elif not self._inside(target):
                            needs[name] |= self._bit(target)
        changed = True
        while changed:
            changed = False
            for name, targets in edges.items():
                found = needs[name]
                for target in targets:
                    found |= needs[target]
                if found != needs[name]:
                    needs[name] = found
                    changed = True
        return needs

    def _targets(self, module: Module, level: int, path: str, names: list[str]) -> list[str]:
        """Modules that one import statement imports; a name that is handed out lazily brings its own."""
        source = module.absolute(level, path)
        found = [*_parents(source), source]
        found += [f"{source}.{name}" for name in names if f"{source}.{name}" in self.modules]
        for name in names if source in self.modules else ():
            thing = self.thing(source, name) if name in self.modules[source].record.get("lazy", {}) else None
            found += [thing.module] if thing and thing.lazy else []
        return found

    def _import_needs(self, module: Module, level: int, path: str, names: list[str]) -> int:
        found = 0
        for target in self._targets(module, level, path, names):
            if target in self.modules:
                found |= self._needs[target]
            elif not self._inside(target):
                found |= self._bit(target)
        for name in names:
            thing = (
                self.thing(module.absolute(level, path), name)
                if module.absolute(level, path) in self.modules
                else None
            )
            if thing and thing.module in self.modules:
                found |= self._needs[thing.module]
        return found

    def _bit(self, dotted: str) -> int:
        top = dotted.partition(".")[0]
        if top in sys.stdlib_module_names or not top:
            return 0
        return 1 << self._bits.setdefault(top, len(self._bits))

    def _names_of(self, bits: int) -> frozenset[str]:
        if bits not in self._named:
            self._named[bits] = frozenset(name for name, bit in self._bits.items() if bits >> bit & 1)
        return self._named[bits]


def _parents(dotted: str) -> list[str]:
    parts = dotted.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]


def _add(
    thing: Thing, guards: Iterable[tuple[str, int]], *, fallback: bool = False, lazy: bool = False
) -> Thing:
    guards = tuple(guards)
    if not guards and not fallback and not lazy:
        return thing
    return Thing(
        kind=thing.kind,
        module=thing.module,
        name=thing.name,
        binding=thing.binding,
        guards=(*guards, *thing.guards),
        fallback=thing.fallback or fallback,
        lazy=thing.lazy or lazy,
    )
