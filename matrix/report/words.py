"""What every renderer says in the same words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matrix.report.model import Standing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matrix.report.model import Environment, Finding, Report, Span

SIGNS = {
    Standing.SAFE: "✔",
    Standing.BINDS: "◐",
    Standing.FALLS_BACK: "↩",
    Standing.UNSAFE: "✘",
    Standing.UNKNOWN: "?",
}
MEANINGS = {
    Standing.SAFE: "every cell answered rightly, kernels measured against the oracle",
    Standing.BINDS: "nothing failed, but the kernels' numerics were not run here",
    Standing.FALLS_BACK: "nothing failed; the fallback answered instead of a kernel",
    Standing.UNSAFE: "something failed",
    Standing.UNKNOWN: "too little ran to say",
}


def title(report: Report) -> str:
    """Which releases were asked."""
    if not report.tested:
        return "FlashInfer"
    first, last = report.tested[0], report.tested[-1]
    return f"FlashInfer {first}" + f" … {last} ({len(report.tested)} releases)" * (first != last)


def result(report: Report) -> str:
    """The run's own outcome in one sentence."""
    outcomes = report.outcomes
    failing = outcomes.get("UNEXPECTED", 0), outcomes.get("XPASS", 0), outcomes.get("MISSING", 0)
    words = [
        f"{number} {what}"
        for number, what in zip(
            failing,
            (
                "unexpected verdicts",
                "cells that pass against their expectation",
                "planned cells without a result",
            ),
            strict=True,
        )
        if number
    ]
    return ", ".join(words) or "All verdicts as expected"


def since(span: Span) -> str:
    """The span's releases: one, or first and last."""
    first, last = span.releases[0], span.releases[-1]
    if first == "none":
        return "without FlashInfer"
    return first if first == last else f"{first} … {last}"


def sentence(spans: list[Span]) -> str:
    """One environment in one sentence: `unsafe 0.5.3 … 0.6.7.post3; binds from 0.6.8.post1 on`."""
    parts = []
    for number, span in enumerate(spans):
        newest = number == len(spans) - 1 and number > 0
        place = f"from {span.releases[0]} on" if newest else since(span)
        parts.append(f"{span.standing.value} {place}")
    return "; ".join(parts)


def by_environment(report: Report) -> dict[str, list[Span]]:
    """Spans of each environment, oldest releases first; those meant to fail last."""
    found: dict[str, list[Span]] = {}
    for span in report.spans:
        found.setdefault(span.environment, []).append(span)
    return found


def machine(report: Report) -> str:
    """Where it ran: GPU, Python and torch, each named once."""
    prints = [each.fingerprint for each in report.environments if each.fingerprint]
    gpus = {_gpu(each) for each in report.environments if each.fingerprint}
    pythons = {str(each.get("python", "")) for each in prints} - {""}
    torches = {str(each.get("torch", "")) for each in prints} - {"", "None"}
    return ", ".join(
        [
            " and ".join(sorted(gpus)) or "machine not recorded",
            *(f"Python {python}" for python in sorted(pythons)),
            *(f"torch {torch}" for torch in sorted(torches)),
        ]
    )


def _gpu(environment: Environment) -> str:
    name = environment.fingerprint.get("gpu")
    return f"{name} (compute capability {environment.capability})" if environment.capability else "no GPU"


def counted(counts: Mapping[str, int]) -> str:
    """`12 PASS, 3 FALLBACK`."""
    return ", ".join(f"{number} {name}" for name, number in counts.items())


def where(finding: Finding) -> str:
    """The axis values on which a finding's cells are fewer than those planned beside them."""
    return "; ".join(
        f"{axis} {', '.join(values)}" for axis, values in finding.axes.items() if len(values) <= 4
    )


def seconds(value: float) -> str:
    """A duration to read: `0.12 s`, `3.4 s`, `2 min 5 s`."""
    if value >= 60:
        return f"{value // 60:.0f} min {value % 60:.0f} s"
    return f"{value:.2f} s" if value < 1 else f"{value:.1f} s"
