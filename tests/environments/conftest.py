"""Environments from a folder of small wheels written here: real uv, real installs, no network."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from matrix.environments.build import Environment
from matrix.environments.installer import Installer
from matrix.environments.recipes import HOST, Recipe

if TYPE_CHECKING:
    from pathlib import Path


def write_wheel(folder: Path, name: str, version: str, *, requires=(), files=None) -> Path:
    """A pure wheel of one module, `name.py`, or of these files."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {item}\n" for item in requires)
    contents = dict(files or {f"{module}.py": f'__version__ = "{version}"\n'})
    contents[f"{info}/METADATA"] = metadata
    contents[f"{info}/WHEEL"] = (
        "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    lines = []
    for path, text in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(text)}")
    contents[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,"]) + "\n"
    path = folder / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name_in, text in contents.items():
            archive.writestr(name_in, text)
    return path


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """A folder of wheels, and what is built from it alone."""

    wheels: Path

    @property
    def installer(self) -> Installer:
        return Installer.find(self.wheels)

    def add(self, name, version, **options):
        return write_wheel(self.wheels, name, version, **options)

    def environment(self, **changes) -> Environment:
        """An overlay on the torch beside the tool, with the release 9.9.9."""
        fields = {"name": "inherit", "why": "w", "base": HOST, "exact": ("flashinfer-python=={release}",)}
        return Environment(release="9.9.9", recipe=Recipe(**fields | changes), torch="torch==2.13.0")


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    monkeypatch.setenv("KERNEL_MATRIX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_OFFLINE", "1")
    made = Shelf(wheels=tmp_path / "wheels")
    made.wheels.mkdir()
    made.add("flashinfer-python", "9.9.9", files={"flashinfer/__init__.py": '__version__ = "9.9.9"\n'})
    return made
