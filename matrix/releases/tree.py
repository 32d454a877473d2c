"""The files of one release as a tree: an unpacked or source folder, an sdist, or (in `wheel`) a wheel."""

from __future__ import annotations

import base64
import binascii
import csv
import gzip
import io
import os
import tarfile
import zlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from matrix.errors import NetworkError, unknown
from matrix.releases.net import Network

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from typing_extensions import Self

__all__ = ["Folder", "Member", "Sdist", "Tree"]


@dataclass(frozen=True, kw_only=True)
class Member:
    """One file of a tree: its size in bytes and, where they are known without reading it, its sha256 and CRC-32."""

    name: str
    size: int
    sha256: str | None = None
    crc: int | None = None


class Tree(ABC):
    """The files of one release, wherever they lie; `label` says where, for messages."""

    label: str

    @abstractmethod
    def members(self) -> Mapping[str, Member]:
        """Every file by its path inside the tree, with `/`."""

    @abstractmethod
    def read(self, names: Iterable[str]) -> dict[str, bytes]:
        """The contents of some files, checked.

        Raises:
            NetworkError: a content could not be read, or is not what the tree says of it.
            InputError: there is no such member.
        """

    def close(self) -> None:  # noqa: B027 - most trees hold nothing open
        """Give back what the tree holds open; it is not read afterwards."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _known(self, names: Iterable[str]) -> list[str]:
        known = self.members()
        wanted = list(dict.fromkeys(names))
        for name in wanted:
            if name not in known:
                raise unknown("member", name, known, self.label)
        return wanted

    def _check(self, name: str, data: bytes, digest: str | None) -> bytes:
        if len(data) != self.members()[name].size or (digest and digest_of(data) != digest):
            raise NetworkError(
                f"{self.label}: {name} is not what the package's RECORD says of it.",
                "It was damaged, or edited after it was built: build it again, or name a folder of its sources;"
                " a file in a cache may be removed.",
            )
        return data


class Sdist(Tree):
    """A `.tar.gz` as a tree; read whole, its top folder taken off.

    Args:
        url: where it is; a local path too.
        size: its size in bytes, where the index gives one.
        sha256: its digest, where the index gives one; checked.
        network: what to read it with.
    """

    def __init__(
        self, url: str, *, size: int | None = None, sha256: str | None = None, network: Network | None = None
    ) -> None:
        self.label = url.rpartition("/")[2]
        body = _read_whole(url, size, sha256, network or Network())
        self._contents: dict[str, bytes] = {}
        try:
            with tarfile.open(fileobj=io.BytesIO(gzip.decompress(body)), mode="r:") as archive:
                for entry in archive:
                    file = archive.extractfile(entry) if entry.isfile() else None
                    if file:
                        self._contents[entry.name.partition("/")[2]] = file.read()
        except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
            raise NetworkError(
                f"{self.label} is not a whole sdist: {error}.", "Remove it, or try again."
            ) from error
        self._members = {
            name: Member(name=name, size=len(data), sha256=digest_of(data))
            for name, data in self._contents.items()
        }

    def members(self) -> Mapping[str, Member]:
        """Every file of the sdist."""
        return self._members

    def read(self, names: Iterable[str]) -> dict[str, bytes]:
        """The contents of some files."""
        return {name: self._contents[name] for name in self._known(names)}


class Folder(Tree):
    """A source checkout, an unpacked wheel or any other folder.

    Args:
        path: the folder that holds the packages.
        record: whether contents are checked against its RECORD, as for a package manager's cache.
        only: the one package in it that is read; all where left out.
    """

    def __init__(self, path: Path, *, record: bool = False, only: str = "") -> None:
        self.label = str(path / only)
        self.path = path
        self.only = only
        self._digests: dict[str, str] = {}
        self._members: dict[str, Member] | None = None
        self._record = record

    def members(self) -> Mapping[str, Member]:
        """Every file below the folder that is not hidden."""
        if self._members is None:
            found: dict[str, Member] = {}
            for folder, folders, files in os.walk(self.path / self.only):
                folders[:] = sorted(
                    name for name in folders if not name.startswith(".") and name != "__pycache__"
                )
                for file in sorted(files):
                    whole = Path(folder, file)
                    name = whole.relative_to(self.path).as_posix()
                    if whole.is_file():
                        found[name] = Member(name=name, size=whole.stat().st_size)
            record = next((name for name in found if is_record(name)), None) if self._record else None
            if record:
                self._digests = record_digests((self.path / record).read_bytes(), self.label)
            self._members = found
        return self._members

    def read(self, names: Iterable[str]) -> dict[str, bytes]:
        """The contents of some files."""
        return {
            name: self._check(name, (self.path / name).read_bytes(), self._digests.get(name))
            for name in self._known(names)
        }


def _read_whole(url: str, size: int | None, digest: str | None, network: Network) -> bytes:
    label = url.rpartition("/")[2]
    answer = network.get(url)
    if answer.status != 200:
        raise NetworkError(
            f"{label}: the server answered {answer.status}.", "Refresh the listing or try again later."
        )
    if (size is not None and len(answer.body) != size) or (digest and digest_of(answer.body) != digest):
        raise NetworkError(
            f"{label} is not the file that the index names: size or sha256 differ.",
            "It was cut short, changed or damaged on the way; do not use it.",
        )
    return answer.body


def digest_of(data: bytes) -> str:
    return sha256(data).hexdigest()


def is_record(name: str) -> bool:
    folder, slash, file = name.partition("/")
    return bool(slash) and file == "RECORD" and folder.endswith(".dist-info")


def record_digests(record: bytes, label: str) -> dict[str, str]:
    """Hexadecimal sha256 by member, from a RECORD's base64 without padding.

    Raises:
        NetworkError: it is no RECORD.
    """
    try:
        rows = csv.reader(io.StringIO(record.decode("utf-8")))
        return {
            row[0]: base64.urlsafe_b64decode(row[1][len("sha256=") :] + "=").hex()
            for row in rows
            if len(row) > 1 and row[1].startswith("sha256=")
        }
    except (UnicodeDecodeError, csv.Error, binascii.Error) as error:
        raise NetworkError(f"{label}: its RECORD cannot be read: {error}.", "Build it again.") from error
