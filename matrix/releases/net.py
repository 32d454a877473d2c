"""The one door to the network: every byte of an index or a wheel comes through `Network.get`."""

from __future__ import annotations

import base64
import logging
import netrc
import ssl
import threading
import time
import weakref
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from matrix.errors import NetworkError
from matrix.releases.settings import Settings, read_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

__all__ = ["Answer", "Network", "is_local"]

TRIES = 4
LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a server or a file gave.

    `total` is the size of the whole thing in bytes where only a part was asked for and known. `partial` says
    whether the body is that part; a server that knows no ranges sends the whole instead.
    """

    url: str
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    partial: bool = False
    total: int | None = None


class Network:
    """Reads URLs, `file:` ones included, as pip and uv are configured to; safe to share between threads.

    A host that cannot be connected to is tried a few times, and then not again. `bytes_read` and `requests` count
    what has been read so far.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or read_settings()
        self.bytes_read = 0
        self.requests = 0
        self._lock = threading.Lock()
        self._down: dict[bytes, str] = {}
        self._clients: dict[bool, httpx.Client] = {}
        weakref.finalize(self, _close, self._clients)

    def get(self, url: str, *, span: tuple[int, int] | None = None, accept: str = "*/*") -> Answer:
        """Read a URL, whole or a part.

        Args:
            url: `http:`, `https:` or `file:`, or a local path; a folder stands for its `index.html`.
            span: first and last byte, both included; a negative first byte counts from the end.
            accept: media types for the server.

        Returns:
            The answer; status 404 and the like are answers, not errors.

        Raises:
            NetworkError: offline, unreachable, or the body was cut short every time.
        """
        if is_local(url):
            return _local(url, span)
        if self.settings.offline:
            raise NetworkError(
                f"{_shown(url)} is needed, and this run is offline.",
                "Run once with the network, so that the cache holds it, or name a wheel or a folder instead.",
            )
        return self._remote(url, span, accept)

    def close(self) -> None:
        """Close the connections that are open; the next `get` opens new ones."""
        with self._lock:
            _close(self._clients)

    def _remote(self, url: str, span: tuple[int, int] | None, accept: str) -> Answer:
        import httpx

        headers = {"accept": accept}
        if span:
            headers["range"] = f"bytes={span[0]}" if span[0] < 0 else f"bytes={span[0]}-{span[1]}"
            headers["accept-encoding"] = "identity"
        client = self._client(urlsplit(url).netloc)
        problem = self._down.get(httpx.URL(url).netloc, "")
        for attempt in range(0 if problem else TRIES):
            if attempt:
                time.sleep(0.25 * 2**attempt)
                LOG.info("%s: %s; trying again", _shown(url), problem)
            try:
                response = client.get(url, headers=headers)
            except httpx.HTTPError as error:
                problem = f"{type(error).__name__}: {error}"
                if attempt == TRIES - 1 and isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
                    self._down[error.request.url.netloc] = problem
                continue
            with self._lock:
                self.requests += 1
                self.bytes_read += response.num_bytes_downloaded
            if response.status_code == 429 or response.status_code >= 500:
                problem = f"the server answered {response.status_code}"
                continue
            answer = Answer(
                url=str(response.url),
                status=response.status_code,
                body=response.content,
                headers=response.headers,
                partial=response.status_code == 206,
                total=_total(response.headers, response.status_code, len(response.content)),
            )
            if span and answer.partial and not _as_asked(span, answer):
                problem = "the server sent another range than the one asked for"
                continue
            return answer
        raise NetworkError(
            f"cannot read {_shown(url)}: {problem}.",
            "Check the network, the proxy and certificate settings of pip or uv, and the index URL.",
        )

    def _client(self, netloc: str) -> httpx.Client:
        import httpx

        settings = self.settings
        trusted = bool(
            {netloc.rpartition("@")[2], (urlsplit(f"//{netloc}").hostname or "")} & settings.trusted_hosts
        )
        with self._lock:
            if trusted not in self._clients:
                verify: ssl.SSLContext | bool = not trusted
                if not trusted:
                    bundle = (
                        settings.ca_bundle
                        if settings.ca_bundle and Path(settings.ca_bundle).exists()
                        else None
                    )
                    verify = ssl.create_default_context(cafile=bundle)
                    if settings.client_cert:
                        verify.load_cert_chain(settings.client_cert)
                self._clients[trusted] = httpx.Client(
                    verify=verify,
                    proxy=settings.proxy,
                    auth=self._login,
                    follow_redirects=True,
                    timeout=settings.timeout,
                    limits=httpx.Limits(max_connections=16, max_keepalive_connections=16),
                    headers={"user-agent": "kernel-matrix"},
                )
            return self._clients[trusted]

    def _login(self, request: httpx.Request) -> httpx.Request:
        """Credentials of the configured index for its own host, else those of the netrc file."""
        login = self.settings.credentials.get(request.url.netloc.decode())
        if login is None:
            try:
                entry = netrc.netrc(self.settings.netrc).authenticators(request.url.host)
            except (OSError, netrc.NetrcParseError):
                entry = None
            login = (entry[0], entry[2] or "") if entry else None
        if login:
            token = base64.b64encode(":".join(login).encode()).decode()
            request.headers["authorization"] = f"Basic {token}"
        return request


def is_local(url: str) -> bool:
    """Whether a URL is a path or a `file:` one."""
    return urlsplit(url).scheme in ("", "file")


def _close(clients: dict[bool, httpx.Client]) -> None:
    for client in clients.values():
        client.close()
    clients.clear()


def _local(url: str, span: tuple[int, int] | None) -> Answer:
    path = Path(unquote(urlsplit(url).path)) if url.startswith("file:") else Path(url)
    path = (path / "index.html" if path.is_dir() else path).absolute()
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            if span is None:
                return Answer(url=path.as_uri(), status=200, body=file.read(), total=size)
            first, last = (max(0, size + span[0]), size - 1) if span[0] < 0 else span
            file.seek(first)
            return Answer(
                url=path.as_uri(), status=206, body=file.read(last + 1 - first), partial=True, total=size
            )
    except OSError:
        return Answer(url=url, status=404, body=b"")


def _total(headers: Mapping[str, str], status: int, length: int) -> int | None:
    if status != 206:
        return length
    total = headers.get("content-range", "").rpartition("/")[2]
    return int(total) if total.isdigit() else None


def _as_asked(span: tuple[int, int], answer: Answer) -> bool:
    if span[0] < 0:
        return len(answer.body) == min(-span[0], answer.total or -span[0])
    return len(answer.body) == min(span[1] + 1, answer.total or span[1] + 1) - span[0]


def _shown(url: str) -> str:
    """The URL without credentials, for messages."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
