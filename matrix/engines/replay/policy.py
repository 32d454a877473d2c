"""An engine's choice of backend for target and draft, by its own code, held against our rule set."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

from packaging.version import Version

from matrix.kernels.moe.policy import Policy
from matrix.kernels.moe.probe import failure_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

QUANTIZATIONS = ("none", "fp8", "modelopt_fp8", "modelopt_fp4", "modelopt_mixed", "mxfp8")
CAPABILITIES = ((8, 0), (9, 0), (10, 0), (10, 3), (12, 0))
REQUESTED = ("auto", "flashinfer_trtllm", "flashinfer_trtllm_routed", "flashinfer_cutlass", "triton")
DRAFTS = (None, "auto", "flashinfer_trtllm", "triton")
SM100 = (10, 0)
EAGLE = "EAGLE"
TOLD = 200
"""Disagreements that are kept with both answers; all are counted."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """One configuration of an engine.

    Args:
        architecture: model class name.
        quantization: `none` for BF16.
        capability: of the GPU.
        requested: the target's backend that the user asks for, or `auto`.
        algorithm: of speculative decoding, or None.
        draft_requested: the draft's backend that the user asks for, or None.
    """

    architecture: str
    quantization: str
    capability: tuple[int, int]
    requested: str
    algorithm: str | None = None
    draft_requested: str | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What an engine, or our rule set, makes of it.

    Attributes:
        target: the target's backend, or None where it refuses.
        draft: the draft's, likewise.
        error: the refusal.
        beyond: what the engine raised after it had chosen both, for want of a real model or server.
    """

    target: str | None
    draft: str | None
    error: str = ""
    beyond: str = ""

    @property
    def choice(self) -> tuple[str | None, str | None, bool]:
        """What two answers must agree on: an error's words are the engine's own."""
        return self.target, self.draft, bool(self.error)

    def __str__(self) -> str:
        return f"target {self.target}, draft {self.draft}" + (f" ({self.error})" if self.error else "")


def sweep(architectures: Iterable[str], algorithms: Iterable[str]) -> Iterator[Point]:
    """Every model class: quantization x compute capability without a draft, and each algorithm on SM100."""
    for architecture in architectures:
        for quantization, capability in product(QUANTIZATIONS, CAPABILITIES):
            yield Point(
                architecture=architecture, quantization=quantization, capability=capability, requested="auto"
            )
        for quantization, algorithm in product(("none", "fp8"), algorithms):
            yield Point(
                architecture=architecture,
                quantization=quantization,
                capability=SM100,
                requested="auto",
                algorithm=algorithm,
            )


def points(architectures: Iterable[str], algorithms: Sequence[str]) -> Iterator[Point]:
    """Class x quantization x compute capability x backend x speculative algorithm x the draft's backend.

    The draft's own backend is asked for on one GPU and with one algorithm.
    """
    for architecture, quantization, capability, requested, algorithm in product(
        architectures, QUANTIZATIONS, CAPABILITIES, REQUESTED, (None, *algorithms)
    ):
        for draft in DRAFTS if algorithm == EAGLE and capability == SM100 else (None,):
            yield Point(
                architecture=architecture,
                quantization=quantization,
                capability=capability,
                requested=requested,
                algorithm=algorithm,
                draft_requested=draft,
            )


def ours(policy: Policy, point: Point) -> Answer:
    """What a rule set makes of a point."""
    target = policy.target(
        point.architecture,
        point.capability,
        quantization=point.quantization,
        requested=point.requested,
        algorithm=point.algorithm,
    )
    if target.backend is None:
        return Answer(target=None, draft=None, error=target.reason)
    draft = policy.drafted(target.backend, point.draft_requested)
    return Answer(target=target.backend, draft=draft.backend, error="" if draft.backend else draft.reason)


