"""A release's module as a package that FlashInfer loads instead of compiling: for a GPU that it must refuse.

The module lacks the kernels that selection does not need, so it serves one purpose only: on a GPU without SM100, the
release's own C++ refuses the call before it would need them.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from matrix.cubins.compiler import PLAIN

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from matrix.cubins.module import Module

CACHE_PACKAGE = "flashinfer_jit_cache"
CUBINS = "cubins"
_INIT = """\
from pathlib import Path
from types import SimpleNamespace

__version__ = {release!r}


def get_jit_cache_dir():
    return str(Path(__file__).parent)


def get_jit_cache_providers():
    return [
        SimpleNamespace(
            provider_id="kernel-matrix",
            distribution="flashinfer-jit-cache",
            version=__version__,
            jit_cache_dir=get_jit_cache_dir(),
            cuda_architectures=[{arch!r}],
            modules=[{name!r}],
        )
    ]
"""


def write(folder: Path, release: str, module: Module, headers: Mapping[str, bytes], arch: str) -> None:
    """Lay out the package, and beside it the folder of headers that FlashInfer looks for cubins in.

    Args:
        folder: for `PYTHONPATH`; `FLASHINFER_CUBIN_DIR` is `cubins` in it, and `FLASHINFER_CUDA_ARCH_LIST` the arch.
        release: that the module was compiled from.
        module: the compiled module.
        headers: those of the release's kernels.
        arch: that the module was compiled for, such as `10.0a`.
    """
    package = folder / CACHE_PACKAGE
    (package / module.name).mkdir(parents=True, exist_ok=True)
    shutil.copy(module.path.with_name(PLAIN), package / module.name / f"{module.name}.so")
    text = _INIT.format(release=release, arch=f"sm{arch.replace('.', '')}", name=module.name)
    (package / "__init__.py").write_text(text, encoding="utf-8")
    for name, data in headers.items():
        path = folder / CUBINS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
