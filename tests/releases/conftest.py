"""A package index on this machine: a real HTTP server over a folder, which can be made to misbehave."""

import base64
import hashlib
import json
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from matrix.releases.net import Network
from matrix.releases.settings import Settings


def record_line(name, data):
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(data)}"


def write_wheel(folder, version="1.0", files=None, project="some_kernels"):
    """A wheel with a RECORD, members stored apart from each other by ballast."""
    files = files or {
        "some_kernels/__init__.py": b"from .core import f as f\n",
        "some_kernels/core.py": b"def f(a): ...\n",
    }
    path = Path(folder) / f"{project}-{version}-py3-none-any.whl"
    dist = f"{project}-{version}.dist-info"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        lines = []
        for number, (name, data) in enumerate(files.items()):
            ballast = bytes((number * 7 + i * i) % 251 for i in range(40_000))
            for entry, content in ((name, data), (f"{project}/data/{number}.bin", ballast)):
                archive.writestr(entry, content, zipfile.ZIP_STORED if entry.endswith(".bin") else None)
                lines.append(record_line(entry, content))
        archive.writestr(f"{dist}/METADATA", f"Name: {project}\nVersion: {version}\n")
        archive.writestr(f"{dist}/RECORD", "\n".join([*lines, f"{dist}/RECORD,,"]))
    return path


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        index = self.server.index
        index.requests.append((self.path, self.headers.get("range"), self.headers.get("authorization")))
        if index.login and self.headers.get("authorization") != index.login:
            self._send(401, b"")
            return
        if index.leads_to:
            self.send_response(302)
            self.send_header("location", index.leads_to)
            self.send_header("content-length", "0")
            self.end_headers()
            return
        if index.failures:
            index.failures -= 1
            self._send(503, b"")
            return
        body = index.page(self.path)
        if body is None:
            self._send(404, b"")
            return
        wanted = self.headers.get("range")
        if wanted and index.ranges and not self.path.endswith("/"):
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            start, end = (int(first), int(last)) if first else (max(0, len(body) - int(last)), len(body) - 1)
            part = body[start : end + 1]
            self._send(206, part, f"bytes {start}-{start + len(part) - 1}/{len(body)}")
        else:
            self._send(200, body)

    def _send(self, status, body, content_range=None):
        index = self.server.index
        self.send_response(status)
        kind = "text/html" if index.html or status != 200 else "application/vnd.pypi.simple.v1+json"
        self.send_header("content-type", kind)
        if content_range:
            self.send_header("content-range", content_range)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        cut = index.cuts > 0 and status in (200, 206) and not self.path.endswith("/")
        if cut:
            index.cuts -= 1
            self.close_connection = True
        self.wfile.write(body[: len(body) // 2] if cut else body)


class LocalIndex:
    """Serves a folder's wheels; `ranges`, `html`, `cuts`, `failures`, `login`, `leads_to` and `spoil` change how."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.requests = []
        self.ranges, self.html, self.cuts, self.failures, self.login = True, False, 0, 0, None
        self.leads_to = ""
        self.spoil = lambda data: data
        self.yanked = set()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.server.index = self
        self.url = f"http://127.0.0.1:{self.server.server_port}/simple"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def page(self, path):
        name = path.strip("/").rpartition("/")[2]
        if path.startswith("/files/"):
            file = self.folder / name
            return self.spoil(file.read_bytes()) if file.is_file() else None
        if name != "some-kernels":
            return None
        files = sorted(self.folder.glob("some_kernels-*"))
        if self.html:
            links = "".join(
                f'<a href="/files/{f.name}#sha256={self.digest(f)}"'
                f"{' data-yanked' if f.name in self.yanked else ''}>{f.name}</a><br>"
                for f in files
            )
            return f"<!DOCTYPE html><html><body>{links}</body></html>".encode()
        rows = [
            {
                "filename": f.name,
                "url": f"/files/{f.name}",
                "hashes": {"sha256": self.digest(f)},
                "size": f.stat().st_size,
                "yanked": f.name in self.yanked,
            }
            for f in files
        ]
        return json.dumps({"meta": {"api-version": "1.1"}, "name": name, "files": rows}).encode()

    @staticmethod
    def digest(file):
        return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.fixture
def local_index(tmp_path):
    folder = tmp_path / "index"
    folder.mkdir()
    write_wheel(folder)
    index = LocalIndex(folder)
    yield index
    index.server.shutdown()
    index.server.server_close()


@pytest.fixture
def network(local_index, monkeypatch):
    monkeypatch.setattr("matrix.releases.net.time.sleep", lambda _: None)
    made = Network(Settings(indexes=(local_index.url,), timeout=10))
    yield made
    made.close()


@pytest.fixture(scope="session")
def wheel_in():
    """A function that writes a wheel into a folder."""
    return write_wheel
