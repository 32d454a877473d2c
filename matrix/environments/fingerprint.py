"""What an environment and a machine are made of, told without importing torch."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement

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
    """Look at the environment of an interpreter."""
    command = [str(python), "-I", "-c", _LOOK]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    return Fingerprint(**json.loads(found.stdout))


_ASKED = """
import importlib.metadata, json, sys
print(json.dumps([item for name in sys.argv[1:] for item in importlib.metadata.requires(name) or []]))
"""


def asked_by(python: Path, distributions: Sequence[str]) -> list[str]:
    """The requirements of distributions that an interpreter sees, those of their extras left out."""
    command = [str(python), "-I", "-c", _ASKED, *distributions]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    asked = [Requirement(item) for item in json.loads(found.stdout)]
    return [str(item) for item in asked if item.marker is None or item.marker.evaluate({"extra": ""})]


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """One GPU, as the driver names it."""

    name: str
    compute_capability: str
    driver: str


def gpus() -> list[Gpu]:
    """The GPUs of this machine, asked of the driver's own program so that no CUDA context is made."""
    if shutil.which("nvidia-smi") is None:
        return []
    query = ["nvidia-smi", "--query-gpu=name,compute_cap,driver_version", "--format=csv,noheader"]
    try:
        found = subprocess.run(query, capture_output=True, text=True, check=True, timeout=60)
    except (subprocess.SubprocessError, OSError):
        return []
    rows = [line.split(", ") for line in found.stdout.splitlines() if line.count(", ") == 2]
    return [Gpu(name=name, compute_capability=capability, driver=driver) for name, capability, driver in rows]
