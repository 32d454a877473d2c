"""An engine's choice of backend for target and draft, by its own code, held against our rule set."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

from matrix.kernels.moe.policy import Policy
from matrix.kernels.moe.probe import failure_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

QUANTIZATIONS = ("none", "fp8", "modelopt_fp8", "modelopt_fp4", "modelopt_mixed", "mxfp8")
CAPABILITIES = ((8, 0), (9, 0), (10, 0), (10, 3), (12, 0))
REQUESTED = ("auto", "flashinfer_trtllm", "flashinfer_trtllm_routed", "flashinfer_cutlass", "triton")
ALGORITHMS = (None, "EAGLE", "NEXTN")
DRAFTS = (None, "auto", "flashinfer_trtllm", "triton")
RULELESS = "LlamaForCausalLM"
"""A model class that no rule of any engine names."""


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
    """What an engine, or our rule set, makes of it."""

    target: str | None
    draft: str | None
    error: str = ""

    @property
    def choice(self) -> tuple[str | None, str | None, bool]:
        """What two answers must agree on: an error's words are the engine's own."""
        return self.target, self.draft, bool(self.error)

    def __str__(self) -> str:
        return f"target {self.target}, draft {self.draft}" + (f" ({self.error})" if self.error else "")


def points(architectures: list[str]) -> Iterator[Point]:
    """Family x quantization x compute capability x backend x speculative algorithm x the draft's backend.

    The draft's backend depends on the target's alone, so it is asked for on one GPU.
    """
    for capability in CAPABILITIES:
        for architecture, quantization, requested, algorithm in product(
            architectures, QUANTIZATIONS, REQUESTED, ALGORITHMS
        ):
            for draft in DRAFTS if algorithm == "EAGLE" and capability == (10, 0) else (None,):
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
        point.architecture, point.capability, quantization=point.quantization, requested=point.requested
    )
    if target.backend is None:
        return Answer(target=None, draft=None, error=target.reason)
    draft = policy.drafted(target.backend, point.draft_requested)
    return Answer(target=target.backend, draft=draft.backend, error="" if draft.backend else draft.reason)


def hold(chooser: Any, name: str, rule_sets: Mapping[str, Any]) -> dict[str, Any]:
    """Ask an engine at every point, and our rules for it where there are any.

    Args:
        chooser: the adapter's, with `on` and `choose`.
        name: engine and release.
        rule_sets: all of them, as plain data; the engine is asked about the model classes of each.

    Returns:
        How many points were asked and agree, what disagrees with both answers, what the engine could not be
        asked, and the unquantized and quantized choices of each family on SM100.
    """
    policies = {engine: Policy.from_json(table) for engine, table in rule_sets.items()}
    policy = policies.get(name)
    named = (one for each in policies.values() for family in each.families for one in family.architectures)
    architectures = list(dict.fromkeys([*named, RULELESS]))
    asked = list(points(architectures))
    answers: dict[Point, Answer] = {}
    unanswered: Counter[str] = Counter()
    for capability in CAPABILITIES:
        with chooser.on(capability):
            for point in (one for one in asked if one.capability == capability):
                answer, why_not = _asked(chooser, point)
                if answer is None:
                    unanswered[f"{point.architecture}: {why_not}"] += 1
                else:
                    answers[point] = answer
    disagreements = []
    if policy is not None:
        for point, answer in answers.items():
            rule = ours(policy, point)
            if rule.choice != answer.choice:
                disagreements.append({"point": asdict(point), "engine": str(answer), "rules": str(rule)})
    return {
        "points": len(asked),
        "answered": len(answers),
        "rules": bool(policy),
        "disagreements": disagreements,
        "unanswered": dict(unanswered),
        "table": table(answers, architectures),
        "summary": _summary(len(asked), answers, disagreements, ruled=bool(policy)),
    }


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
                    capability=(10, 0),
                    requested="auto",
                    algorithm="EAGLE",
                )
            )
            in answers
        }
        for architecture in architectures
    }


def _summary(
    asked: int, answers: Mapping[Point, Answer], disagreements: list[dict[str, Any]], *, ruled: bool
) -> str:
    told = f"{len(answers)} of {asked} points answered by the engine's own code"
    if not ruled:
        return f"{told}; there is no rule set for this release"
    return (
        f"{told}; our rules agree on {len(answers) - len(disagreements)} and disagree on {len(disagreements)}"
    )
