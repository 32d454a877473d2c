"""Which files a project has published, on the indexes and in the folders that pip and uv are told of."""

from __future__ import annotations

import html.parser
import json
import logging
import platform
import time
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from matrix.errors import InputError, NetworkError
from matrix.releases.net import Network
from matrix.releases.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["File", "Index", "Published", "published"]

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
FRESH_SECONDS = 3600
SCHEMA = 1
LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class File:
    """One wheel or sdist: `url` may be a local path; `size` (bytes) and `sha256` as the index gives them."""

    project: str
    version: str
    filename: str
    url: str
    sha256: str | None = None
    size: int | None = None
    requires_python: str | None = None
    yanked: bool = False
    uploaded: str | None = None

    @property
    def is_wheel(self) -> bool:
        """Whether this is a wheel, else it is an sdist."""
        return self.filename.endswith(".whl")

    @property
    def any_platform(self) -> bool:
        """Whether the file holds nothing built for one platform; always true for an sdist."""
        return not self.is_wheel or self.filename.endswith("-any.whl")


@dataclass(frozen=True, kw_only=True)
class Published:
    """One version of a project and its files."""

    version: str
    files: tuple[File, ...]

    @property
    def yanked(self) -> bool:
        """Whether its authors took it back: every file is marked so."""
        return all(file.yanked for file in self.files)

    @property
    def best(self) -> File:
        """The file to read source from: a wheel for any platform, for this one, any other, an sdist."""
        machine = platform.machine().lower()

        def rank(file: File) -> tuple[bool, bool, bool, str]:
            here = "linux" in file.filename and file.filename.endswith(f"{machine}.whl")
            return (not file.is_wheel, not file.any_platform, not here, file.filename)

        return min(self.files, key=rank)


class Index:
    """The files of projects, from every configured index and folder; the first to offer a file name wins.

    For a project the indexes are asked once at most, whether they answer or not.

    Args:
        network: how to reach the indexes; its settings name them.
        store: where listings are kept, for an hour and for offline use.
        refresh: ask the indexes even where a listing is fresh.
    """

    def __init__(
        self, network: Network | None = None, store: Store | None = None, *, refresh: bool = False
    ) -> None:
        self.network = network or Network()
        self.store = store or Store()
        self.refresh = refresh
        self._told: dict[str, list[File] | NetworkError] = {}

    def files(self, project: str) -> list[File]:
        """Every wheel and sdist of a project, oldest version first.

        Raises:
            NetworkError: no index could be asked and the cache holds no listing.
            InputError: no index or folder knows the project.
        """
        name = canonicalize_name(project)
        if name not in self._told:
            try:
                self._told[name] = self._kept_or_asked(name)
            except NetworkError as error:
                self._told[name] = error
        told = self._told[name]
        if isinstance(told, NetworkError):
            raise NetworkError(told.what, told.remedy) from told
        return told

    def _kept_or_asked(self, name: str) -> list[File]:
        settings = self.network.settings
        asked = sha256("\n".join([*settings.indexes, *settings.find_links]).encode()).hexdigest()[:16]
        key = f"{SCHEMA}/{asked}/{name}.json"
        kept = _load(self.store.read("listings", key))
        if kept and (settings.offline or (not self.refresh and time.time() - kept[0] < FRESH_SECONDS)):
            return kept[1]
        try:
            found = self._ask(name)
        except NetworkError as error:
            if kept:
                LOG.warning(
                    "%s Using the listing of %s.", error.what, time.strftime("%F %R", time.localtime(kept[0]))
                )
                return kept[1]
            raise
        self.store.write(
            "listings", key, json.dumps([time.time(), [asdict(file) for file in found]]).encode()
        )
        return found

    def releases(self, project: str, *, pre: bool = False, yanked: bool = False) -> list[Published]:
        """The published versions of a project, oldest first.

        Args:
            project: the distribution's name.
            pre: also release candidates and other pre-releases.
            yanked: also versions that were taken back.
        """
        versions: dict[str, list[File]] = {}
        for file in self.files(project):
            versions.setdefault(file.version, []).append(file)
        every = [Published(version=version, files=tuple(files)) for version, files in versions.items()]
        every.sort(key=lambda one: Version(one.version))
        return [
            one
            for one in every
            if (pre or not Version(one.version).is_prerelease) and (yanked or not one.yanked)
        ]

    def release(self, project: str, version: str) -> Published:
        """One published version, a pre-release or a yanked one too.

        Raises:
            InputError: there is no such version; names the nearest.
        """
        every = self.releases(project, pre=True, yanked=True)
        try:
            wanted = Version(version)
        except InvalidVersion:
            newest = ", ".join(one.version for one in every[-3:])
            remedy = f"Give a version as the index shows it; the newest are {newest}."
            raise InputError(f"unknown release of {project}: '{version}'.", remedy) from None
        for one in every:
            if Version(one.version) == wanted:
                return one
        place = sum(Version(one.version) < wanted for one in every)
        near = ", ".join(one.version for one in every[max(0, place - 2) : place + 2])
        raise InputError(
            f"unknown release of {project}: '{version}'.", f"Nearest published releases: {near}."
        )

    def _ask(self, name: str) -> list[File]:
        settings = self.network.settings
        found: dict[str, File] = {}
        problems: list[NetworkError] = []
        for index in settings.indexes:
            try:
                listed = self._page(f"{index.rstrip('/')}/{name}/", name)
            except NetworkError as error:
                problems.append(error)
                continue
            for file in listed:
                found.setdefault(file.filename, file)
        for link in settings.find_links:
            for file in self._links(link, name):
                found.setdefault(file.filename, file)
        if not found and problems:
            raise problems[0]
        if not found:
            raise InputError(
                f"no package index and no folder of wheels knows '{name}'.",
                "Check the spelling, and the index settings of pip or uv.",
            )
        for problem in problems:
            LOG.warning("%s It is passed over.", problem.what)
        return sorted(found.values(), key=lambda file: (Version(file.version), file.filename))

    def _page(self, url: str, name: str) -> list[File]:
        answer = self.network.get(url, accept=ACCEPT)
        if answer.status == 404:
            return []
        if answer.status != 200:
            raise NetworkError(
                f"{url} answered {answer.status}.",
                "Check the index URL and its credentials."
                if answer.status in (401, 403)
                else "Try again later.",
            )
        kind = answer.headers.get("content-type", "")
        if "json" in kind:
            return _from_json(answer.body, answer.url, name)
        return _from_html(answer.body, answer.url, name)

    def _links(self, link: str, name: str) -> list[File]:
        path = Path(unquote(urlsplit(link).path)) if link.startswith("file:") else Path(link)
        if "://" not in link or link.startswith("file:"):
            if path.is_dir():
                entries = sorted(path.iterdir())
                found = [_file(entry.name, str(entry), name) for entry in entries]
                return [replace(file, size=Path(file.url).stat().st_size) for file in found if file]
            if not path.exists():
                return []
        return self._page(link, name)


