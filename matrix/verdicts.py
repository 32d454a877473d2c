"""The answer of a check, and how severe it is."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any


class Stage(str, Enum):
    """How deep a check goes, cheapest first."""

    SURFACE = "surface"
    IMPORT = "import"
    BIND = "bind"
    REPLAY = "replay"
    SELECT = "select"
    KERNEL = "kernel"
    LAYOUT = "layout"
    NUMERICS = "numerics"
    SPEED = "speed"


class Verdict(str, Enum):
    """What a check found; `docs/verdicts.md` explains each to a user."""

    PASS = "PASS"  # noqa: S105 - a verdict, no password
    FALLBACK = "FALLBACK"
    UNSUPPORTED = "UNSUPPORTED"
    FAIL_NUMERIC = "FAIL_NUMERIC"
    FAIL_API = "FAIL_API"
    IMPORT_ERROR = "IMPORT_ERROR"
    INSTALL_ERROR = "INSTALL_ERROR"
    BUILD_ERROR = "BUILD_ERROR"
    CRASH = "CRASH"
    GPU_POISONED = "GPU_POISONED"
    TIMEOUT = "TIMEOUT"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    NOT_RUN = "NOT_RUN"
    XFAIL = "XFAIL"
    XPASS = "XPASS"
    FLAKY = "FLAKY"

    @property
    def good(self) -> bool:
        """Whether the verdict needs no expectation: the cell answered, rightly or by a clear refusal."""
        return self in {Verdict.PASS, Verdict.FALLBACK, Verdict.UNSUPPORTED}


@dataclass(frozen=True, kw_only=True)
class Result:
    """One verdict of one cell at one stage, as the journal keeps it."""

    cell: str
    stage: str
    verdict: Verdict
    reason: str
    remedy: str = ""
    seconds: float = 0.0
    evidence: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The journal's form of this result."""
        return asdict(self) | {"verdict": self.verdict.value}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Result:
        """Read back what `to_json` wrote; unknown keys are ignored, so that newer journals stay readable."""
        known = {name: data[name] for name in cls.__dataclass_fields__ if name in data}
        return cls(**known | {"verdict": Verdict(data["verdict"])})
