"""What an environment and a machine are made of, told without importing torch."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement

from matrix.errors import EnvironmentBuildError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_LOOK = """
import importlib.metadata, importlib.util, json, pathlib, platform, re, runpy
found = {"python": platform.python_version(), "torch": None, "cuda": None, "packages": {}}
for item in reversed(list(importlib.metadata.distributions())):
    found["packages"][re.sub("[-_.]+", "-", item.name or "?").lower()] = item.version
spec = importlib.util.find_spec("torch")
if spec and spec.origin:
    version = runpy.run_path(str(pathlib.Path(spec.origin).with_name("version.py")))
    found.update(torch=str(version["__version__"]), cuda=version.get("cuda"))
print(json.dumps(found))
"""


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """One environment.

    Args:
        python: version of its interpreter.
        torch: version of its torch, or None.
        cuda: CUDA version that torch was built for, or None for a CPU build.
        packages: every distribution that it sees, by normalized name, with its version.
    """

    python: str
    torch: str | None
    cuda: str | None
    packages: dict[str, str] = field(default_factory=dict)

    def on(self, machine: Sequence[Gpu]) -> dict[str, Any]:
        """The fingerprint on a machine, with the first GPU and the driver, and a hash over all of it."""
        gpu = machine[0] if machine else None
        told = asdict(self) | {
            "torch_build": f"CUDA {self.cuda}" if self.cuda else "CPU",
            "gpu": gpu and gpu.name,
            "gpus": len(machine),
            "compute_capability": gpu and gpu.compute_capability,
            "driver": gpu and gpu.driver,
        }
        return told | {"hash": hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]}


def look(python: Path) -> Fingerprint:
    """Look at the environment of an interpreter.

    Raises:
        EnvironmentBuildError: it cannot say what it holds.
    """
    return Fingerprint(**_told(python, _LOOK))


def _told(python: Path, script: str, *arguments: str) -> Any:
    """What a script prints as JSON in an interpreter that sees its own packages only."""
    command = [str(python), "-I", "-c", script, *arguments]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode:
        last = found.stderr.strip().splitlines()[-1:] or [f"status {found.returncode}"]
        raise EnvironmentBuildError(
            f"{python} cannot say which packages it holds: {last[0]}",
            "A package in it is damaged: build it anew.",
        )
    return json.loads(found.stdout)


_ASKED = """
import importlib.metadata, json, sys
print(json.dumps([item for name in sys.argv[1:] for item in importlib.metadata.requires(name) or []]))
"""


def asked_by(python: Path, distributions: Sequence[str]) -> list[str]:
    """The requirements of distributions that an interpreter sees, those of their extras left out."""
    asked = [Requirement(item) for item in _told(python, _ASKED, *distributions)]
    return [str(item) for item in asked if item.marker is None or item.marker.evaluate({"extra": ""})]


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """One GPU, as the driver names it; `device` is its place in CUDA_VISIBLE_DEVICES."""

    name: str
    compute_capability: str
    driver: str
    device: str


def gpus() -> list[Gpu]:
    """The GPUs that this process may use, asked of the driver's own program so that no CUDA context is made."""
    if shutil.which("nvidia-smi") is None:
        return []
    fields = "name,compute_cap,driver_version,index,uuid"
    query = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader"]
    try:
        found = subprocess.run(query, capture_output=True, text=True, check=True, timeout=60)
    except (subprocess.SubprocessError, OSError):
        return []
    rows = [line.split(", ") for line in found.stdout.splitlines() if line.count(", ") == 4]
    asked = os.environ.get("CUDA_VISIBLE_DEVICES")
    return _visible([row[3] for row in rows] if asked is None else asked.split(","), rows)


def _visible(devices: Sequence[str], rows: Sequence[Sequence[str]]) -> list[Gpu]:
    """The GPUs that CUDA would show for CUDA_VISIBLE_DEVICES: up to the first that does not exist."""
    chosen = []
    for device in map(str.strip, devices):
        row = next((row for row in rows if device and (device == row[3] or row[4].startswith(device))), None)
        if row is None and device.startswith("MIG-") and rows:
            row = rows[0]
        if row is None:
            break
        chosen.append(Gpu(name=row[0], compute_capability=row[1], driver=row[2], device=device))
    return chosen
