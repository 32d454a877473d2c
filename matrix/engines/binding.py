"""Does a call bind to a signature, and to the same parameters as before?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matrix.engines.found import Parameter

_BY_POSITION = {"POSITIONAL_ONLY", "POSITIONAL_OR_KEYWORD"}
_BY_NAME = {"POSITIONAL_OR_KEYWORD", "KEYWORD_ONLY"}


@dataclass(frozen=True, kw_only=True)
class Misfit:
    """Why a call does not bind.

    Attributes:
        problem: `unexpected`, `positions`, `twice` or `required`.
        name: the parameter; for `positions` the number of arguments.
    """

    problem: str
    name: str

    def describe(self, called: str) -> str:
        """As Python would say it."""
        return {
            "unexpected": f"{called}() got an unexpected keyword argument '{self.name}'",
            "positions": f"{called}() takes fewer positional arguments than the {self.name} that are given",
            "twice": f"{called}() got multiple values for argument '{self.name}'",
            "required": f"{called}() is missing the required argument '{self.name}'",
        }[self.problem]


def bind(
    parameters: Sequence[Parameter],
    positional: int,
    keywords: Iterable[str],
    *,
    maybe: Iterable[str],
    partly: bool,
) -> list[Misfit]:
    """The reasons why a call does not bind; empty where it does.

    Args:
        parameters: (name, kind, default) in order, without `self`.
        positional: how many arguments go by position.
        keywords: the names that are certainly passed.
        maybe: names passed on some branch.
        partly: whether further arguments are passed that cannot be seen.
    """
    slots = [name for name, kind, _ in parameters if kind in _BY_POSITION]
    any_position = any(kind == "VAR_POSITIONAL" for _, kind, _ in parameters)
    any_name = any(kind == "VAR_KEYWORD" for _, kind, _ in parameters)
    by_name = {name for name, kind, _ in parameters if kind in _BY_NAME}
    certain = set(keywords)
    misfits = []
    if positional > len(slots) and not any_position:
        misfits.append(Misfit(problem="positions", name=str(positional)))
    taken = set(slots[:positional])
    for name in dict.fromkeys((*keywords, *maybe)):
        if name in taken and name in by_name:
            misfits.append(Misfit(problem="twice", name=name))
        elif name not in by_name and not any_name:
            misfits.append(Misfit(problem="unexpected", name=name))
    if not partly:
        named = certain | set(maybe)
        misfits += [
            Misfit(problem="required", name=name)
            for name, kind, default in parameters
            if kind in _BY_POSITION | _BY_NAME
            and default is None
            and name not in taken
            and not (kind in _BY_NAME and name in named)
        ]
    return misfits


def slot(parameters: Sequence[Parameter], position: int) -> str | None:
    """The name of the parameter that takes a positional argument."""
    slots = [name for name, kind, _ in parameters if kind in _BY_POSITION]
    return slots[position] if position < len(slots) else None


def shifted(
    before: Sequence[Parameter], after: Sequence[Parameter], positional: int
) -> list[tuple[int, str, str]]:
    """Positions that now mean another parameter: (position, the name before, the name after).

    A parameter that was only renamed, in its old slot, is not one of them.
    """
    names_before = {name for name, _, _ in before}
    names_after = {name for name, _, _ in after}
    found = []
    for position in range(positional):
        old, new = slot(before, position), slot(after, position)
        if old and new and old != new and (old in names_after or new in names_before):
            found.append((position, old, new))
    return found
