"""Look at this machine: interpreter, installer, torch, GPUs, cache, compilers, package index, kernels.

Says what would not work. Without a compiler or the kernels only `kernels --select` does not.
"""

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


def _compiler() -> str:
    import shutil

    lacking = [name for name in ("c++", "cc") if shutil.which(name) is None]
    if lacking:
        return f"no {' and no '.join(lacking)}: `kernels --select` needs g++ or clang, nothing else does"
    return f"{shutil.which('c++')}, for `kernels --select`"


def _cuda() -> str:
    from matrix.cubins import settings, toolchain
    from matrix.errors import KernelMatrixError

    loaded = settings.load()
    try:
        found = toolchain.present(loaded)
    except KernelMatrixError:  # the cache folder, which has its own line
        found = None
    if found:
        return f"CUDA {found.version} of the {found.origin} at {found.home}, for `kernels --select`"
    version = loaded.toolchain["version"]
    return f"no whole toolkit: `kernels --select` installs CUDA {version} from the package index, or set CUDA_HOME"


def _cubins() -> str:
    from matrix.cubins import answers, sources
    from matrix.errors import KernelMatrixError
    from matrix.releases.index import Index

    shipped = f"answers for {len(answers.known())} releases come with the tool"
    try:
        offered = sources.releases(Index())
    except (KernelMatrixError, OSError):
        offered = []
    if not offered:
        return f"no index tells of {sources.PROJECT}: `kernels R --select` needs --cubins PATH; {shipped}"
    ends = f"{len(offered)} releases of {sources.PROJECT} on the index, {offered[0]} to {offered[-1]}"
    return f"{ends}; others need --cubins PATH; {shipped}"


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
    "compiler": _compiler,
    "cuda": _cuda,
    "index": _index,
    "cubins": _cubins,
}
