"""What a wheel, an sdist or a source folder holds, reading no more of it than is asked for.

A wheel on an index is read by range requests: its central directory first, then the members asked for,
neighbours together. Sizes and CRC are checked for every member, the wheel's own RECORD digest where it gives
one, and the index's sha256 wherever a whole file was read.

RECORD tells what a member holds without reading it only for a wheel on a server, whose members are named there
with their CRC too; a file on this machine may have been changed since, and what is asked of it is read.
"""

from __future__ import annotations

import io
import lzma
import os
import struct
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha224
from typing import TYPE_CHECKING

from matrix.errors import InputError, NetworkError
from matrix.releases.net import Network, is_local
from matrix.releases.tree import Folder, Member, Sdist, Tree, digest_of, is_record, record_digests

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from typing_extensions import Buffer

    from matrix.releases.index import File

__all__ = ["Folder", "Member", "Sdist", "Tree", "Wheel", "open_file", "open_path"]

TAIL_SHARE = 48  # a central directory with its RECORD is about one 50th of a FlashInfer wheel
TAIL_BYTES = (1 << 16, 1 << 21)
GAP_BYTES = 1 << 14  # reading this much for nothing costs less than one more request
SPAN_BYTES = 1 << 22
CONNECTIONS = 6
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    RuntimeError,
    LookupError,
)
"""What `zipfile` raises over flipped bytes: in data, in sizes and offsets, in flags and methods, in names."""
PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg")


class Wheel(Tree):
    """A wheel behind a URL or a local path, read by ranges.

    Args:
        url: where the wheel is; a local path too.
        size: the size that the index gives, in bytes; another one is refused.
        sha256: the digest that the index gives; checked wherever the whole file was read.
        settled: whether RECORD stands for what is not read; as for a wheel on a server where left out.
        network: what to read it with.
    """

    def __init__(
        self,
        url: str,
        *,
        size: int | None = None,
        sha256: str | None = None,
        settled: bool | None = None,
        network: Network | None = None,
    ) -> None:
        self.label = url.rpartition("/")[2]
        self._file = _Ranges(url, size, sha256, network or Network())
        try:
            self._zip = zipfile.ZipFile(self._file)
        except DAMAGED as error:
            raise NetworkError(
                f"{self.label} is not a whole wheel: {error}.", "Remove the file, or try again later."
            ) from error
        self._settled = not is_local(url) if settled is None else settled
        self._digests: dict[str, str] = {}
        self._infos = {info.filename: info for info in self._zip.infolist() if not info.is_dir()}
        offsets = sorted(info.header_offset for info in self._zip.infolist())
        self._ends = dict(zip(offsets, [*offsets[1:], self._zip.start_dir], strict=True))
        self._members: dict[str, Member] | None = None

    def members(self) -> Mapping[str, Member]:
        """Every file of the wheel; digests from its RECORD where that stands for them."""
        if self._members is None:
            record = next((name for name in self._infos if is_record(name)), None)
            if record:
                self._digests = record_digests(self._load([record])[record], self.label)
            told = self._digests if self._settled else {}
            gone = sorted(self._digests.keys() - self._infos.keys())
            if not self._settled and (gone or not record):
                raise NetworkError(
                    f"{self.label}: "
                    + (
                        f"its RECORD names {gone[0]}, which is not in it."
                        if record
                        else "it holds no RECORD."
                    ),
                    "It was damaged, or edited after it was built: build it again, or name a folder of its sources.",
                )
            self._members = {
                name: Member(name=name, size=info.file_size, sha256=told.get(name), crc=info.CRC)
                for name, info in self._infos.items()
            }
        return self._members

    def read(self, names: Iterable[str]) -> dict[str, bytes]:
        """The contents of some members; neighbours are read together, over several connections."""
        return {
            name: self._check(name, data, self._digests.get(name))
            for name, data in self._load(self._known(names)).items()
        }

    def _load(self, names: list[str]) -> dict[str, bytes]:
        infos = [self._infos[name] for name in names]
        self._file.prefetch([(info.header_offset, self._ends[info.header_offset]) for info in infos])
        try:
            return {info.filename: self._zip.read(info) for info in infos}
        except DAMAGED as error:
            raise NetworkError(
                f"{self.label} is damaged: {error}.", "Remove the file, or try again later."
            ) from error

    def close(self) -> None:
        """Forget the spans that were read."""
        self._zip.close()


