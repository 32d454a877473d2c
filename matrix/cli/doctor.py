"""Look at this machine: interpreter, installer, torch, GPUs, cache, package index; says what would not work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matrix.cli import options

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

HELP = "look at this machine and say what would not work"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `doctor`."""
    parser.epilog = "example:\n  kernel-matrix doctor"
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print one line a finding; exit 2 where a run could not start."""
    findings = {name: _told(look) for name, look in LOOKS.items()}
    if arguments.json:
        options.print_json(findings)
    else:
        for name, finding in findings.items():
            print(f"{'ok  ' if finding['ok'] else 'FAIL'}  {name:10}  {finding['text']}")
    return 0 if all(finding["ok"] for finding in findings.values()) else 2


def _told(look: Callable[[], str]) -> dict[str, Any]:
    from matrix.errors import KernelMatrixError

    try:
        return {"ok": True, "text": look()}
    except KernelMatrixError as error:
        return {"ok": False, "text": str(error)}


def _python() -> str:
    import platform
    import sys

    return f"{platform.python_version()} at {sys.executable}"


def _installer() -> str:
    from matrix.environments.installer import Installer

    found = Installer.find()
    return f"uv at {found.uv}" if found.uv else "pip of this interpreter (uv would be faster)"


def _torch() -> str:
    import sys
    from pathlib import Path

    from matrix.environments.fingerprint import look

    found = look(Path(sys.executable))
    if found.torch is None:
        return "none beside the tool: the environment 'inherit' is not for this machine, the others are"
    return f"{found.torch} beside the tool, built for {f'CUDA {found.cuda}' if found.cuda else 'CPUs'}"


def _gpus() -> str:
    from matrix.environments.fingerprint import gpus

    found = gpus()
    if not found:
        return "none: everything but the kernels' own numerics runs, in the environment 'lean'"
    return "; ".join(f"{gpu.name}, SM {gpu.compute_capability}, driver {gpu.driver}" for gpu in found)


def _cache() -> str:
    import shutil

    from matrix import cache

    folder = cache.folder("environments")
    return f"{folder}, {shutil.disk_usage(folder).free / 1e9:.0f} GB free"


def _index() -> str:
    from matrix.releases.index import published

    versions = published()
    return f"{len(versions)} releases of flashinfer-python, newest {versions[-1]}"


LOOKS = {
    "python": _python,
    "installer": _installer,
    "torch": _torch,
    "gpus": _gpus,
    "cache": _cache,
    "index": _index,
}
