"""The journal: one flushed JSON line for each thing that happened, append-only, readable after any crash."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from matrix.errors import InputError
from matrix.verdicts import Result

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

SCHEMA = "kernel-matrix/journal/1"


@dataclass(frozen=True, kw_only=True)
class Journal:
    """Appends to one file; several processes may append to the same one, since each line is one write."""

    path: Path

    def write(self, kind: str, **fields: Any) -> None:
        """Append one line and hand it to the operating system at once."""
        line = (json.dumps({"kind": kind, **fields, "time": round(time.time(), 3)}) + "\n").encode()
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            if os.write(handle, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        finally:
            os.close(handle)

    def start(self, cell: str) -> None:
        """A worker begins with a cell: whoever dies now died in it."""
        self.write("start", cell=cell)

    def begin(self, cell: str, stage: str) -> None:
        """A stage of a cell begins; it may have nothing to say of this cell."""
        self.write("stage", cell=cell, stage=stage)

    def finish(self, cell: str) -> None:
        """Every stage of a cell has its verdict: only then is it done, and `resume` leaves it alone."""
        self.write("finish", cell=cell)

    def end(self, result: Result) -> None:
        """One stage of a cell has its verdict."""
        self.write("end", **result.to_json())


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Keep a journal to this run as long as the block lasts, and end the line that an earlier one may have torn.

    Raises:
        InputError: another process is running it.
    """
    with path.open("rb+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"{path.parent} is being run by another process.", "Wait until it ends, or stop it."
            ) from None
        if handle.seek(0, os.SEEK_END) and not _ends_whole(handle):
            handle.write(b"\n")
            handle.flush()
        yield


def _ends_whole(handle: BinaryIO) -> bool:
    handle.seek(-1, os.SEEK_END)
    return handle.read(1) == b"\n"


@dataclass(frozen=True, kw_only=True)
class Record:
    """What a journal holds, read back.

    Args:
        header: the first line.
        environments: a line for each environment that was built or failed to be.
        workers: a line for each worker that closed by itself.
        starts: cell ids in the order in which they began.
        stages: the stage that each cell was in last.
        ends: results in the order in which they came.
        finished: cells of which every stage has its verdict.
        torn: lines that were dropped since they were not whole.
    """

    header: dict[str, Any]
    environments: list[dict[str, Any]] = field(default_factory=list)
    workers: list[dict[str, Any]] = field(default_factory=list)
    starts: list[str] = field(default_factory=list)
    stages: dict[str, str] = field(default_factory=dict)
    ends: list[Result] = field(default_factory=list)
    finished: frozenset[str] = frozenset()
    torn: int = 0


def read(path: Path) -> Record:
    """Read a journal; a line torn by a crash is dropped and counted.

    Raises:
        InputError: there is no journal, or its first line is none of this schema.
    """
    try:
        lines = list(_lines(path))
    except OSError as error:
        raise InputError(f"cannot read the journal {path}: {error}.", "Name the folder of a run.") from error
    header = lines[0] if lines and lines[0] else {}
    if header.get("schema") != SCHEMA:
        raise InputError(f"{path} is no journal of {SCHEMA}.", "Name the folder of a run of this version.")
    whole = [line for line in lines if line is not None]
    return Record(
        header=header,
        environments=[line for line in whole if line["kind"] == "environment"],
        workers=[line for line in whole if line["kind"] == "worker"],
        starts=[line["cell"] for line in whole if line["kind"] == "start"],
        stages={line["cell"]: line["stage"] for line in whole if line["kind"] == "stage"},
        ends=[Result.from_json(line) for line in whole if line["kind"] == "end"],
        finished=frozenset(line["cell"] for line in whole if line["kind"] == "finish"),
        torn=len(lines) - len(whole),
    )


def _lines(path: Path) -> Iterator[dict[str, Any] | None]:
    with path.open(encoding="utf-8", errors="replace") as handle:
        for line in handle:
            yield parse(line)


def parse(line: str) -> dict[str, Any] | None:
    """One line as data, or None for one that is torn."""
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) and "kind" in value else None


@dataclass
class Tail:
    """Follows a journal that others append to, whole line by whole line."""

    path: Path
    offset: int = 0

    def new(self) -> Iterator[dict[str, Any]]:
        """The lines that came since the last call."""
        with self.path.open("rb") as handle:
            handle.seek(self.offset)
            for line in handle:
                if not line.endswith(b"\n"):
                    return
                self.offset += len(line)
                value = parse(line.decode(errors="replace"))
                if value is not None:
                    yield value
