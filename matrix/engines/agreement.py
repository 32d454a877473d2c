"""Static verdicts and replay of an engine's own code side by side: where both speak of a call, they must agree."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matrix.engines.config import Engine
    from matrix.engines.release import EngineRelease
    from matrix.surface.library import Library

REFUSED = re.compile(
    r"(\w+)\(\) (?:got an unexpected keyword argument|got multiple values for argument"
    r"|missing \d+ required (?:positional|keyword-only) arguments?:) '(\w+)'"
)
MISSING = re.compile(r"(?:cannot import name|Can't import) '?(\w+)'?")
BINDS = re.compile(r" binds(?:,| and)")
"""What replay says of a call that binds and fails for its values."""
CALLED = {"trtllm_bf16": "trtllm_bf16_moe", "trtllm_bf16_routed": "trtllm_bf16_routed_moe"}
"""The function that a backend's cells call."""
_WENT_THROUGH = {"PASS", "FAIL_NUMERIC"}
_EXCUSED = {"guarded", "not checkable"}


@dataclass(frozen=True, kw_only=True)
class Side:
    """One function of FlashInfer as both see it.

    Attributes:
        function: its name.
        static: the verdicts of its call sites.
        replay: what came of calling it: `binds`, `refused` or `missing`.
        name: the argument that is refused; empty where none is.
        agrees: whether the two can both be true.
    """

    function: str
    static: tuple[str, ...]
    replay: str
    name: str = ""
    agrees: bool = True

    def to_json(self) -> dict[str, Any]:
        """For the report."""
        return asdict(self) | {"static": list(self.static)}

    def __str__(self) -> str:
        """Both answers in words."""
        read = ", ".join(self.static) or "no use is read"
        came = f"{self.replay} for {self.name}" if self.name else self.replay
        verb = "agree" if self.agrees else "disagree"
        return f"{self.function}: its sources say {read}; its own code, called here: {came}: they {verb}"


def sides(static: dict[str, Any], replay: dict[str, Any]) -> list[Side]:
    """Each function that both have a verdict on.

    Args:
        static: what `kernel-matrix check-consumer --json` prints, or `read` gives.
        replay: one of the pairs that `kernel-matrix replay --json` prints, of the same two releases.
    """
    found: dict[tuple[str, str, str], Side] = {}
    for finding in replay["findings"]:
        refused, missing = REFUSED.search(finding["reason"]), MISSING.search(finding["reason"])
        if finding["verdict"] == "IMPORT_ERROR" and missing and missing[1] in CALLED.values():
            uses = [use for use in static["uses"] if use["symbol"].rpartition(".")[2] == missing[1]]
            found[missing[1], "missing", ""] = Side(
                function=missing[1],
                static=tuple(sorted({use["verdict"] for use in uses})),
                replay="missing",
                agrees=any(use["breaks"] or use["verdict"] in _EXCUSED for use in uses),
            )
        elif finding["verdict"] == "FAIL_API" and refused and refused[1] in CALLED.values():
            function, name = refused[1], refused[2]
            verdicts = _verdicts(static, function)
            sites = [use for use in _sites(static, function) if name in use["reason"]]
            agrees = any(use["breaks"] or use["verdict"] in _EXCUSED for use in sites)
            found[function, "refused", name] = Side(
                function=function, static=verdicts, replay="refused", name=name, agrees=agrees
            )
        elif finding["verdict"] in _WENT_THROUGH or BINDS.search(finding["reason"]):
            for function in {
                CALLED[part] for cell in finding["cells"] for part in cell.split("/") if part in CALLED
            }:
                sites = _sites(static, function)
                agrees = not sites or any(not use["breaks"] for use in sites)
                found[function, "binds", ""] = Side(
                    function=function, static=_verdicts(static, function), replay="binds", agrees=agrees
                )
    return sorted(found.values(), key=lambda side: (side.agrees, side.function, side.replay))


def read(engine: Engine, release: EngineRelease, flashinfer: str, library: Library) -> dict[str, Any]:
    """Static verdicts of an engine release's uses of the functions that replay reaches, on one FlashInfer release.

    Raises:
        KernelMatrixError: a release of FlashInfer could not be read.
    """
    from matrix.engines.judge import Judge
    from matrix.engines.provider import Provider

    pin = release.pins.exact
    reference = Provider(pin, library, engine.decorators) if pin in library.published() else None
    judge = Judge(Provider(flashinfer, library, engine.decorators), engine, reference, release.probes)
    uses = []
    for use in release.uses:
        if use.symbol.rpartition(".")[2] not in CALLED.values():
            continue
        judgement = judge.judge(use)
        if judgement is not None:
            one = {
                "verdict": judgement.verdict.value,
                "reason": judgement.reason,
                "breaks": judgement.alarming,
            }
            place = {"file": use.file, "line": use.line, "symbol": use.symbol, "kind": use.kind}
            uses.append(place | one)
    return {"uses": uses}


def _sites(static: dict[str, Any], function: str) -> list[dict[str, Any]]:
    return [
        use
        for use in static["uses"]
        if use["kind"] == "call" and use["symbol"].rpartition(".")[2] == function
    ]


def _verdicts(static: dict[str, Any], function: str) -> tuple[str, ...]:
    return tuple(sorted({use["verdict"] for use in _sites(static, function)}))
