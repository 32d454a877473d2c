"""What an environment and a machine are made of."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_LIST_PACKAGES = """
import importlib.metadata as m, json
print(json.dumps({(d.name or "?").lower().replace("_", "-"): d.version for d in reversed(list(m.distributions()))}))
"""


def packages(prefix: Path) -> dict[str, str]:
    """Every distribution that the interpreter of an environment sees, by normalized name, with its version."""
    python = prefix / "bin" / "python"
    found = subprocess.run([python, "-I", "-c", _LIST_PACKAGES], capture_output=True, text=True, check=True)
    return dict(sorted(json.loads(found.stdout).items()))


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
    found = subprocess.run(query, capture_output=True, text=True, check=False, timeout=60)
    if found.returncode:
        return []
    rows = [line.split(", ") for line in found.stdout.splitlines() if line.count(", ") == 2]
    return [Gpu(name=name, compute_capability=capability, driver=driver) for name, capability, driver in rows]
