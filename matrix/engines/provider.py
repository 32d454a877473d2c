"""FlashInfer at one release, asked by the paths that engines use."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from matrix.engines.source import Sources

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matrix.engines.config import Decorator
    from matrix.surface.library import Library
    from matrix.surface.model import Entry, Surface

Parameter = tuple[str, str, "str | None"]
_DUNDERS = {"__file__", "__version__", "__path__", "__name__", "__doc__", "__dict__", "__all__", "__spec__"}
_FORWARDS = 2


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a path stands for in a release.

    Attributes:
        kind: `module`, `function`, `class`, `enum`, `member`, `value` or `unknown`.
        qualname: `defining.module:qualname`, empty for modules and values.
        file: where it is defined, relative to the release.
        line: the line there, 0 where it is not known.
        parameters: what a call may pass, without `self`; None where nothing can be said.
        needs: packages without which the name does not exist.
        members: of an enum.
        value: of an enum's member.
        why: of an unknown, what keeps the source from telling.
    """

    kind: str
    qualname: str = ""
    file: str = ""
    line: int = 0
    parameters: tuple[Parameter, ...] | None = None
    needs: tuple[str, ...] = ()
    members: tuple[tuple[str, Any], ...] = ()
    value: Any = None
    why: str = ""

    @property
    def place(self) -> str:
        """File and line, for messages."""
        return f"{self.file}:{self.line}" if self.line else self.file


