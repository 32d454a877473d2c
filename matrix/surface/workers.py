"""Who parses files and puts surfaces together: this process where it is little, others where it is much."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matrix.processes import processes
from matrix.surface.records import assemble_from, parse_into

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future, ProcessPoolExecutor
    from pathlib import Path

    from typing_extensions import Self

    from matrix.surface.records import Source

__all__ = ["Workers"]

_CHUNK_BYTES = 1 << 20
_REPORT_EVERY = 10
_FEW_RELEASES = (
    2  # put together here: another process would have to load all modules and send the result back
)
_ALONE_BYTES = 3 << 19  # a second process takes longer to start than this takes to parse


class Workers:
    """Parses and assembles, in this process where it is little and in others where it is much."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pool: ProcessPoolExecutor | None = None
        self.known: set[str] = set()
        self.held: dict[str, bytes] = {}
        self.futures: list[Future[None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.pool:
            self.pool.shutdown(cancel_futures=True)

    def has(self, content: str) -> bool:
        """Whether a content was handed in."""
        return content in self.known

    def parse(self, contents: dict[str, bytes]) -> None:
        """Take contents by key; where they are many, others begin to parse them."""
        self.known.update(contents)
        self.held.update(contents)
        if sum(map(len, self.held.values())) > _ALONE_BYTES:
            self._send()

    def wait(self, report: Callable[[str], None]) -> None:
        """Finish parsing."""
        if self.futures:
            self._send()
        elif self.held:
            parse_into(self.folder, self.held)
        for number, future in enumerate(self.futures, 1):
            future.result()
            if number % _REPORT_EVERY == 0:
                report(f"parsed {number} of {len(self.futures)} parts")

    def assemble(
        self, releases: list[tuple[str, list[Source]]], report: Callable[[str], None]
    ) -> list[bytes | None]:
        """The files of surfaces, in the order of the releases; nothing where records of one were torn."""
        if len(releases) <= _FEW_RELEASES:
            return [assemble_from(self.folder, label, sources) for label, sources in releases]
        labels, sources = zip(*releases, strict=True)
        found: list[bytes | None] = []
        for data in self._start().map(assemble_from, [self.folder] * len(releases), labels, sources):
            found.append(data)
            if len(found) % _REPORT_EVERY == 0:
                report(f"assembled {len(found)} of {len(releases)} releases")
        return found

    def _start(self) -> ProcessPoolExecutor:
        if self.pool is None:
            self.pool = processes()
        return self.pool

    def _send(self) -> None:
        """Hand what is held to the pool, in parts of about the same size."""
        pool = self._start()
        part: dict[str, bytes] = {}
        size = 0
        for key, content in self.held.items():
            part[key] = content
            size += len(content)
            if size > _CHUNK_BYTES:
                self.futures.append(pool.submit(parse_into, self.folder, part))
                part, size = {}, 0
        if part:
            self.futures.append(pool.submit(parse_into, self.folder, part))
        self.held = {}
