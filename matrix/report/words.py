"""What every renderer says in the same words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matrix.report.model import Standing
from matrix.verdicts import Stage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matrix.report.model import Environment, Finding, Report, Span

MOST_VALUES = 4
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


SEVERITIES = {
    "breaking": ("✘", "bad"),
    "silent": ("≠", "bad"),
    "warning": ("!", "back"),
    "note": ("+", "none"),
}
"""Sign and colour of a change's severity."""
STATES = {
    "safe": ("✔", "good", "safe"),
    "guarded": ("↩", "back", "safe, what is missing is caught"),
    "call": ("✘", "bad", "a call breaks"),
    "import": ("✘", "bad", "breaks at import"),
}
"""Sign, colour and words of how an engine release stands on a release of FlashInfer, as read from its sources."""


def changed(change: Mapping[str, Any]) -> str:
    """How many changes of which severity lie between two releases, and how many of them are shown."""
    shown, counts = change["shown"], change["counts"]
    told = (
        f"{counts[name]} {name}"
        if shown.get(name, 0) == counts[name]
        else f"{shown.get(name, 0)} of {counts[name]} {name}"
        for name in SEVERITIES
        if counts.get(name)
    )
    return ", ".join(told) or "nothing"


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
    unsound = sum(not replay["sound"] for replay in report.replays)
    if unsound:
        words.append(f"{unsound} replayed pair{'s' * (unsound != 1)} not as recorded, ruled or read")
    return ", ".join(words) or "All verdicts as expected"


def wrong(row: Mapping[str, Any]) -> list[str]:
    """Releases of FlashInfer on which an engine release, called here, gave wrong results though its calls bind."""
    return [release for release, counts in row["replayed"].items() if counts.get("FAIL_NUMERIC")]


def agreed(sides: Sequence[Mapping[str, Any]]) -> tuple[str, str, str]:
    """Sign, colour and words of whether sources that were read and code that was called agree."""
    if all(side["agrees"] for side in sides):
        return "✔", "good", "as read"
    return "✘", "bad", "not as read: " + "; ".join(side["text"] for side in sides if not side["agrees"])


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


def by_environment(report: Report, *, faulty: bool) -> dict[str, list[Span]]:
    """Spans of the environments that are meant to fail, or of the others; oldest releases first."""
    found: dict[str, list[Span]] = {}
    for span in report.spans:
        if span.faulty is faulty:
            found.setdefault(span.environment, []).append(span)
    return found


def about(report: Report, environment: str) -> str:
    """What an environment is, as its recipe says."""
    return next((each.why for each in report.environments if each.name == environment), "")


@dataclass(frozen=True, kw_only=True)
class Time:
    """One row of where the time went; seconds."""

    name: str
    number: int
    total: float
    slowest: float


def times(report: Report) -> list[Time]:
    """Building, importing, then stage by stage; what took no time is left out."""
    rows = [
        Time(name=name, number=len(values), total=sum(values), slowest=max(values))
        for name, values in (
            ("building environments", [each.build_seconds for each in report.environments]),
            ("starting workers, importing", [each.import_seconds for each in report.environments]),
        )
        if any(values)
    ]
    return rows + [
        Time(name=stage, number=number, total=total, slowest=slowest)
        for stage, (number, total, slowest) in report.stage_seconds.items()
    ]


def most_seconds(report: Report) -> float:
    """The longest row of `times`."""
    return max((row.total for row in times(report)), default=0.0) or 1.0


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
        f"{axis} {', '.join(values)}" for axis, values in finding.axes.items() if len(values) <= MOST_VALUES
    )


def command(finding: Finding) -> str:
    """One command that runs all cells of a finding; axes with many values are left open, so it may run more."""
    releases = "".join(f" --releases {release}" for release in finding.versions if release != "none")
    terms = [
        "(" * (len(values) > 1) + " or ".join(f"{axis}={value}" for value in values) + ")" * (len(values) > 1)
        for axis, values in finding.axes.items()
        if len(values) <= MOST_VALUES
    ]
    return f"kernel-matrix run{releases} --environment full" + (f" '{' and '.join(terms)}'" if terms else "")


def remedy(finding: Finding) -> str:
    """What to do about a finding; kernels that were not run, each with a command of its own, get one for all."""
    if finding.verdict == "NOT_RUN" and finding.stage == Stage.NUMERICS.value and finding.remedies > 1:
        return f"Run them on a machine that can: {command(finding)}"
    return finding.remedy + f" (the first of {finding.remedies})" * (finding.remedies > 1)


def more(reasons: int) -> str:
    """`1 more reason`, `2 more reasons`."""
    return f"{reasons} more reason{'s' * (reasons != 1)}"


def seconds(value: float) -> str:
    """A duration to read: `0.12 s`, `3.4 s`, `2 min 5 s`."""
    if value >= 60:
        return f"{value // 60:.0f} min {value % 60:.0f} s"
    return f"{value:.2f} s" if value < 1 else f"{value:.1f} s"
