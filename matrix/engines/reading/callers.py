"""Which parts of an engine stand behind a question that it asks the release beforehand.

A part is a top-level function or class of a file, or a file's own top level. It stands behind a question where it
asks it itself, or where everything that names it does. Registries and files that were not read may name it too:
where nobody is seen to name a part, nothing is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Part = tuple[str, str]
"""A module and the top-level name in it; the name is empty for the module's own level."""
OPERATORS = "torch.ops"
"""Stands for the module of an operator that PyTorch calls by name; its part is the operator."""
ANYONE = "*"
"""Stands for callers that a registering decorator brings."""
_DEPTH = 6


class Callers:
    """Who names whom.

    Args:
        named: by module, what its parts name: the part's name and what it names, as `module:name`.
    """

    def __init__(self, named: Mapping[str, Iterable[tuple[str, str]]]) -> None:
        self.names: dict[Part, set[str]] = {}
        self.parts: dict[str, set[Part]] = {}
        self.by_end: dict[str, list[tuple[str, Part]]] = {}
        for module, pairs in named.items():
            for part, path in pairs:
                self.names.setdefault((module, part), set()).add(path)
                self.parts.setdefault(module, set()).add((module, part))
                target, _, end = path.partition(":")
                self.by_end.setdefault(end or target, []).append((target, (module, part)))

    def of(self, part: Part) -> set[Part]:
        """The other parts that name a part, where it is defined or through a package that passes it on."""
        module, name = part
        return {
            caller
            for target, caller in self.by_end.get(name or module, [])
            if caller != part and (target == module or module.startswith(f"{target}."))
        }

    def behind(self, part: Part, question: str, depth: int = _DEPTH) -> bool | None:
        """Whether a part is reached only where the question `module:function` was asked; None for not known."""
        if question in self.names.get(part, ()) or f"{part[0]}:{part[1]}" == question:
            return True
        callers = self.of(part)
        if not callers or not depth:
            return False if self._elsewhere(part[0], question) else None
        answers = {
            False if caller[1] == ANYONE else self.behind(caller, question, depth - 1) for caller in callers
        }
        return False if False in answers else None if None in answers else True

    def _elsewhere(self, module: str, question: str) -> bool:
        """Whether other parts of the same file ask it, for themselves."""
        return any(question in self.names[part] for part in self.parts.get(module, ()))
