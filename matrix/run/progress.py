"""What a user sees while a run goes on: a live line on a terminal, one line a fact in a log."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from matrix.report import settle
from matrix.verdicts import Verdict

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from matrix.environments.build import Built
    from matrix.verdicts import Result


@dataclass
class Watcher:
    """Told of everything that happens; writes to standard error, and only there.

    Args:
        total: cells of the run.
    """

    total: int
    console: Console = field(default_factory=lambda: Console(stderr=True, highlight=False))
    _counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    _open: dict[str, list[Result]] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._live = Progress(
            *columns, console=self.console, transient=True, disable=not self.console.is_terminal
        )
        self._task = self._live.add_task("cells", total=self.total)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def say(self, text: str) -> None:
        """One line, above the live one where there is one."""
        self._live.console.print(text, markup=False, soft_wrap=True)

    def built(self, built: Built) -> None:
        """An environment is ready."""
        what = "reused" if built.reused else f"built with {built.installer}"
        self.say(f"{built.environment.id}: {what} in {built.seconds:.1f} s")

    def failed(self, environment: str, reason: str) -> None:
        """An environment could not be built, or its worker died."""
        what, _, detail = reason.partition("\n")
        if detail and detail in self._told:
            self.say(f"{environment}: fails in the same way")
            return
        self._told.add(detail)
        self.say(f"{environment}: {what}\n{detail}" if detail else f"{environment}: {what}")

    def result(self, result: Result) -> None:
        """A stage has its verdict."""
        self._open.setdefault(result.cell, []).append(result)

    def finished(self, cell: str) -> None:
        """A cell is done."""
        environment = "/".join(cell.split("/")[:2])
        decisive = settle.decisive(self._open.pop(cell, []))
        self._counts[environment][decisive.verdict.value if decisive else Verdict.NOT_RUN.value] += 1
        self._live.advance(self._task)

    def closed(self, environment: str, seconds: float) -> None:
        """A worker answered its last cell."""
        counts = self._counts[environment]
        told = ", ".join(f"{number} {verdict}" for verdict, number in sorted(counts.items()))
        self.say(f"{environment}: {counts.total()} cells in {seconds:.1f} s: {told}")