def published(
    project: str = "flashinfer-python", *, pre: bool = False, index: Index | None = None
) -> list[str]:
    """The versions of a project that the configured indexes offer, oldest first."""
    return [one.version for one in (index or Index()).releases(project, pre=pre)]


def _load(data: bytes | None) -> tuple[float, list[File]] | None:
    try:
        when, rows = json.loads(data or b"")
        return float(when), [File(**row) for row in rows]
    except (ValueError, TypeError):
        return None


def _file(filename: str, url: str, name: str) -> File | None:
    """A file by its name, or nothing where it is no wheel or sdist of the project."""
    try:
        if filename.endswith(".whl"):
            project, version = parse_wheel_filename(filename)[:2]
        elif filename.endswith((".tar.gz", ".zip")):
            project, version = parse_sdist_filename(filename)
        else:
            return None
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        return None
    return File(project=name, version=str(version), filename=filename, url=url) if project == name else None


def _from_json(body: bytes, url: str, name: str) -> list[File]:
    try:
        rows = json.loads(body)["files"]
        found = [(_file(row["filename"], urljoin(url, row["url"]), name), row) for row in rows]
    except (ValueError, KeyError, TypeError) as error:
        raise NetworkError(f"{url} is not a Simple API page: {error!r}.", "Check the index URL.") from error
    return [
        replace(
            file,
            sha256=row.get("hashes", {}).get("sha256"),
            size=row.get("size"),
            requires_python=row.get("requires-python"),
            yanked=bool(row.get("yanked")),
            uploaded=row.get("upload-time"),
        )
        for file, row in found
        if file
    ]


class _Anchors(html.parser.HTMLParser):
    """The links of a Simple API page in HTML."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self.base = base
        self.links: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: Iterable[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        href = values.get("href")
        if tag == "base" and href:
            self.base = urljoin(self.base, href)
        elif tag == "a" and href:
            self.links.append(values | {"href": urljoin(self.base, href)})


def _from_html(body: bytes, url: str, name: str) -> list[File]:
    page = _Anchors(url)
    page.feed(body.decode("utf-8", "replace"))
    return [file for link in page.links if (file := _from_anchor(link, name))]


def _from_anchor(link: dict[str, str | None], name: str) -> File | None:
    target, fragment = urldefrag(link["href"] or "")
    file = _file(unquote(urlsplit(target).path.rpartition("/")[2]), target, name)
    digest = fragment.partition("sha256=")[2].partition("&")[0]
    return file and replace(
        file,
        sha256=digest or None,
        requires_python=link.get("data-requires-python"),
        yanked="data-yanked" in link,
    )
