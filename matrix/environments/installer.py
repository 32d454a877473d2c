"""uv where it is present, pip where it is not: the two programs that put packages into an environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matrix.errors import EnvironmentBuildError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

LOG_TAIL = 12
MINUTES = 60
NO_NETWORK = (
    *("failed to fetch", "connection", "dns error", "timed out", "resolve host", "name resolution"),
    *("network was disabled", "network is unreachable", "offline"),
)
NO_SOLUTION = ("no solution found", "no matching distribution", "resolutionimpossible")
HANDED_TO_UV = {
    "PIP_FIND_LINKS": "UV_FIND_LINKS",
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_CERT": "SSL_CERT_FILE",
}


@dataclass(frozen=True, kw_only=True)
class Installer:
    """Makes virtual environments and installs into them.

    Args:
        uv: path of the uv program, or None for the pip of the interpreter that runs the tool.
        wheels: a folder of wheels that is the only source, for machines without network.
    """

    uv: str | None
    wheels: Path | None = None
    _running: set[subprocess.Popen[str]] = field(default_factory=set, compare=False)
    _stopped: threading.Event = field(default_factory=threading.Event, compare=False)

    @classmethod
    def find(cls, wheels: Path | None = None) -> Installer:
        """The installer of this machine: uv beside the interpreter or on the PATH, else pip.

        Raises:
            InputError: neither is present, or the wheel folder is not one.
        """
        if wheels is not None and not any(wheels.glob("*.whl")):
            raise InputError(f"{wheels} holds no wheels.", "Name a folder of .whl files with --wheels.")
        beside = Path(sys.executable).with_name("uv")
        uv = str(beside) if beside.is_file() else shutil.which("uv")
        if uv is None and _run([sys.executable, "-m", "pip", "--version"]).returncode:
            raise InputError(
                f"neither uv nor pip can be run by {sys.executable}.",
                "Install one of them: python -m ensurepip, or your system's uv package.",
            )
        return cls(uv=uv, wheels=wheels and wheels.resolve())

    @property
    def name(self) -> str:
        """`uv` or `pip`, as reports show it."""
        return "uv" if self.uv else "pip"

    def make_environment(self, python: str, prefix: Path) -> None:
        """Create an empty virtual environment of that interpreter, in place of what lies at `prefix`."""
        if self.uv:
            self._checked([self.uv, "venv", "--quiet", "--clear", "--python", python, str(prefix)])
        else:
            self._checked([python, "-m", "venv", "--without-pip", "--clear", str(prefix)])

    def install(self, prefix: Path, requirements: Sequence[str], *, dependencies: bool) -> str:
        """Install into the environment at `prefix`; returns what the program printed.

        Raises:
            EnvironmentBuildError: the program failed; carries its last lines.
        """
        python = str(prefix / "bin" / "python")
        if self.uv:
            command = [self.uv, "pip", "install", "--python", python]
        else:
            command = [sys.executable, "-m", "pip", "--python", python, "install", "--no-input"]
        if not dependencies:
            command.append("--no-deps")
        if self.wheels:
            command += ["--no-index", "--find-links", str(self.wheels)]
        return self._checked([*command, *requirements])

    def stop(self) -> None:
        """End the programs that run in other threads, and start no other: the user interrupted."""
        self._stopped.set()
        for process in list(self._running):
            process.kill()

    def _checked(self, command: list[str]) -> str:
        finished = _run(command, self._variables(), self._noted)
        output = finished.stdout + finished.stderr
        if finished.returncode:
            tail = "\n    ".join(output.strip().splitlines()[-LOG_TAIL:])
            raise EnvironmentBuildError(f"`{' '.join(command)}` failed:\n    {tail}", _remedy(output))
        return output

    @contextmanager
    def _noted(self, process: subprocess.Popen[str]) -> Iterator[None]:
        self._running.add(process)
        if self._stopped.is_set():
            process.kill()
        try:
            yield
        finally:
            self._running.discard(process)

    def _variables(self) -> dict[str, str]:
        variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return (variables | pip_settings_for_uv(variables)) if self.uv else variables


def pip_settings_for_uv(variables: Mapping[str, str]) -> dict[str, str]:
    """Settings of pip under the names that uv reads, where uv's own are not set: uv knows none of pip's."""
    told = {
        theirs: variables[ours]
        for ours, theirs in HANDED_TO_UV.items()
        if variables.get(ours) and theirs not in variables
    }
    if "UV_FIND_LINKS" in told:
        told["UV_FIND_LINKS"] = ",".join(told["UV_FIND_LINKS"].split())
    return told


def find_python(version: str) -> str:
    """The path of an installed interpreter of that version, such as `3.12`.

    Raises:
        InputError: there is none on this machine.
    """
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    folders = os.environ.get("PATH", "").split(os.pathsep)
    candidates = [Path(folder) / f"python{version}" for folder in folders]
    candidates += sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))
    for candidate in candidates:
        if candidate.is_file() and not _run([str(candidate), "-c", ""]).returncode:
            return str(candidate)
    raise InputError(f"no Python {version} on this machine.", "Install it, or leave it out of --python.")


def _run(
    command: list[str],
    variables: dict[str, str] | None = None,
    noted: Callable[..., AbstractContextManager[Any]] = nullcontext,
) -> subprocess.CompletedProcess[str]:
    pipes: dict[str, Any] = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
    }
    try:
        with (
            subprocess.Popen(command, env=variables, text=True, errors="replace", **pipes) as process,
            noted(process),
        ):
            try:
                output, errors = process.communicate(timeout=60 * MINUTES)
            except subprocess.TimeoutExpired:
                process.kill()
                return subprocess.CompletedProcess(command, 1, "", f"no end after {MINUTES} minutes")
            return subprocess.CompletedProcess(command, process.returncode, output, errors)
    except OSError as error:
        return subprocess.CompletedProcess(command, 1, "", str(error))


def _remedy(output: str) -> str:
    """What to do, told from what the program printed."""
    text = output.lower()
    if "no space left" in text:
        return "The disk is full: free some space, or set KERNEL_MATRIX_CACHE to a folder on another disk."
    if any(sign in text for sign in NO_NETWORK):
        return (
            "The package index was not reached: check the network, or give a folder of wheels with --wheels."
        )
    if any(sign in text for sign in NO_SOLUTION):
        return "The requirements above cannot be met together: check the release, --torch and --python."
    return "Run the command above by hand to see more."
