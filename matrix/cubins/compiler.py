"""Compiling a release's selection code: the release's own sources and flags, bounded in memory, time and disk."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matrix.cubins.refusals import NoSelectionError
from matrix.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matrix.cubins.settings import Settings
    from matrix.cubins.toolchain import Toolchain
    from matrix.environments.build import Built

TAIL = 12
GIB = 1 << 30
DEVICE = Path(__file__).with_name("device.c")
SPEC = Path(__file__).with_name("spec.py")
ASKED = "selection.so"
"""The module that is asked, with `device.c` in place of a GPU."""
PLAIN = "plain.so"
"""The same module as the release itself would load it, on whatever GPU there is."""
UNCHECKED = "FLASHINFER_CUBIN_CHECKSUM_DISABLED"
"""With it FlashInfer reads headers that are not those of its release; for experiments with changed ones."""

_NAME = re.compile(r"^(name) = (\S+)$", re.MULTILINE)  # a variable that older releases name folders by
_OBJECT = re.compile(r"^build (\S+\.o): \w+ (\S+)$", re.MULTILINE)
_STARVED = re.compile(
    r"out of memory|cannot allocate memory|bad_alloc|virtual memory exhausted|\bKilled\b", re.IGNORECASE
)


@dataclass(frozen=True, kw_only=True)
class Compiler:
    """What compiles, for one release and architecture.

    Args:
        settings: `selection.toml`.
        toolchain: compiler and headers of CUDA.
        built: the release's environment.
        folder: where everything is made, the modules `ASKED` and `PLAIN` too.
        arch: such as `10.0a`.
        jobs: compiler processes at a time, at most.
        cubins: the local package that the kernels' headers are of, or None.
    """

    settings: Settings
    toolchain: Toolchain
    built: Built
    folder: Path
    arch: str
    jobs: int
    cubins: Path | None = None

    def spec(self) -> dict[str, Any]:
        """How the release itself would compile its MoE module: `ninja` file, `sources`, `enums`.

        Raises:
            NoSelectionError: it does not say, or refuses the architecture.
        """
        meanings = self.settings.parameter.values()
        enums = {meaning[key] for meaning in meanings for key in ("enum", "activation") if key in meaning}
        command = [self.built.python, SPEC, self.settings.code["generator"], *sorted(enums)]
        done = subprocess.run(
            list(map(str, command)), env=self._variables(), capture_output=True, text=True, check=False
        )
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "no message"
            if "No supported CUDA architectures" in last:
                reason = f"the release does not say how to compile its module: {last}"
                raise NoSelectionError(Verdict.UNSUPPORTED, reason, "Choose an architecture that it takes.")
            reason, remedy = self._blame(
                "the release does not say how to compile its module", "See the release's own flashinfer/jit."
            )
            raise NoSelectionError(Verdict.BUILD_ERROR, f"{reason}: {last}", remedy)
        spec: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        return spec

    def _blame(self, reason: str, remedy: str) -> tuple[str, str]:
        """A failure of a release with the headers of a local package says nothing of the release alone."""
        if self.cubins is None:
            return reason, remedy
        release = self.built.environment.release
        return (
            f"the headers in {self.cubins} are not those that FlashInfer {release} compiles with",
            f"Give an unchanged flashinfer-cubin {release}, or leave --cubins out to take that of the index.",
        )

    def compile(self, ninja: str, kept: list[str]) -> float:
        """Compile the sources and link them; symbols of those left out stay open, for nothing calls them.

        Returns:
            Seconds that it took.

        Raises:
            NoSelectionError: BUILD_ERROR with the last lines, or OUT_OF_MEMORY.
        """
        code = self.settings.code
        jobs = fitting_jobs(code["memory_gib"], code["disk_gib"], self.folder, self.jobs)
        text = Path(ninja).read_text(encoding="utf-8").replace("-O3", code["optimization"])
        for name, value in _NAME.findall(text):
            text = text.replace(f"${name}/", f"{value}/")
        objects = [target for target, source in _OBJECT.findall(text) if source in kept]
        build_file = self.folder / "build.ninja"
        build_file.write_text(text, encoding="utf-8")
        started = time.monotonic()
        limit = 2 * code["memory_gib"] * GIB // 1024  # KiB of address space; of that half is used at most
        limited = ["nice", "-n", "10", "sh", "-c", 'ulimit -v "$0"; exec "$@"', str(limit)]
        self._run([*limited, "ninja", "-f", str(build_file), "-j", str(jobs), *objects])
        major, _, minor = self.arch.rstrip("af").partition(".")
        device = [
            "-x",
            "c",
            str(DEVICE),
            f"-DMAJOR={major}",
            f"-DMINOR={minor}",
            "-x",
            "none",
            "-Wl,-Bsymbolic",
        ]
        self._link(self.folder / ASKED, [*device, *objects])
        self._link(self.folder / PLAIN, objects)
        return time.monotonic() - started

    def _link(self, module: Path, parts: list[str]) -> None:
        """Link a module whose symbols may stay open."""
        options = ["-shared", "-fPIC", "-Wl,-z,lazy,--unresolved-symbols=ignore-all"]
        self._run(["cc", *options, "-o", str(module), *parts, "-lstdc++", str(self.toolchain.cudart)])

    def _run(self, command: list[str]) -> None:
        minutes = self.settings.code["minutes"]
        try:
            done = subprocess.run(
                command,
                cwd=self.folder,
                env=self._variables(),
                capture_output=True,
                text=True,
                check=False,
                timeout=60 * minutes,
            )
        except subprocess.TimeoutExpired as error:
            raise NoSelectionError(
                Verdict.TIMEOUT, f"no end of compiling after {minutes} minutes.", "Use a faster machine."
            ) from error
        if done.returncode == 0:
            return
        output = done.stdout + done.stderr
        tail = "\n    ".join(line for line in output.strip().splitlines()[-TAIL:] if line.strip())
        failed = "compiling the release's selection code failed"
        if _STARVED.search(output):
            raise NoSelectionError(Verdict.OUT_OF_MEMORY, f"{failed}:\n    {tail}", "Give it more memory.")
        reason, remedy = self._blame(failed, "Compare the release's sources with its kernels' headers.")
        raise NoSelectionError(Verdict.BUILD_ERROR, f"{reason}:\n    {tail}", remedy)

    def _variables(self) -> Mapping[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTHON", "FLASHINFER")) or name == UNCHECKED
        }
        chain = self.toolchain.variables()
        chain["PATH"] = os.pathsep.join([*self.built.programs, chain["PATH"]])
        return (
            kept
            | chain
            | {
                "FLASHINFER_CUDA_ARCH_LIST": self.arch,
                "FLASHINFER_NO_DOWNLOAD": "1",
                "FLASHINFER_CUBIN_DIR": str(self.folder / "cubins"),
                "FLASHINFER_CUBINS_REPOSITORY": str(self.folder / "cubins"),  # where it would download from
                "FLASHINFER_WORKSPACE_BASE": str(self.folder / "workspace"),
                "CUDA_VISIBLE_DEVICES": "",
            }
        )


def fitting_jobs(memory_gib: int, disk_gib: int, folder: Path, most: int) -> int:
    """Compiler processes that fit into memory and cores.

    Raises:
        NoSelectionError: not one fits, or the disk is full.
    """
    free = _free_memory()
    if free < memory_gib * GIB:
        reason = f"{free / GIB:.1f} GiB of memory are free, and compiling needs {memory_gib}."
        raise NoSelectionError(Verdict.OUT_OF_MEMORY, reason, "End other programs, or use a larger machine.")
    disk = shutil.disk_usage(folder).free
    if disk < disk_gib * GIB:
        reason = f"{disk / GIB:.1f} GiB of disk are free in {folder.parent}, and compiling needs {disk_gib}."
        raise NoSelectionError(Verdict.NOT_RUN, reason, "Free some space, or set KERNEL_MATRIX_CACHE.")
    return max(1, min(most, len(os.sched_getaffinity(0)), free // (memory_gib * GIB)))


def _free_memory() -> int:
    """Bytes that programs can still have."""
    try:
        found = re.search(r"MemAvailable:\s+(\d+)", Path("/proc/meminfo").read_text(encoding="ascii"))
    except OSError:
        found = None
    return int(found[1]) * 1024 if found else os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