def hold(chooser: Any, name: str, rule_sets: Mapping[str, Any]) -> dict[str, Any]:
    """Ask an engine at every point, and our rules for it, or those of the release before it.

    Every model class that the engine registers is swept. The whole product is asked of each class that is no
    like most others: that the engine treats otherwise in the sweep, or that a rule of ours names; and of one
    that stands for the rest.

    Args:
        chooser: the adapter's, with `architectures`, `algorithms`, `on` and `choose`.
        name: engine and release.
        rule_sets: all of them, as plain data.

    Returns:
        How many points were asked and agree, what disagrees with both answers, what the engine could not be
        asked, and the choices of each class on SM100.
    """
    held_against = name if name in rule_sets else nearest(name, rule_sets)
    policy = Policy.from_json(rule_sets[held_against]) if held_against else None
    architectures, algorithms = chooser.architectures, chooser.algorithms
    unanswered: Counter[str] = Counter()
    answers = _answers(chooser, sweep(architectures, algorithms), unanswered)
    alike = _alike(answers)
    named = {one for family in policy.families for one in family.architectures} if policy else set()
    rest = max(alike, key=len, default=[])
    special = [one for one in architectures if one not in rest or one in named]
    stands_for_the_rest = [one for one in rest if one not in named][:1]
    whole = points([*special, *stands_for_the_rest], algorithms)
    answers |= _answers(chooser, (point for point in whole if point not in answers), unanswered)
    # What the table shows of the classes that are like most others.
    shown = (
        Point(architecture=one, quantization=kind, capability=SM100, requested="auto", algorithm=EAGLE)
        for one, kind in product(architectures, QUANTIZATIONS)
    )
    answers |= _answers(chooser, (point for point in shown if point not in answers), unanswered)
    disagreements = [
        {"point": asdict(point), "engine": str(answer), "rules": str(rule)}
        for point, answer in answers.items()
        if policy and (rule := ours(policy, point)).choice != answer.choice
    ]
    asked = len(answers) + sum(unanswered.values())
    beyond = Counter(
        f"{point.algorithm}: {answer.beyond}" for point, answer in answers.items() if answer.beyond
    )
    return {
        "points": asked,
        "answered": len(answers),
        "architectures": len(architectures),
        "special": special,
        "algorithms": algorithms,
        "rules": name in rule_sets,
        "held_against": held_against,
        "disagreeing": len(disagreements),
        "disagreements": disagreements[:TOLD],
        "unanswered": dict(unanswered),
        "beyond": dict(beyond),
        "table": table(answers, architectures),
        "summary": _summary(name, held_against, asked, len(answers), len(disagreements))
        + f"; {len(architectures)} model classes, {len(special)} of them with a rule of their own, "
        f"{len(algorithms)} speculative algorithms",
    }


def sound(told: Mapping[str, Any]) -> bool:
    """Whether our rules agree with the engine wherever it was asked; nothing was asked where `told` is empty."""
    return not (told.get("disagreements") or told.get("unanswered") or told.get("error"))


def nearest(name: str, known: Iterable[str]) -> str:
    """The rule set of the release before one that has none; empty where none is older."""
    engine, _, release = name.partition("-")
    older = [
        (Version(other.partition("-")[2]), other)
        for other in known
        if other.partition("-")[0] == engine and Version(other.partition("-")[2]) < Version(release)
    ]
    return max(older, default=(None, ""))[1]


def _answers(chooser: Any, asked: Iterable[Point], unanswered: Counter[str]) -> dict[Point, Answer]:
    by_capability: dict[tuple[int, int], list[Point]] = {}
    for point in asked:
        by_capability.setdefault(point.capability, []).append(point)
    answers = {}
    for capability, points_there in by_capability.items():
        with chooser.on(capability):
            for point in points_there:
                answer, why_not = _asked(chooser, point)
                if answer is None:
                    unanswered[f"{point.architecture}: {why_not}"] += 1
                else:
                    answers[point] = answer
    return answers


def _alike(answers: Mapping[Point, Answer]) -> list[list[str]]:
    """Model classes in groups that the engine answers alike."""
    told: dict[str, list[tuple[Any, ...]]] = {}
    for point, answer in answers.items():
        told.setdefault(point.architecture, []).append(
            (point.quantization, point.capability, point.algorithm, answer.choice)
        )
    groups: dict[tuple[Any, ...], list[str]] = {}
    for architecture, choices in told.items():
        groups.setdefault(tuple(choices), []).append(architecture)
    return list(groups.values())


def _asked(chooser: Any, point: Point) -> tuple[Answer | None, str]:
    """The engine's answer, or why it could not be asked: the rest is asked nevertheless."""
    try:
        return chooser.choose(point), ""
    except Exception as error:  # noqa: BLE001 - a configuration that is not whole can break anywhere
        return None, str(failure_of(error, "asking"))


def table(answers: Mapping[Point, Answer], architectures: list[str]) -> dict[str, dict[str, str]]:
    """Model class and quantization to what the engine chooses by itself on SM100, with a draft."""
    return {
        architecture: {
            quantization: str(answers[point])
            for quantization in QUANTIZATIONS
            if (
                point := Point(
                    architecture=architecture,
                    quantization=quantization,
                    capability=SM100,
                    requested="auto",
                    algorithm=EAGLE,
                )
            )
            in answers
        }
        for architecture in architectures
    }


def _summary(name: str, held_against: str, asked: int, answered: int, disagreeing: int) -> str:
    told = f"{answered} of {asked} points answered by the engine's own code"
    if not held_against:
        return f"{told}; there is no rule set for this release, nor for one before it"
    other = "our rules"
    if held_against != name:
        other = f"there is no rule set for this release; that of {held_against}"
    verb = ("agree", "disagree") if held_against == name else ("agrees", "disagrees")
    return f"{told}; {other} {verb[0]} on {answered - disagreeing} and {verb[1]} on {disagreeing}"
