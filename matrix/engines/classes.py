"""FlashInfer's classes at one release: how they are made, and what they and their instances have."""

from __future__ import annotations

import re
from enum import IntEnum
from typing import TYPE_CHECKING

from matrix.engines.found import Found, Parameter

if TYPE_CHECKING:
    from matrix.engines.functions import Functions
    from matrix.engines.source import Sources
    from matrix.surface.model import Entry, Surface

__all__ = ["Classes"]

_NO_CODE = {"object", "ABC", "abc.ABC", "Protocol", "Generic", "typing.Protocol", "typing.Generic"}
_DEPTH = 6


class Classes:
    """Finds classes, enums, and their attributes.

    Args:
        surface: of the release.
        sources: its files.
        functions: finds their methods.
    """

    def __init__(self, surface: Surface, sources: Sources, functions: Functions) -> None:
        self.surface, self.sources, self.functions = surface, sources, functions

    def found(self, qualname: str, needs: tuple[str, ...] = ()) -> Found | None:
        """A class or enum; None where the name is neither."""
        enum, cls = self.surface.enum(qualname), self.surface.cls(qualname)
        if enum is None and cls is None:
            return None
        parameters: tuple[Parameter, ...] | None = (("value", "POSITIONAL_ONLY", None),)
        why = ""
        if enum is None and cls is not None:
            parameters, why = self._constructor(qualname, cls)
        return Found(
            kind="class" if enum is None else "enum",
            qualname=qualname,
            file=self.surface.file(qualname),
            line=(cls or {}).get("line", 0),
            needs=needs,
            parameters=parameters,
            members=tuple((enum or {}).items()),
            why=why,
        )

    def inside(self, qualname: str, rest: str) -> Found | None:
        """`Class.name`, also `Enum.Member` and `Enum.Member.value`; None where it certainly has no such thing."""
        name, _, further = rest.partition(".")
        enum = self.surface.enum(qualname)
        cls = self.surface.cls(qualname) or {}
        if enum is not None and name in enum:
            return Found(
                kind="member",
                qualname=qualname,
                file=self.surface.file(qualname),
                line=cls.get("lines", {}).get(name, 0),
                value=enum[name],
            )
        if enum is not None and not name.startswith("_"):
            inherited = name in cls.get("methods", {}) or hasattr(IntEnum, name)
            return Found(kind="unknown", why="an attribute of an enum class") if inherited else None
        found = self._attribute(qualname, cls, name, bound=False)
        if found is None and name.startswith("__"):
            return Found(kind="value")
        return Found(kind="unknown", why=f"an attribute of {rest}") if found and further else found

    def of_instance(self, found: Found, step: str) -> Found | None:
        """`x.step`, where x is an instance of a class or what a function returns."""
        name, _, further = step.partition(".")
        qualname = self._class_of(found)
        if qualname is None:
            return Found(kind="unknown", why="result")
        result = self._attribute(qualname, self.surface.cls(qualname) or {}, name, bound=True)
        if found.kind == "function" and (other := self._overridden(qualname, name, result)):
            return Found(kind="unknown", why=f"it may be {other}'s `{name}`")
        return Found(kind="unknown", why="result") if result is not None and further else result

    def call_of_instance(self, found: Found) -> Found | None:
        """`x()` where x is an instance: its `__call__`."""
        qualname = self._class_of(found)
        if qualname is None or found.kind != "class":
            return Found(kind="unknown", why="result")
        return self._attribute(qualname, self.surface.cls(qualname) or {}, "__call__", bound=True)

    def _constructor(self, qualname: str, cls: Entry) -> tuple[tuple[Parameter, ...] | None, str]:
        """What a call of a class may pass, or why that cannot be said."""
        methods = cls.get("methods", {})
        maker = methods.get("__new__") or methods.get("__init__")
        outside = self._outside(qualname)
        function = self.surface.function(maker) if maker else None
        if maker and function is not None:
            return self.functions.parameters(maker, function, bound=True), ""
        if not maker and not outside:
            return (), ""
        return None, f"its constructor is not in the source ({', '.join(outside) or 'built at run time'})"

    def _outside(self, qualname: str, depth: int = 0) -> list[str]:
        """Bases of a class that FlashInfer does not define."""
        found: list[str] = []
        for base in (self.surface.cls(qualname) or {}).get("bases", ()):
            name = _plain(base)
            if name in _NO_CODE:
                continue
            inner = self._named(qualname, name)
            if inner is None or depth > _DEPTH:
                found.append(name)
            else:
                found += self._outside(inner, depth + 1)
        return found

    def _named(self, qualname: str, name: str) -> str | None:
        """The QUALNAME of what a text in the module of another names."""
        return self.surface.qualname(f"{qualname.partition(':')[0]}.{name}")

    def _heirs(self, qualname: str) -> list[str]:
        """The classes that inherit from one, directly."""
        found = []
        for module in self.surface.naming(qualname.rpartition(":")[2]):
            for part in (self.surface.modules[module], self.surface.private(module)):
                for name, cls in part.get("classes", {}).items():
                    bases = [self._named(f"{module}:", _plain(base)) for base in cls.get("bases", ())]
                    if qualname in bases:
                        found.append(f"{module}:{name}")
        return found

    def _overridden(self, qualname: str, name: str, result: Found | None, depth: int = 0) -> str:
        """A class under one whose instances take something else by a name; empty where there is none."""
        for heir in self._heirs(qualname) if depth < _DEPTH else ():
            own = self._attribute(heir, self.surface.cls(heir) or {}, name, bound=True)
            if own is not None and (result is None or own.parameters != result.parameters):
                return heir.partition(":")[2]
            if further := self._overridden(heir, name, result, depth + 1):
                return further
        return ""

    def _attribute(self, qualname: str, cls: Entry, name: str, *, bound: bool) -> Found | None:
        methods = cls.get("methods", {})
        file = self.surface.file(qualname)
        short = qualname.partition(":")[2]
        if name in methods:
            target = methods[name]
            function = self.surface.function(target) if target else None
            if target is None or function is None:
                return Found(kind="unknown", why=f"`{name}` is a property")
            return self.functions.found(target, function, bound=bound)
        hidden = self.surface.function(f"{qualname}.{name}")
        if hidden is not None:
            return self.functions.found(f"{qualname}.{name}", hidden, bound=bound)
        if name in cls.get("attributes", ()):
            alias = self.sources.alias(file, short.rpartition(".")[2], name)
            if alias and alias in methods:
                return self._attribute(qualname, cls, alias, bound=bound)
            return Found(kind="unknown", file=file, why=f"`{name}` is a class attribute")
        for base in cls.get("bases", ()):
            inner = self._named(qualname, _plain(base))
            if inner and inner != qualname:
                found = self._attribute(inner, self.surface.cls(inner) or {}, name, bound=bound)
                if found is not None:
                    return found
        if self.sources.sets(file, short.rpartition(".")[2], name):
            return Found(kind="unknown", file=file, why=f"`{name}` is set on the instance")
        outside = self._outside(qualname)
        if name == "__call__" and "forward" in methods and any(base.endswith("Module") for base in outside):
            return self._attribute(qualname, cls, "forward", bound=bound)
        if outside or "__getattr__" in methods:
            return Found(kind="unknown", why=f"{short} inherits from outside of FlashInfer")
        return None

    def _class_of(self, found: Found) -> str | None:
        """The class of what a call of something gives."""
        if found.kind in {"class", "enum"}:
            return found.qualname
        function = self.surface.function(found.qualname) or {}
        text = str(function.get("returns", "")).strip("'\"")
        if text in {"Self", "typing.Self"} or not text:
            owner = found.qualname.rpartition(".")[0]
            return owner if text and self.surface.cls(owner) else None
        optional = re.fullmatch(r"(?:typing\.)?Optional\[(.*)\]", text)
        name = (optional[1] if optional else text).strip("'\"").removesuffix(" | None")
        if not re.fullmatch(r"[\w.]+", name):
            return None
        inner = self._named(found.qualname, name)
        return inner if inner and self.surface.cls(inner) else None


def _plain(base: str) -> str:
    """A base without what it is subscripted or called with."""
    return re.split(r"[\[(]", base)[0]
