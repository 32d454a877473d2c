"""What a path into FlashInfer stands for in one release."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Found", "Parameter"]

Parameter = tuple[str, str, "str | None"]
"""A name, its kind as `inspect` calls it, and the text of its default; None where it has none."""


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
