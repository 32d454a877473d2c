"""The worker: one process in a release's environment that answers its cells, one after the other.

Started by path with the interpreter of the environment, so that nothing of the tool's own environment but
this package is visible in it:

    <environment>/bin/python <package>/run/worker.py PLAN JOURNAL ENVIRONMENT [CELL ...]
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

POISONED = 86
PR_SET_PDEATHSIG = 1


def main(plan_path: str, journal_path: str, environment_id: str, *done: str) -> int:
    """Answer every cell of the environment that is not among those done; returns the exit status."""
    started = time.monotonic()
    _end_with_parent()
    from matrix.cells.cell import Cell
    from matrix.checks import results
    from matrix.checks.bench import Bench
    from matrix.run.journal import Journal
    from matrix.verdicts import Verdict

    journal = Journal(path=Path(journal_path))
    plan = json.loads(Path(plan_path).read_text(encoding="utf-8"))
    environment = next(entry for entry in plan["environments"] if entry["id"] == environment_id)
    bench = Bench.set_up(plan, environment)
    if bench.replayed is not None and not done:  # a worker that goes on after a crash need not ask again
        policies = plan["policies"] if environment["policy"] else None
        journal.write("replay", environment=environment_id, **bench.replayed.facts(policies))
    ready = time.monotonic()
    journal.write("ready", environment=environment_id, seconds=round(ready - started, 3))
    for data in plan["cells"]:
        if data["environment_id"] != environment_id or data["id"] in done:
            continue
        cell = Cell.from_json(data)
        journal.start(cell.id)
        for result in results(cell, bench, partial(journal.begin, cell.id)):
            journal.end(result)
            if result.verdict is Verdict.GPU_POISONED:
                journal.finish(cell.id)
                return POISONED
        journal.finish(cell.id)
    journal.write(
        "worker",
        environment=environment_id,
        import_seconds=round(ready - started, 3),
        seconds=round(time.monotonic() - started, 3),
    )
    return 0


def _end_with_parent() -> None:
    """Have Linux end this process when the supervisor ends: an orphan would write beside the one that resumes."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def _make_package_visible() -> None:
    """Register this package under its name without putting the folder that holds it on the path."""
    root = Path(__file__).resolve().parents[1]
    spec = importlib.util.spec_from_file_location(
        "matrix", root / "__init__.py", submodule_search_locations=[str(root)]
    )
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["matrix"] = package
    spec.loader.exec_module(package)


if __name__ == "__main__":
    sys.path.pop(0)
    _make_package_visible()
    status = main(*sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # Interpreter shutdown with CUDA, NCCL or threads of an engine may hang or crash after the last answer.
    os._exit(status)
