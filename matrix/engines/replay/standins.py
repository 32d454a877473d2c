"""What is put in the place of an engine's own functions, for want of a GPU and of other processes; reported."""

from __future__ import annotations

import importlib
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


@dataclass(frozen=True, kw_only=True)
class StandIn:
    """One name that is replaced while the engine is called.

    Attributes:
        module: where it stands.
        name: a function, or an attribute with dots.
        value: what stands there instead.
        why: one line for the report.
    """

    module: str
    name: str
    value: Any
    why: str

    def to_json(self) -> dict[str, str]:
        """As the report lists it."""
        return {"name": f"{self.module}:{self.name}", "why": self.why}


@contextmanager
def standing(standins: Iterable[StandIn]) -> Iterator[list[StandIn]]:
    """Put each in place where its module has the name; gives those that were, and takes them back after."""
    with ExitStack() as undo:
        placed = []
        for standin in standins:
            owner: Any = importlib.import_module(standin.module)
            *path, name = standin.name.split(".")
            for part in path:
                owner = getattr(owner, part, None)
            if hasattr(owner, name):
                undo.callback(setattr, owner, name, getattr(owner, name))
                setattr(owner, name, standin.value)
                placed.append(standin)
        yield placed


def clear_caches(modules: Iterable[str], names: Callable[[str], bool]) -> None:
    """Forget what cached functions of these modules answered before something under them was replaced."""
    for module in modules:
        for name, value in vars(importlib.import_module(module)).items():
            if names(name) and hasattr(value, "cache_clear"):
                value.cache_clear()