class Provider:
    """Answers `find(path)`; None means that the release certainly lacks it.

    Args:
        release: a version, or the path of a wheel, sdist or folder.
        library: reads and keeps surfaces.
        decorators: what FlashInfer's decorators add to functions, by name.
    """

    def __init__(self, release: str, library: Library, decorators: dict[str, Decorator]) -> None:
        self.decorators = decorators
        self.surface: Surface = library.get(release)
        self.release = self.surface.release
        self.sources = Sources(release, library)
        self._known: dict[str, Found | None] = {}

    def find(self, path: str) -> Found | None:
        """What a dotted path, with `()` after what is called on the way, stands for."""
        if path not in self._known:
            self._known[path] = self._find(path)
        return self._known[path]

    def missing(self, path: str) -> str:
        """In words, what the release lacks of a path."""
        module, name, rest = self.surface.locate(path.replace("()", ""))
        if not name:
            return f"there is no {path}"
        if rest and self._plain(f"{module}.{name}") is not None:
            return f"{module}.{name} has no `{rest}`"
        entry = self.surface.modules[module]
        is_package = str(entry.get("file", "")).endswith("__init__.py")
        return f"{module} has no {'module or name' if is_package else 'name'} `{name}`"

    def enums(self, name: str) -> Found | None:
        """The enum of that name, wherever it is defined."""
        for place in (
            "flashinfer.tllm_enums",
            "flashinfer.fused_moe.core",
            "flashinfer.fused_moe",
            "flashinfer.comm",
            "flashinfer.comm.trtllm_ar",
            "flashinfer.fp4_quantization",
            "flashinfer",
        ):
            found = self.find(f"{place}.{name}")
            if found is not None and found.kind == "enum":
                return found
        return None

    def _find(self, path: str) -> Found | None:
        head, called, tail = path.partition("()")
        found = self._plain(head)
        while called and found is not None:
            if found.kind in {"unknown", "value", "module", "member"}:
                return Found(
                    kind="unknown", why=found.why or f"what {head} is cannot be read from the source"
                )
            if not tail:
                return self._call_of_instance(found)
            tail = tail.removeprefix(".")
            step, called, tail = tail.partition("()")
            found = self._of_instance(found, step)
            head = f"{head}().{step}"
        return found

    def _plain(self, path: str) -> Found | None:
        surface = self.surface
        module, name, rest = surface.locate(path)
        if not module:
            return None
        if not name:
            qualname = surface.qualname(path)  # a function that its package binds over its own module
            if qualname is not None:
                return self._defined(qualname, self._needs(path))
            return Found(
                kind="module", file=str(surface.modules[module].get("file", "")), needs=self._needs(path)
            )
        if name in _DUNDERS:
            return Found(kind="value")
        qualname = surface.qualname(f"{module}.{name}")
        if qualname is None:
            return self._other(module, name, rest)
        needs = self._needs(f"{module}.{name}")
        if not rest:
            return self._defined(qualname, needs)
        return self._inside(qualname, rest)

    def _needs(self, path: str) -> tuple[str, ...]:
        conditional = self.surface.conditional(path)
        return tuple(conditional.get("needs", ())) if conditional else ()

    def _other(self, module: str, name: str, rest: str) -> Found | None:
        surface = self.surface
        entry = surface.modules[module]
        if "error" in entry:
            return Found(kind="unknown", why=f"{entry['file']} cannot be parsed: {entry['error']}")
        value = surface.value(f"{module}.{name}")
        text = str((value or {}).get("text", ""))
        if value is not None and rest and (made := self._made(module, text)):
            return self._of_instance(made, rest)
        if value is not None:
            needs = self._needs(f"{module}.{name}")
            why = f"`{name}` is a value, `{text}`"
            file = value.get("file") or str(entry.get("file", ""))
            line = value.get("line", 0)
            return Found(kind="unknown" if rest else "value", file=file, line=line, needs=needs, why=why)
        if name.startswith("_") or rest:
            file = str(entry.get("file", ""))
            if self.sources.binds(file, name):
                return Found(
                    kind="unknown" if rest else "value", file=file, why=f"`{name}` is not a function or class"
                )
        return None

    def _made(self, module: str, text: str) -> Found | None:
        """The class of a module-level instance, as in `context = CompilationContext()`."""
        called = re.fullmatch(r"([\w.]+)\(.*\)", text, re.DOTALL)
        qualname = self._resolve_in(module, called[1]) if called else None
        return self._defined(qualname) if qualname and self.surface.cls(qualname) else None

    def _defined(self, qualname: str, needs: tuple[str, ...] = ()) -> Found | None:
        surface = self.surface
        file = surface.file(qualname)
        enum, cls, function = surface.enum(qualname), surface.cls(qualname), surface.function(qualname)
        if enum is not None:
            line = (cls or {}).get("line", 0)
            parameters: tuple[Parameter, ...] = (("value", "POSITIONAL_ONLY", None),)
            return Found(
                kind="enum",
                qualname=qualname,
                file=file,
                line=line,
                needs=needs,
                parameters=parameters,
                members=tuple(enum.items()),
            )
        if cls is not None:
            return self._class(qualname, cls, file, needs)
        if function is not None:
            return self._function(qualname, function, file, needs, bound=False)
        return None

    def _class(self, qualname: str, cls: Entry, file: str, needs: tuple[str, ...]) -> Found:
        line = cls.get("line", 0)
        methods = cls.get("methods", {})
        maker = methods.get("__new__") or methods.get("__init__")
        outside = self._outside(qualname)
        parameters: tuple[Parameter, ...] | None = None
        why = ""
        if maker:
            function = self.surface.function(maker)
            if function is not None:
                parameters = self._parameters(maker, function, bound=True)
        elif not outside:
            parameters = ()
        if parameters is None:
            why = f"its constructor is not in the source ({', '.join(outside) or 'built at run time'})"
        return Found(
            kind="class", qualname=qualname, file=file, line=line, needs=needs, parameters=parameters, why=why
        )

    def _outside(self, qualname: str, depth: int = 0) -> list[str]:
        """Bases of a class that FlashInfer does not define."""
        cls = self.surface.cls(qualname) or {}
        module = qualname.partition(":")[0]
        found: list[str] = []
        for base in cls.get("bases", ()):
            name = re.split(r"[\[(]", base)[0]
            if name in {
                "object",
                "ABC",
                "abc.ABC",
                "Protocol",
                "Generic",
                "typing.Protocol",
                "typing.Generic",
            }:
                continue
            inner = self._resolve_in(module, name)
            if inner is None or depth > 6:
                found.append(name)
            else:
                found += self._outside(inner, depth + 1)
        return found

    def _resolve_in(self, module: str, name: str) -> str | None:
        """The QUALNAME of a class named in a module's text."""
        return self.surface.qualname(f"{module}.{name}")

    def _function(
        self, qualname: str, function: Entry, file: str, needs: tuple[str, ...], *, bound: bool
    ) -> Found:
        return Found(
            kind="function",
            qualname=qualname,
            file=file,
            line=function.get("line", 0),
            needs=needs,
            parameters=self._parameters(qualname, function, bound=bound),
        )

    def _parameters(
        self, qualname: str, function: Entry, *, bound: bool, depth: int = 0
    ) -> tuple[Parameter, ...]:
        decorators = _names(function.get("decorators", ()))
        parameters = [(name, kind, default) for name, kind, default in function["parameters"]]
        method = "." in qualname.partition(":")[2]
        if (
            method
            and parameters
            and "staticmethod" not in decorators
            and (bound or "classmethod" in decorators)
        ):
            parameters = parameters[1:]
        if parameters and parameters[-1][1] == "VAR_KEYWORD" and depth < _FORWARDS:
            parameters = self._forwarded(qualname, parameters, depth)
        extra: list[Parameter] = [
            (name, "KEYWORD_ONLY", "None")
            for word in decorators
            if word in self.decorators
            for name in self.decorators[word].keywords
        ]
        known = {name for name, _, _ in parameters}
        return (*parameters, *(item for item in extra if item[0] not in known))

    def _forwarded(self, qualname: str, parameters: list[Parameter], depth: int) -> list[Parameter]:
        """What `**kwargs` may hold, where it all goes to one other function of the same module."""
        module, _, name = qualname.partition(":")
        target = self.sources.forwards(self.surface.file(qualname), name)
        function = self.surface.function(f"{module}:{target}") if target else None
        if function is None:
            return parameters
        inner = self._parameters(f"{module}:{target}", function, bound=True, depth=depth + 1)
        own = {item[0] for item in parameters}
        return parameters[:-1] + [
            (item[0], "KEYWORD_ONLY" if item[1] == "POSITIONAL_OR_KEYWORD" else item[1], item[2])
            for item in inner
            if item[0] not in own and item[1] not in {"VAR_POSITIONAL", "POSITIONAL_ONLY"}
        ]

    def _inside(self, qualname: str, rest: str) -> Found | None:
        """`Class.name`, also `Enum.Member` and `Enum.Member.value`."""
        name, _, further = rest.partition(".")
        enum = self.surface.enum(qualname)
        cls = self.surface.cls(qualname)
        if enum is not None and name in enum:
            line = (cls or {}).get("lines", {}).get(name, 0)
            return Found(
                kind="member",
                qualname=qualname,
                file=self.surface.file(qualname),
                line=line,
                value=enum[name],
            )
        if cls is None:
            return self._on_function(qualname, name)
        if enum is not None and not name.startswith("_"):
            inherited = name in cls.get("methods", {}) or hasattr(IntEnum, name)
            return Found(kind="unknown", why="an attribute of an enum class") if inherited else None
        found = self._attribute(qualname, cls, name, bound=False)
        if found is None and name.startswith("__"):
            return Found(kind="value")
        return Found(kind="unknown", why=f"an attribute of {rest}") if found and further else found

    def _on_function(self, qualname: str, name: str) -> Found | None:
        """What a decorator sets on a function."""
        function = self.surface.function(qualname) or {}
        for word in _names(function.get("decorators", ())):
            added = self.decorators[word].attributes.get(name) if word in self.decorators else None
            if added is not None:
                parameters = tuple(
                    (item.rstrip("="), "POSITIONAL_OR_KEYWORD", "None" if item.endswith("=") else None)
                    for item in added
                )
                return Found(
                    kind="function",
                    qualname=f"{qualname}.{name}",
                    file=self.surface.file(qualname),
                    line=function.get("line", 0),
                    parameters=parameters,
                )
        names = _names(function.get("decorators", ()))
        if name.startswith("__") or not all(word in self.decorators for word in names):
            return Found(kind="unknown", why=f"an attribute of the function {qualname}")
        if self.sources.attaches(self.surface.file(qualname), qualname.partition(":")[2], name):
            return Found(kind="unknown", why=f"an attribute set on the function {qualname}")
        return None

    def _attribute(self, qualname: str, cls: Entry, name: str, *, bound: bool) -> Found | None:
        methods = cls.get("methods", {})
        file = self.surface.file(qualname)
        short = qualname.partition(":")[2]
        if name in methods:
            target = methods[name]
            function = self.surface.function(target) if target else None
            if target is None or function is None:
                return Found(kind="unknown", why=f"`{name}` is a property")
            return self._function(target, function, self.surface.file(target), (), bound=bound)
        hidden = self.surface.function(f"{qualname}.{name}")
        if hidden is not None:
            return self._function(f"{qualname}.{name}", hidden, file, (), bound=bound)
        if name in cls.get("attributes", ()):
            alias = self.sources.alias(file, short.rpartition(".")[2], name)
            if alias and alias in methods:
                return self._attribute(qualname, cls, alias, bound=bound)
            return Found(kind="unknown", file=file, why=f"`{name}` is a class attribute")
        for base in cls.get("bases", ()):
            inner = self._resolve_in(qualname.partition(":")[0], re.split(r"[\[(]", base)[0])
            found = (
                self._attribute(inner, self.surface.cls(inner) or {}, name, bound=bound)
                if inner and inner != qualname
                else None
            )
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

    def _of_instance(self, found: Found, step: str) -> Found | None:
        """`x.step`, where x is an instance of a class or what a function returns."""
        name, _, further = step.partition(".")
        qualname = self._class_of(found)
        if qualname is None:
            return Found(kind="unknown", why="result")
        cls = self.surface.cls(qualname)
        result = self._attribute(qualname, cls or {}, name, bound=True)
        return Found(kind="unknown", why="result") if result is not None and further else result

    def _class_of(self, found: Found) -> str | None:
        if found.kind in {"class", "enum"}:
            return found.qualname
        function = self.surface.function(found.qualname) or {}
        module = found.qualname.partition(":")[0]
        text = str(function.get("returns", "")).strip("'\"")
        if text in {"Self", "typing.Self"} or not text:
            owner = found.qualname.rpartition(".")[0]
            return owner if text and self.surface.cls(owner) else None
        optional = re.fullmatch(r"(?:typing\.)?Optional\[(.*)\]", text)
        name = (optional[1] if optional else text).strip("'\"").removesuffix(" | None")
        if not re.fullmatch(r"[\w.]+", name):
            return None
        inner = self._resolve_in(module, name)
        return inner if inner and self.surface.cls(inner) else None

    def _call_of_instance(self, found: Found) -> Found | None:
        """`x()` where x is an instance: its `__call__`."""
        qualname = self._class_of(found)
        if qualname is None or found.kind != "class":
            return Found(kind="unknown", why="result")
        return self._attribute(qualname, self.surface.cls(qualname) or {}, "__call__", bound=True)


def _names(decorators: Iterable[str]) -> list[str]:
    """`functools.lru_cache(maxsize=1)` is `lru_cache`."""
    return [re.split(r"[(\[]", text)[0].rpartition(".")[2] for text in decorators]
