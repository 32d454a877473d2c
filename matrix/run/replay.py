"""Replay as a run of its own: engine releases beside FlashInfer releases, and what came of each pair."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from matrix.engines import agreement, config, contracts
from matrix.engines.replay import recipe
from matrix.engines.replay.policy import sound
from matrix.engines.shelf import Shelf
from matrix.errors import KernelMatrixError
from matrix.report.findings import masked, spread
from matrix.run import journal
from matrix.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matrix.engines.agreement import Side
    from matrix.engines.replay.recipe import Subject
    from matrix.environments.build import Environment
    from matrix.environments.recipes import Recipe
    from matrix.run.plan import Plan
    from matrix.surface.library import Library
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
        sides: what the engine's sources, read, and its own code, called, say of each function.
        unread: why the sources could not be read.
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
    sides: tuple[Side, ...] = ()
    unread: str = ""

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
        asked = sound(self.policy)
        agreed = all(side.agrees for side in self.sides)
        return told and asked and agreed and not self.contract_differences

    def to_json(self) -> dict[str, Any]:
        """As `kernel-matrix replay --json` gives it."""
        told = {"replayable": not self.reason, "verdicts": self.verdicts}
        return asdict(self) | told | {"sides": [side.to_json() for side in self.sides]}


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
        differences = contracts.differences(recorded) if "engine" in recorded else []
        found.append(
            Pair(
                engine=engine,
                engine_release=release,
                flashinfer=environment.release,
                findings=tuple(_findings(settled, differences)),
                missing=len(planned) - len(settled),
                reason=unread,
                seconds=seconds.get(environment.id, 0.0),
                replaced=known.get("replaced", []),
                weights=known.get("weights", {}),
                policy=known.get("policy") or _elsewhere(environment, plan, known),
                contract=recorded,
                contract_differences=tuple(differences),
            )
        )
    return found


def _elsewhere(environment: Environment, plan: Plan, known: dict[str, Any]) -> dict[str, Any]:
    """Where the choice of backends was asked, which is once for an engine release."""
    alike = (one for one in plan.environments if one.recipe == environment.recipe)
    first = next(alike)
    return {"asked_beside": first.release} if known and first != environment else {}


def _findings(ends: Sequence[Result], differences: Sequence[str] = ()) -> list[Finding]:
    """Cells that ended alike: numbers in a reason do not tell them apart, and are shown as a range."""
    groups: dict[tuple[str, ...], list[tuple[Result, str]]] = {}
    for end in ends:
        reason = "; ".join([end.reason, *_against(end, differences)])
        frames = end.evidence.get("frame", ""), end.evidence.get("engine_frame", "")
        groups.setdefault((end.verdict.value, masked(reason), *frames), []).append((end, reason))
    found = []
    for (verdict, *_), alike in groups.items():
        worst = max((end for end, _ in alike), key=_error)
        found.append(
            Finding(
                verdict=verdict,
                reason=spread([reason for _, reason in alike]),
                remedy=worst.remedy,
                cells=tuple(_point(end) for end, _ in alike),
                evidence={**worst.evidence, "of": _point(worst)} if worst.evidence else {},
            )
        )
    return sorted(
        found, key=lambda one: (Verdict(one.verdict).good, -len(one.cells), one.verdict, one.reason)
    )


def _point(end: Result) -> str:
    return end.cell.split("/", 2)[2]


def _error(end: Result) -> float:
    return float(end.evidence.get("numerics", {}).get("worst") or 0.0)


def _against(end: Result, differences: Sequence[str]) -> list[str]:
    """Differences from the recorded contract that are about what a cell that passed has called."""
    if end.verdict is not Verdict.PASS:
        return []
    parts = set(_point(end).split("/"))
    told = []
    for difference in differences:
        kind, *names = difference.partition(":")[0].split(".")
        about = names[:1] if kind in {"call", "activations"} else names[:2] if kind == "routings" else None
        if about and parts.issuperset(about):
            told.append(f"but the recorded contract says otherwise: {difference}")
    return told


def read(pair: Pair, library: Library) -> Pair:
    """A pair with what the sources of both releases, read, say of the calls that replay reached."""
    engine = config.load(pair.engine)
    try:
        (release,) = Shelf(library).published(engine, [pair.engine_release])
        static = agreement.read(engine, release, pair.flashinfer, library)
    except KernelMatrixError as error:
        return replace(pair, unread=error.what)
    told = {"findings": [asdict(finding) for finding in pair.findings]}
    return replace(pair, sides=tuple(agreement.sides(static, told)))


def why_no_contract(pair: Pair) -> str:
    """Why what was recorded is no contract to keep; empty where it is one."""
    found = pair.contract
    if not found:
        return pair.reason or "nothing was recorded"
    if "error" in found:
        return str(found["error"])
    if not found["call"]:
        return "no call of the engine reached FlashInfer"
    broken = [name for name in found["accepts"] if found["activations"] and name not in found["activations"]]
    return f"the call breaks with {', '.join(broken)}" if broken else ""


def write_contract(pair: Pair, folder: Path) -> Path:
    """Write what was recorded as `<engine>-<release>.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{pair.engine}-{pair.engine_release}.json"
    path.write_text(json.dumps(pair.contract, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return path
