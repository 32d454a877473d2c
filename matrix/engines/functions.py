"""FlashInfer's functions at one release: what a call may pass, and what decorators add."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from matrix.engines.found import Found, Parameter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matrix.engines.config import Decorator
    from matrix.engines.source import Sources
    from matrix.surface.model import Entry, Surface

__all__ = ["Functions"]

_FORWARDS = 2


class Functions:
    """Finds functions and methods.

    Args:
        surface: of the release.
        sources: its files.
        decorators: what FlashInfer's decorators add to functions, by name.
    """

    def __init__(self, surface: Surface, sources: Sources, decorators: dict[str, Decorator]) -> None:
        self.surface, self.sources, self.decorators = surface, sources, decorators

    def found(self, qualname: str, function: Entry, needs: tuple[str, ...] = (), *, bound: bool) -> Found:
        """A function or method; `bound` for one that gets `self` from elsewhere."""
        return Found(
            kind="function",
            qualname=qualname,
            file=self.surface.file(qualname),
            line=function.get("line", 0),
            needs=needs,
            parameters=self.parameters(qualname, function, bound=bound),
        )

    def parameters(
        self, qualname: str, function: Entry, *, bound: bool, depth: int = 0
    ) -> tuple[Parameter, ...]:
        """What a call may pass, with what decorators take and, where that is known, with what `**kwargs` holds."""
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

    def attribute(self, qualname: str, name: str) -> Found | None:
        """What a decorator sets on a function."""
        function = self.surface.function(qualname) or {}
        names = _names(function.get("decorators", ()))
        for word in names:
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
        if name.startswith("__") or not all(word in self.decorators for word in names):
            return Found(kind="unknown", why=f"an attribute of the function {qualname}")
        if self.sources.attaches(self.surface.file(qualname), qualname.partition(":")[2], name):
            return Found(kind="unknown", why=f"an attribute set on the function {qualname}")
        return None

    def _forwarded(self, qualname: str, parameters: list[Parameter], depth: int) -> list[Parameter]:
        """What `**kwargs` may hold, where it all goes to one other function of the same module."""
        module, _, name = qualname.partition(":")
        target = self.sources.forwards(self.surface.file(qualname), name) or ""
        positional, target = target.startswith("*"), target.removeprefix("*")
        function = self.surface.function(f"{module}:{target}") if target else None
        if function is None:
            return parameters
        inner = self.parameters(f"{module}:{target}", function, bound=True, depth=depth + 1)
        own = {item[0] for item in parameters}
        rest = [
            item if positional or item[1] != "POSITIONAL_OR_KEYWORD" else (item[0], "KEYWORD_ONLY", item[2])
            for item in inner
            if item[0] not in own and (positional or item[1] not in {"VAR_POSITIONAL", "POSITIONAL_ONLY"})
        ]
        return parameters[: -2 if positional else -1] + rest


def _names(decorators: Iterable[str]) -> list[str]:
    """`functools.lru_cache(maxsize=1)` is `lru_cache`."""
    return [re.split(r"[(\[]", text)[0].rpartition(".")[2] for text in decorators]
