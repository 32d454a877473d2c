"""FlashInfer at one release, asked by the paths that engines use."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from matrix.engines.classes import Classes
from matrix.engines.comparing import compare, compare_number
from matrix.engines.found import Found, Parameter
from matrix.engines.functions import Functions
from matrix.engines.source import Sources
from matrix.engines.upstream import version_of

if TYPE_CHECKING:
    from matrix.engines.conditions import Condition
    from matrix.engines.config import Decorator
    from matrix.surface.library import Library
    from matrix.surface.model import Surface

__all__ = ["Found", "Parameter", "Provider"]

_DUNDERS = {"__file__", "__version__", "__path__", "__name__", "__doc__", "__dict__", "__all__", "__spec__"}


class Provider:
    """Answers `find(path)`; None means that the release certainly lacks it.

    Args:
        release: a version, or the path of a wheel, sdist or folder.
        library: reads and keeps surfaces.
        decorators: what FlashInfer's decorators add to functions, by name.
    """

    def __init__(self, release: str, library: Library, decorators: dict[str, Decorator]) -> None:
        self.surface: Surface = library.get(release)
        self.release = self.surface.release
        self.sources = Sources(release, library)
        self.functions = Functions(self.surface, self.sources, decorators)
        self.classes = Classes(self.surface, self.sources, self.functions)
        self._known: dict[str, Found | None] = {}

    @cached_property
    def version(self) -> str:
        """Its version, which a wheel or checkout tells itself; empty where it does not."""
        return version_of(self.sources.release) if self.sources.is_path else self.release

    def find(self, path: str) -> Found | None:
        """What a dotted path, with `()` after what is called on the way, stands for."""
        if path not in self._known:
            self._known[path] = self._find(path)
        return self._known[path]

    def holds(self, atom: Condition) -> bool | None:
        """Whether a condition on the release holds there; None where that is not known."""
        word, *rest = atom
        if word == "version":
            return compare(self.version, *rest)
        if word == "number":
            return compare_number(self.version, *rest)
        if word not in {"has", "accepts"}:
            return None
        found = self.find(rest[0])
        if found is not None and (
            found.kind == "unknown" or (word == "accepts" and found.parameters is None)
        ):
            return None
        if word == "has" or found is None:
            return found is not None
        return any(name == rest[1] for name, _, _ in found.parameters or ())

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
                return self.classes.call_of_instance(found)
            tail = tail.removeprefix(".")
            step, called, tail = tail.partition("()")
            found = self.classes.of_instance(found, step)
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
            return self.classes.of_instance(made, rest)
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
        qualname = self.surface.qualname(f"{module}.{called[1]}") if called else None
        return self._defined(qualname) if qualname and self.surface.cls(qualname) else None

    def _defined(self, qualname: str, needs: tuple[str, ...] = ()) -> Found | None:
        found = self.classes.found(qualname, needs)
        function = self.surface.function(qualname) if found is None else None
        return found if function is None else self.functions.found(qualname, function, needs, bound=False)

    def _inside(self, qualname: str, rest: str) -> Found | None:
        """What a class, enum or function has."""
        if self.surface.cls(qualname) is None and self.surface.enum(qualname) is None:
            return self.functions.attribute(qualname, rest.partition(".")[0])
        return self.classes.inside(qualname, rest)
