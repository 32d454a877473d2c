"""The supervisor: builds environments, keeps one worker in each slot, and survives what workers do.

A worker that dies names its cell by the journal's last start; the cell gets its verdict, and a new worker
goes on with the rest. A worker that hangs is killed from outside. Nothing that was written is ever lost.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from matrix.environments.build import Built, Environment, build
from matrix.errors import KernelMatrixError
from matrix.run import journal as journal_module
from matrix.run.journal import Journal, Tail
from matrix.verdicts import Result, Stage, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matrix.cells.cell import Cell
    from matrix.environments.fingerprint import Gpu
    from matrix.environments.installer import Installer
    from matrix.run.plan import Plan
    from matrix.run.progress import Watcher

POLL_SECONDS = 0.02
LOG_TAIL = 8
LOG_BYTES = 1 << 16
WORKER = journal_module.__file__.replace("journal.py", "worker.py")


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to run.

    Args:
        jobs: workers at a time; on GPUs at most one each.
        timeout: seconds that one cell, or the imports before the first one, may take.
    """

    jobs: int
    timeout: float


@dataclass
class Worker:
    """A process in an environment."""

    built: Built
    process: subprocess.Popen[bytes]
    slot: int
    deadline: float
    cell: str | None = None
    stage: str = ""
    answered: int = 0


