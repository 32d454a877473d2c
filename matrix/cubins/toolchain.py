"""A CUDA compiler: the system's where it is whole, else one version of it from the package index."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from matrix import cache
from matrix.cubins.refusals import NoSelectionError
from matrix.errors import EnvironmentBuildError
from matrix.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matrix.cubins.settings import Settings
    from matrix.environments.installer import Installer


@dataclass(frozen=True, kw_only=True)
class Toolchain:
    """A compiler with what it needs.

    Attributes:
        home: the folder with `bin/nvcc` and `include`.
        version: of CUDA, such as `13.0`.
        origin: `system` or `package index`.
        cudart: the runtime library.
    """

    home: Path
    version: str
    origin: str
    cudart: Path

    def variables(self) -> dict[str, str]:
        """What compilers and FlashInfer read to find it."""
        include = self.home / "include"
        paths = [str(path) for path in (include, include / "cccl") if path.is_dir()]
        return {
            "CUDA_HOME": str(self.home),
            "CPATH": os.pathsep.join(paths),
            "PATH": os.pathsep.join([str(self.home / "bin"), os.environ.get("PATH", "")]),
        }


def find(settings: Settings, installer: Installer) -> Toolchain:
    """The toolchain of this machine; installs it into the cache folder where the system's is absent or not whole.

    Raises:
        NoSelectionError: there is no C++ compiler, or no CUDA compiler can be had.
    """
    if shutil.which("c++") is None:
        raise NoSelectionError(
            Verdict.NOT_RUN, "there is no C++ compiler (c++) on this machine.", "Install g++ or clang."
        )
    return present(settings) or _install(settings, installer)


def present(settings: Settings) -> Toolchain | None:
    """The toolchain that is on this machine already: the system's, or the one installed before; None without one."""
    for home in _system_homes():
        if found := _look(home, "system", settings):
            return found
    return _installed(_prefix(settings), settings)


def _system_homes() -> Iterator[Path]:
    """Where a system keeps CUDA; a `nvcc` on the path may be a link or a script beside nothing else."""
    named = (os.environ.get(name) for name in ("CUDA_HOME", "CUDA_PATH"))
    yield from (Path(path) for path in named if path)
    if nvcc := shutil.which("nvcc"):
        yield Path(nvcc).resolve().parents[1]
    yield Path("/usr/local/cuda")


def _look(home: Path, origin: str, settings: Settings) -> Toolchain | None:
    """The toolchain in a folder; None where a part of it is missing."""
    whole = all((home / "include" / header).is_file() for header in settings.toolchain["headers"])
    libraries = sorted(home.glob("lib*/libcudart.so.*")) or sorted(home.glob("lib*/libcudart.so"))
    if not whole or not libraries:
        return None
    try:
        told = subprocess.run(
            [home / "bin" / "nvcc", "--version"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    version = re.search(r"release (\d+\.\d+)", told.stdout)
    return version and Toolchain(home=home, version=version[1], origin=origin, cudart=libraries[0])


def _install(settings: Settings, installer: Installer) -> Toolchain:
    """Install the toolchain into the cache folder; it gets its name only once it is whole."""
    packages, prefix = settings.toolchain["packages"], _prefix(settings)
    if not prefix.is_dir():
        fresh = prefix.with_name(f"{prefix.name}.{os.getpid()}")
        try:
            installer.make_environment(sys.executable, fresh)
            installer.install(fresh, packages, dependencies=True)
            fresh.rename(prefix)
        except (EnvironmentBuildError, OSError) as error:
            reason = f"there is no whole CUDA toolkit here, and none can be installed: {getattr(error, 'what', error)}"
            remedy = f"{getattr(error, 'remedy', '')} Or install a CUDA toolkit and set CUDA_HOME.".strip()
            raise NoSelectionError(Verdict.NOT_RUN, reason, remedy) from error
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    if found := _installed(prefix, settings):
        return found
    reason = f"the CUDA packages installed in {prefix} make no whole toolkit."
    raise NoSelectionError(Verdict.NOT_RUN, reason, "Remove that folder, or set CUDA_HOME to a toolkit.")


def _prefix(settings: Settings) -> Path:
    identity = sha256("\n".join(settings.toolchain["packages"]).encode()).hexdigest()[:12]
    return cache.folder("toolchains") / f"cuda-{settings.toolchain['version']}-{identity}"


def _installed(prefix: Path, settings: Settings) -> Toolchain | None:
    """The toolchain in an environment of the CUDA packages."""
    for home in sorted(prefix.glob("lib/python3*/site-packages/nvidia/cu*")):
        if found := _look(home, "package index", settings):
            return found
    return None
