"""From a run folder and the expectations to a report."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from matrix.cells.cell import Cell as PlannedCell
from matrix.expectations import Subject, judge, load
from matrix.report import axes, ranges, replayed, settle
from matrix.report.findings import Grouping
from matrix.report.model import Cell, Environment, Report
from matrix.report.standing import spans
from matrix.verdicts import Stage, Verdict

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from matrix.expectations import Expectations
    from matrix.report.reading import Run
    from matrix.verdicts import Result


def build(run: Run, expectations_path: Path | None = None, today: date | None = None) -> Report:
    """Judge every planned cell and put the answers side by side.

    Args:
        run: a run folder, read.
        expectations_path: the expectations file; None for the default one.
        today: the day on which entries expire or not; None for the current one in UTC.

    Raises:
        InputError: the expectations file does not hold.
    """
    today = today or datetime.now(tz=timezone.utc).date()
    expectations = load(expectations_path)
    environments = {environment.id: environment for environment in _environments(run)}
    cells = _cells(run, environments, expectations, today)
    tested = ranges.ordered(cell.release for cell in cells)
    faulty = frozenset(name for name, environment in environments.items() if environment.faulty)
    group = Grouping(cells, tested)
    told = replayed.replays(run, cells)
    used = _used(cells)
    expired = tuple(entry for entry in expectations.entries if entry.expired(today))
    return Report(
        plan={key: value for key, value in run.plan.items() if key not in {"cells", "environments"}},
        header=run.journal.header,
        tested=tuple(
            ranges.ordered(
                cell.release
                for cell in cells
                if cell.environment_id not in faulty and cell.release != ranges.NONE
            )
        ),
        environments=tuple(environments.values()),
        spans=spans(cells, faulty, tested, group),
        findings=group(cell for cell in cells if cell.verdict not in {Verdict.PASS, Verdict.NOT_RUN, None}),
        unexpected=group(cell for cell in cells if cell.outcome.fails),
        not_run=group(cell for cell in cells if cell.verdict in {Verdict.NOT_RUN, None}),
        axes=axes.tables((cell for cell in cells if cell.environment_id not in faulty), tested),
        cells=tuple(cells),
        stage_seconds=_stage_seconds(run.journal.ends),
        verdicts=settle.counts(cell.verdict.value if cell.verdict else "MISSING" for cell in cells),
        outcomes=settle.counts(cell.outcome.value for cell in cells),
        expectations=tuple((entry, used.get(entry.number, 0)) for entry in expectations.entries),
        expectations_path=expectations.path.name,
        expired=expired,
        warnings=tuple(_warnings(run, cells)),
        replays=told,
        declared=_declared(run, cells, told),
    )


def _declared(run: Run, cells: list[Cell], told: tuple[dict[str, Any], ...]) -> dict[str, Any] | None:
    """What was kept, each engine release with the verdicts that its own code gave here, by release of FlashInfer."""
    if run.declared is None:
        return None
    sides = {
        (one["engine"], one["engine_release"], one["flashinfer"]): one["sides"]
        for one in told
        if one["sides"]
    }
    engines = {place["id"]: place["engine"] for place in run.plan["environments"] if place.get("engine")}
    verdicts: dict[tuple[str, str], dict[str, list[str]]] = {}
    for cell in cells:
        engine = engines.get(cell.environment_id)
        found = [result.verdict.value for result in cell.results if result.stage == Stage.REPLAY.value]
        if engine and found:
            row = verdicts.setdefault((engine["name"], engine["release"]), {})
            row.setdefault(cell.release, []).extend(found)
    tables = [
        table
        | {
            "rows": [
                {key: value for key, value in row.items() if key != "read"}
                | {
                    "replayed": {
                        release: settle.counts(found)
                        for release, found in verdicts.get((table["engine"], row["release"]), {}).items()
                    },
                    "sides": {
                        flashinfer: found
                        for (engine, release, flashinfer), found in sides.items()
                        if (engine, release) == (table["engine"], row["release"])
                    },
                }
                for row in table["rows"]
            ]
        }
        for table in run.declared["engines"]
    ]
    return run.declared | {"engines": tables}


def _environments(run: Run) -> list[Environment]:
    imports: dict[str, float] = {}
    for worker in run.journal.workers:
        name = worker["environment"]
        imports[name] = imports.get(name, 0.0) + (worker.get("import_seconds") or 0.0)
    built = {record["id"]: record for record in run.journal.environments}
    return [_environment(planned, built, imports) for planned in run.plan["environments"]]


def _environment(
    planned: dict[str, Any], built: dict[str, dict[str, Any]], imports: dict[str, float]
) -> Environment:
    found = built.get(planned["id"], {})
    return Environment(
        id=planned["id"],
        release=planned.get("release") or ranges.NONE,
        name=planned.get("name") or planned["id"].partition("/")[2],
        recipe=planned["recipe"],
        python=planned.get("python") or "",
        torch=planned.get("torch") or "",
        faulty=bool(planned.get("faulty")),
        why=planned.get("why") or "",
        fingerprint=found.get("fingerprint") or {},
        build_seconds=found.get("build_seconds") or 0.0,
        import_seconds=imports.get(planned["id"], 0.0),
        verdict=found.get("verdict") or "",
        reason=found.get("reason") or "",
        remedy=found.get("remedy") or "",
    )


def _cells(
    run: Run, environments: dict[str, Environment], expectations: Expectations, today: date
) -> list[Cell]:
    started = set(run.journal.starts)
    results = settle.by_cell(run.journal.ends)
    tries = settle.retries(run.journal.ends)
    judged = judge(expectations, today)
    cells = []
    for planned in run.plan["cells"]:
        name, environment = planned["id"], environments.get(planned["environment_id"])
        told = results.get(name, []) if name in run.journal.finished else []
        mine = told or settle.unbuilt(name, environment)
        decisive = settle.decisive(mine)
        asked = PlannedCell.from_json(planned)
        subject = Subject(
            cell=asked,
            capability=environment.capability if environment else "",
            verdict=decisive.verdict if decisive else None,
            results=[(result.stage, result.verdict) for result in mine],
            reasons={result.stage: result.reason for result in mine},
        )
        judgement = judged(subject)
        cells.append(
            Cell(
                id=name,
                release=asked.release,
                environment=asked.environment,
                environment_id=planned["environment_id"],
                axes=asked.point.values(),
                must=asked.must,
                verdict=decisive.verdict if decisive else None,
                stage=decisive.stage if decisive else "",
                reason=decisive.reason if decisive else _missing(name, started),
                remedy=decisive.remedy if decisive else "Finish the run: kernel-matrix resume DIR.",
                results=tuple(mine),
                outcome=judgement.outcome,
                expectations=judgement.entries,
                note="; ".join(filter(None, (judgement.note, tries.get(name, "")))),
            )
        )
    return cells


def _missing(cell: str, started: set[str]) -> str:
    return "started, and never ended" if cell in started else "no result in the journal"


def _used(cells: list[Cell]) -> dict[int, int]:
    used: dict[int, int] = {}
    for cell in cells:
        for entry in cell.expectations:
            used[entry.number] = used.get(entry.number, 0) + 1
    return used


def _stage_seconds(ends: list[Result]) -> dict[str, tuple[int, float, float]]:
    """Number of results, their seconds together, and the slowest one's, stage by stage."""
    found: dict[str, tuple[int, float, float]] = {}
    for end in ends:
        number, total, slowest = found.get(end.stage, (0, 0.0, 0.0))
        found[end.stage] = (number + 1, total + end.seconds, max(slowest, end.seconds))
    order = {stage.value: number for number, stage in enumerate(Stage)}
    return dict(sorted(found.items(), key=lambda item: order.get(item[0], len(order))))


def _warnings(run: Run, cells: list[Cell]) -> list[str]:
    planned = {cell.id for cell in cells}
    strangers = {end.cell for end in run.journal.ends} - planned
    warnings = []
    if run.journal.torn:
        warnings.append(f"{run.journal.torn} torn lines of the journal are left out.")
    for missing in (run.declared or {}).get("missing", []):
        reason = missing["reason"].rstrip(".")
        warnings.append(f"{missing['what']}: not read, {reason}; `kernel-matrix report DIR` tries again.")
    if strangers:
        warnings.append(
            f"results of {len(strangers)} cells that the plan does not hold are left out, "
            f"such as {min(strangers)}."
        )
    return warnings