@dataclass
class Supervisor:
    """One run, from the first environment to the last cell.

    Args:
        plan: what to run.
        out: the run folder; its journal is appended to.
        installer: uv or pip.
        gpus: the GPUs of this machine.
        options: how to run.
        watcher: who is told.
    """

    plan: Plan
    out: Path
    installer: Installer
    gpus: Sequence[Gpu]
    options: Options
    watcher: Watcher

    def __post_init__(self) -> None:
        path = self.out / "journal.jsonl"
        self.journal = Journal(path=path)
        self.done: set[str] = set(journal_module.read(path).finished)
        self.tail = Tail(path=path, offset=path.stat().st_size)
        self.ready: list[Built] = []
        self.workers: list[Worker] = []
        (self.out / "logs").mkdir(exist_ok=True)

    def run(self) -> None:
        """Answer every cell that is not done yet.

        Raises:
            KeyboardInterrupt: after the workers were stopped; the cells in flight stay unfinished.
        """
        pool = ThreadPoolExecutor(max_workers=self.options.jobs)
        pending = {
            pool.submit(build, environment, self.installer): environment
            for environment in self.plan.environments
            if self._left(environment)
        }
        try:
            while pending or self.ready or self.workers:
                self._collect(pending)
                self._start()
                self._listen()
                self._check()
                time.sleep(POLL_SECONDS)
        finally:
            self._stop()
            pool.shutdown(wait=False, cancel_futures=True)

    def _left(self, environment: Environment) -> list[Cell]:
        return [cell for cell in self.plan.cells_of(environment) if cell.id not in self.done]

    def _collect(self, pending: dict[Future[Built], Environment]) -> None:
        """Take environments that were built, and give those that were not their verdict."""
        for future in [future for future in pending if future.done()]:
            environment = pending.pop(future)
            try:
                built = future.result()
            except KernelMatrixError as error:
                verdict, reason, remedy = Verdict.INSTALL_ERROR, error.what, error.remedy
            except Exception as error:  # noqa: BLE001 - one environment must not take the others along
                verdict, reason, remedy = Verdict.INSTALL_ERROR, f"{type(error).__name__}: {error}", ""
            else:
                self.ready.append(built)
                self.watcher.built(built)
                log = f"logs/{_slug(environment)}.log"
                self.journal.write("environment", **built.record(self.gpus), log=log)
                continue
            self.watcher.failed(environment.id, reason)
            self.journal.write(
                "environment", id=environment.id, verdict=verdict, reason=reason, remedy=remedy
            )
            for cell in self._left(environment):
                first = reason.splitlines()[0]
                self._settle(cell.id, Stage.IMPORT, verdict, reason=first, remedy=remedy)

    def _start(self) -> None:
        """Put a worker into every free slot."""
        slots = range(len(self.gpus) or self.options.jobs)
        free = [slot for slot in slots if slot not in {worker.slot for worker in self.workers}]
        for slot in free[: len(self.ready)]:
            built = self.ready.pop(0)
            left = self._left(built.environment)
            if left:
                self.workers.append(self._spawn(built, slot))

    def _spawn(self, built: Built, slot: int) -> Worker:
        environment = built.environment
        finished = [cell.id for cell in self.plan.cells_of(environment) if cell.id in self.done]
        plan = self.out / "plan.json"
        log = (self.out / "logs" / f"{_slug(environment)}.log").open("ab")
        with log:
            process = subprocess.Popen(
                [built.python, WORKER, plan, self.journal.path, environment.id, *finished],
                env=self._variables(built, slot),
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        deadline = time.monotonic() + self.options.timeout
        return Worker(built=built, process=process, slot=slot, deadline=deadline)

    def _variables(self, built: Built, slot: int) -> dict[str, str]:
        """The worker's variables: its own programs first, one GPU, its own workspace for compiled kernels."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        kept.pop("VIRTUAL_ENV", None)
        kept["PATH"] = os.pathsep.join([*built.programs, os.environ.get("PATH", "")])
        kept["PYTHONHASHSEED"] = "0"  # an engine's messages print sets
        kept["FLASHINFER_WORKSPACE_BASE"] = str(built.prefix / "workspace")
        if self.gpus:
            gpu = self.gpus[slot]
            # An engine that sees a GPU wants its own kernels too; it needs the GPU only where FlashInfer's run.
            hidden = built.environment.recipe.engine and not gpu.compute_capability.startswith("10.")
            kept["CUDA_VISIBLE_DEVICES"] = "" if hidden else gpu.device
        return kept

    def _listen(self) -> None:
        """Read what the workers wrote since the last time."""
        for line in self.tail.new():
            kind = line["kind"]
            if kind == "end":
                self.watcher.result(Result.from_json(line))
            elif kind == "finish":
                self.done.add(line["cell"])
                self.watcher.finished(line["cell"])
            elif kind == "worker":
                self.watcher.closed(line["environment"], line["seconds"])
            worker = self._worker_of(line)
            if worker is None:
                continue
            worker.deadline = time.monotonic() + self.options.timeout
            if kind == "start":
                worker.cell, worker.stage = line["cell"], ""
            elif kind == "stage":
                worker.stage = line["stage"]
            elif kind == "finish":
                worker.cell = None
                worker.answered += 1

    def _worker_of(self, line: dict[str, object]) -> Worker | None:
        environment = line.get("environment") or "/".join(str(line.get("cell", "")).split("/")[:2])
        return next((w for w in self.workers if w.built.environment.id == environment), None)

    def _check(self) -> None:
        """See to workers that ended or that take too long."""
        for worker in list(self.workers):
            status = worker.process.poll()
            if status is None and time.monotonic() < worker.deadline:
                continue
            if status is None:
                _kill(worker.process)
            self._listen()
            self.workers.remove(worker)
            if status != 0 or self._left(worker.built.environment):
                self._blame(worker, status)
            if self._left(worker.built.environment):
                self.ready.append(worker.built)

    def _blame(self, worker: Worker, status: int | None) -> None:
        """Give the cell in flight its verdict; every cell that is left where the process died before the first.

        Between two cells nobody is to blame: a new worker goes on, as it does after a sticky CUDA error.
        """
        if worker.cell is None and worker.answered:
            return
        if status is None:
            verdict, reason = Verdict.TIMEOUT, f"no answer within {self.options.timeout:.0f} s; killed"
        elif status < 0:
            verdict, reason = Verdict.CRASH, f"the process died of {signal.Signals(-status).name}"
        else:
            verdict, reason = Verdict.CRASH, f"the process ended with status {status}"
        environment = worker.built.environment
        if worker.cell is None and environment.recipe.engine:
            reason += f" while FlashInfer and {environment.recipe.engine} were imported"
        log = self.out / "logs" / f"{_slug(environment)}.log"
        tail = _tail(log)
        self.watcher.failed(environment.id, f"{reason} ({worker.cell or 'before the first cell'})")
        cells = [worker.cell] if worker.cell else [cell.id for cell in self._left(environment)]
        for cell in cells:
            remedy = f"See logs/{log.name}."
            self._settle(
                cell, self._stage(worker), verdict, reason=reason, remedy=remedy, evidence={"log": tail}
            )

    def _settle(
        self,
        cell: str,
        stage: Stage,
        verdict: Verdict,
        *,
        reason: str,
        remedy: str,
        evidence: dict[str, object] | None = None,
    ) -> None:
        """Write a verdict that no worker could write itself."""
        result = Result(
            cell=cell,
            stage=stage.value,
            verdict=verdict,
            reason=reason,
            remedy=remedy,
            evidence=evidence or {},
        )
        self.journal.end(result)
        self.journal.finish(cell)
        self.done.add(cell)

    def _stop(self) -> None:
        """Stop what still runs; the cells in flight stay unfinished, so that `resume` takes them up."""
        self.installer.stop()
        for worker in self.workers:
            _kill(worker.process)
        self._listen()

    def _stage(self, worker: Worker) -> Stage:
        """The stage that a worker was in, or the first where it did not come to any."""
        first = Stage.REPLAY if worker.built.environment.recipe.engine else self.plan.document["stages"][0]
        return Stage(worker.stage or first)


def _tail(log: Path) -> list[str]:
    """The last lines of a log, however long it is."""
    with log.open("rb") as handle:
        handle.seek(max(0, handle.seek(0, os.SEEK_END) - LOG_BYTES))
        return handle.read().decode(errors="replace").splitlines()[-LOG_TAIL:]


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a worker and what it started; kernels in flight die with their process."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


def _slug(environment: Environment) -> str:
    return environment.id.replace("/", "-")
