"""Replay as a run of its own: engine releases beside FlashInfer releases, and what came of each pair."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from matrix.engines import contracts
from matrix.engines.replay import contract, recipe
from matrix.run import journal
from matrix.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matrix.engines.replay.recipe import Subject
    from matrix.environments.recipes import Recipe
    from matrix.run.plan import Plan
    from matrix.verdicts import Result

SCHEMA = "kernel-matrix/replay/1"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Cells of one pair that ended alike: verdict, reason and the frame that it came from."""

    verdict: str
    reason: str
    remedy: str
    cells: tuple[str, ...]
    evidence: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One engine release beside one FlashInfer release.

    Attributes:
        engine: the engine's name.
        engine_release: its version.
        flashinfer: FlashInfer's version.
        findings: the cells, grouped by verdict, reason and frame, what is not good first.
        missing: cells without a result.
        reason: why the pair is not replayable; empty where it is.
        seconds: how long the process ran, with its imports.
        replaced: what stood in for the engine's own.
        weights: how its loader fares, gated and non-gated.
        policy: its choice of backends against our rule set.
        contract: what it passes, recorded here.
        contract_differences: what the kept contract says otherwise, where it was recorded beside the same release.
    """

    engine: str
    engine_release: str
    flashinfer: str
    findings: tuple[Finding, ...] = ()
    missing: int = 0
    reason: str = ""
    seconds: float = 0.0
    replaced: list[dict[str, str]] = field(default_factory=list)
    weights: dict[str, Any] = field(default_factory=dict)
    policy: dict[str, Any] = field(default_factory=dict)
    contract: dict[str, Any] = field(default_factory=dict)
    contract_differences: tuple[str, ...] = ()

    @property
    def verdicts(self) -> dict[str, int]:
        """How many cells had each verdict."""
        counts: dict[str, int] = {}
        for finding in self.findings:
            counts[finding.verdict] = counts.get(finding.verdict, 0) + len(finding.cells)
        return counts

    @property
    def good(self) -> bool:
        """Whether every call was right or clearly refused, and rules and contract say what the engine does."""
        told = all(Verdict(finding.verdict).good for finding in self.findings)
        asked = not self.policy.get("disagreements") and not self.policy.get("unanswered")
        return told and asked and not self.contract_differences

    def to_json(self) -> dict[str, Any]:
        """As `kernel-matrix replay --json` gives it."""
        return asdict(self) | {"replayable": not self.reason, "verdicts": self.verdicts}


def recipes_of(subjects: Sequence[Subject]) -> list[tuple[Recipe, str]]:
    """The recipe of each engine release, and the torch it asks for.

    Raises:
        InputError: a release that is not published.
        NetworkError: the engine's metadata are in no cache, and the index was not reached.
    """
    found = []
    for subject in subjects:
        setting = recipe.load(subject.engine)
        found.append((recipe.recipe(subject, recipe.metadata(subject)), setting.torch))
    return found


def pairs(plan: Plan, folder: Path) -> list[Pair]:
    """What a run folder holds about each pair of its plan.

    Raises:
        InputError: no run lies there.
    """
    path = folder / "journal.jsonl"
    record = journal.read(path)
    facts = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        entry = journal.parse(line)
        if entry and entry["kind"] == "replay":
            facts[entry["environment"]] = entry
    seconds = {worker["environment"]: worker["seconds"] for worker in record.workers}
    found = []
    for environment in plan.environments:
        if not environment.recipe.engine:
            continue
        planned = {cell.id for cell in plan.cells_of(environment)}
        ends = [end for end in record.ends if end.cell in planned]
        settled = [end for end in ends if end.verdict is not Verdict.NOT_RUN]
        unread = next((end.reason for end in ends if end.verdict is Verdict.NOT_RUN), "")
        known = facts.get(environment.id, {})
        engine, _, release = environment.recipe.engine.partition("==")
        recorded = known.get("contract", {})
        found.append(
            Pair(
                engine=engine,
                engine_release=release,
                flashinfer=environment.release,
                findings=tuple(_findings(settled)),
                missing=len(planned) - len(settled),
                reason=unread,
                seconds=seconds.get(environment.id, 0.0),
                replaced=known.get("replaced", []),
                weights=known.get("weights", {}),
                policy=known.get("policy", {}),
                contract=recorded,
                contract_differences=tuple(_differences(recorded)),
            )
        )
    return found


def _findings(ends: Sequence[Result]) -> list[Finding]:
    groups: dict[tuple[str, str, str], list[Result]] = {}
    for end in ends:
        groups.setdefault((end.verdict.value, end.reason, end.evidence.get("frame", "")), []).append(end)
    found = [
        Finding(
            verdict=verdict,
            reason=reason,
            remedy=alike[0].remedy,
            cells=tuple(end.cell.split("/", 2)[2] for end in alike),
            evidence=alike[0].evidence,
        )
        for (verdict, reason, _), alike in groups.items()
    ]
    return sorted(
        found, key=lambda one: (Verdict(one.verdict).good, -len(one.cells), one.verdict, one.reason)
    )


def _differences(recorded: dict[str, Any]) -> list[str]:
    kept = contracts.recorded(recorded.get("engine", ""))
    if not kept or kept["flashinfer"] != recorded["flashinfer"]:
        return []
    return list(contract.differences(kept, recorded))


def write_contract(pair: Pair, folder: Path) -> Path:
    """Write what was recorded as `<engine>-<release>.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{pair.engine}-{pair.engine_release}.json"
    path.write_text(json.dumps(pair.contract, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return path
