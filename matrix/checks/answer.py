"""What a check says about a cell, before the worker adds the cell, the stage and the time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matrix.verdicts import Verdict


@dataclass(frozen=True)
class Answer:
    """A verdict with its reason, what to do about it, and the evidence."""

    verdict: Verdict
    reason: str
    remedy: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)
