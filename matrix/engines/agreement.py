"""Static verdicts and replay of an engine's own code side by side: where both speak of a call, they must agree."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

REFUSED = re.compile(r"(\w+)\(\) got an unexpected keyword argument '(\w+)'")
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
        replay: what came of calling it: `binds` or `refused`.
        name: the keyword that is refused; empty where none is.
        agrees: whether the two can both be true.
    """

    function: str
    static: tuple[str, ...]
    replay: str
    name: str = ""
    agrees: bool = True

    def to_json(self) -> dict[str, Any]:
        """For the report."""
        return asdict(self)


def sides(static: dict[str, Any], replay: dict[str, Any]) -> list[Side]:
    """Each function that both have a verdict on.

    Args:
        static: what `kernel-matrix check-consumer --json` prints.
        replay: one of the pairs that `kernel-matrix replay --json` prints, of the same two releases.
    """
    found: dict[tuple[str, str, str], Side] = {}
    for finding in replay["findings"]:
        refused = REFUSED.search(finding["reason"])
        if finding["verdict"] == "FAIL_API" and refused:
            function, name = refused[1], refused[2]
            verdicts = _verdicts(static, function)
            sites = [use for use in _sites(static, function) if name in use["reason"]]
            agrees = any(use["breaks"] or use["verdict"] in _EXCUSED for use in sites)
            found[function, "refused", name] = Side(
                function=function, static=verdicts, replay="refused", name=name, agrees=agrees
            )
        elif finding["verdict"] in _WENT_THROUGH:
            for function in {
                CALLED[backend] for cell in finding["cells"] if (backend := cell.split("/")[2]) in CALLED
            }:
                sites = _sites(static, function)
                agrees = not sites or any(not use["breaks"] for use in sites)
                found[function, "binds", ""] = Side(
                    function=function, static=_verdicts(static, function), replay="binds", agrees=agrees
                )
    return sorted(found.values(), key=lambda side: (side.agrees, side.function, side.replay))


def _sites(static: dict[str, Any], function: str) -> list[dict[str, Any]]:
    return [
        use
        for use in static["uses"]
        if use["kind"] == "call" and use["symbol"].rpartition(".")[2] == function
    ]


def _verdicts(static: dict[str, Any], function: str) -> tuple[str, ...]:
    return tuple(sorted({use["verdict"] for use in _sites(static, function)}))