class _Ranges(io.RawIOBase):
    """A read-only file over spans of a URL; reads what is missing, keeps what was read."""

    def __init__(self, url: str, size: int | None, digest: str | None, network: Network) -> None:
        self.url = url
        self.digest = digest
        self.network = network
        self.position = 0
        self.spans: list[tuple[int, bytes]] = []
        low, high = TAIL_BYTES
        guess = min(max(low, (size or 0) // TAIL_SHARE), high)
        answer = network.get(url, span=(-guess, 0))
        if answer.status == 416:
            answer = network.get(url)
        if answer.status not in (200, 206) or answer.total is None:
            raise NetworkError(
                f"{url.rpartition('/')[2]}: the server answered {answer.status}.",
                "The file may be gone from the index: refresh the listing, or name a wheel file instead.",
            )
        if size is not None and answer.total != size:
            raise NetworkError(
                f"{url.rpartition('/')[2]} has {answer.total} bytes, and the index says {size}.",
                "The file was cut short or changed: try again, or remove it from the folder it lies in.",
            )
        self.size = answer.total
        self._keep(self.size - len(answer.body), answer.body)

    def _keep(self, start: int, body: bytes) -> None:
        if len(body) == self.size and self.digest and digest_of(body) != self.digest:
            raise NetworkError(
                f"{self.url.rpartition('/')[2]}: the sha256 is not the one that the index gives.",
                "The file was changed or damaged on the way; do not use it.",
            )
        self.spans.append((start, body))

    def prefetch(self, spans: Iterable[tuple[int, int]]) -> None:
        """Read spans (start, end excluded) that are not here yet, joined where they are near each other."""
        joined: list[tuple[int, int]] = []
        for start, end in sorted(missing for span in spans for missing in self._missing(*span)):
            if joined and start - joined[-1][1] <= GAP_BYTES and end - joined[-1][0] <= SPAN_BYTES:
                joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
            else:
                joined.append((start, end))
        if len(joined) == 1:
            self._fetch(*joined[0])
        elif joined:
            with ThreadPoolExecutor(CONNECTIONS) as pool:
                list(pool.map(lambda span: self._fetch(*span), joined))

    def _fetch(self, start: int, end: int) -> None:
        answer = self.network.get(self.url, span=(start, end - 1))
        if answer.total != self.size or answer.status not in (200, 206):
            raise NetworkError(
                f"{self.url.rpartition('/')[2]} changed while it was read (status {answer.status}).",
                "Try again later.",
            )
        self._keep(start if answer.partial else 0, answer.body)

    def _missing(self, start: int, end: int) -> list[tuple[int, int]]:
        """The parts of a span that were not read yet."""
        found = []
        for first, body in sorted(self.spans, key=lambda span: span[0]):
            if first >= end or first + len(body) <= start:
                continue
            if first > start:
                found.append((start, first))
            start = first + len(body)
        return [*found, (start, end)] if start < end else found

    def _held(self, start: int, end: int) -> bytes:
        """As much of a span as one piece that was read holds."""
        for first, body in self.spans:
            if first <= start < first + len(body):
                return body[start - first : end - first]
        return b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self.position = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self.position, os.SEEK_END: self.size}[whence]
        return self.position

    def readinto(self, buffer: Buffer) -> int:
        view = memoryview(buffer)
        end = min(self.size, self.position + len(view))
        if end <= self.position:
            return 0
        self.prefetch([(self.position, end)])
        filled = 0
        while self.position < end and (piece := self._held(self.position, end)):
            view[filled : filled + len(piece)] = piece
            filled += len(piece)
            self.position += len(piece)
        return filled


def open_file(file: File, network: Network | None = None) -> Tree:
    """Open a published file where it is nearest: the caches of pip and uv, else the index, by ranges.

    Raises:
        NetworkError: it cannot be read, or is not what the index says of it.
    """
    network = network or Network()
    if not file.is_wheel:
        return Sdist(file.url, size=file.size, sha256=file.sha256, network=network)
    unpacked = _in_uv_cache(file, network.settings.uv_cache)
    if unpacked:
        return Folder(unpacked, record=True)
    kept = _in_pip_cache(file, network.settings.pip_cache)
    if kept:
        return Wheel(str(kept), size=file.size, sha256=file.sha256, settled=True, network=network)
    return Wheel(file.url, size=file.size, sha256=file.sha256, network=network)


def open_path(path: Path, network: Network | None = None) -> Tree:
    """Open a wheel file, an sdist, or a folder: one that holds packages, or a package itself.

    Raises:
        InputError: there is nothing there, or it is something else, or a part of a package.
    """
    if path.is_dir():
        return _open_folder(path)
    if not path.is_file():
        raise InputError(
            f"{path} is not there.", "Give a release, a wheel file, an sdist or a folder of sources."
        )
    if path.suffix == ".whl":
        return Wheel(str(path), network=network)
    if path.name.endswith(".tar.gz"):
        return Sdist(str(path), network=network)
    raise InputError(
        f"{path} is neither a wheel nor an sdist.", "Give a .whl, a .tar.gz or a folder of sources."
    )


def _open_folder(path: Path) -> Folder:
    whole = path.resolve() if path.name in {"", ".."} else path.absolute()
    if not _is_package(whole):
        return Folder(path)
    if _is_package(whole.parent):
        raise InputError(
            f"{path} is a part of the package {whole.parent}.",
            "Name the folder of the whole package, or the one that holds it.",
        )
    return Folder(whole.parent, only=whole.name)


def _is_package(folder: Path) -> bool:
    """Whether a folder is a package, and not a project whose top happens to hold an `__init__.py`."""
    return (folder / "__init__.py").is_file() and not any((folder / name).exists() for name in PROJECT_FILES)


def _in_pip_cache(file: File, cache: Path | None) -> Path | None:
    """The body of pip's cached download, believed only by size and (once read) by the index's sha256."""
    if not cache or not file.sha256:
        return None
    key = sha224(file.url.encode()).hexdigest()
    path = cache.joinpath("http-v2", *key[:5], f"{key}.body")
    if not path.is_file() or path.stat().st_size != file.size:
        return None
    return path if digest_of(path.read_bytes()) == file.sha256 else None


def _in_uv_cache(file: File, cache: Path | None) -> Path | None:
    """The wheel as uv unpacked it, believed only where uv noted the sha256 that the index gives."""
    if not cache or not file.sha256:
        return None
    name = file.filename.removesuffix(".whl").partition("-")[2]
    for note in cache.glob(f"wheels-v*/*/**/{file.project}/{name}.http"):
        link = note.with_suffix("")
        try:
            if file.sha256.encode() in note.read_bytes() and link.is_dir():
                return link.resolve()
        except OSError:
            continue
    return None
