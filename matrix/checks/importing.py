"""Stage `import`: is the kernel's function there, imported as the engine imports it?"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from matrix.checks.answer import Answer
from matrix.verdicts import Verdict

if TYPE_CHECKING:
    from matrix.cells.cell import Cell
    from matrix.checks.bench import Bench

NEEDED = ("ActivationType", "RoutingMethodType")
"""What an engine imports beside the kernel to call it."""


def check(cell: Cell, bench: Bench) -> Answer | None:
    """IMPORT_ERROR with type, text and frame; in an environment that is made to fail, failing is right."""
    if cell.point.backend == "torch":
        return None
    found = bench.capability
    failure = next(
        (found.failures[name] for name in (cell.point.backend, *NEEDED) if name in found.failures), None
    )
    if failure is None:
        evidence = {"release": found.release, "import_seconds": round(found.import_seconds, 3)}
        although = ", although this environment is made to fail" if bench.faulty else ""
        return Answer(Verdict.PASS, f"FlashInfer {found.release} imports{although}", evidence=evidence)
    if bench.faulty:
        reason = f"{failure.type}, as this environment is made to raise: {failure.text}"
        return Answer(Verdict.PASS, reason, evidence=asdict(failure))
    guard = (
        ""
        if failure.type in {"ImportError", "ModuleNotFoundError"}
        else "; no `except ImportError` catches it"
    )
    return Answer(
        Verdict.IMPORT_ERROR,
        f"{failure.moment} raises {failure.type}: {_first_line(failure.text)}{guard}",
        remedy=_remedy(failure.type, failure.text),
        evidence=asdict(failure),
    )


def _first_line(text: str) -> str:
    return text.splitlines()[0] if text else "no message"


def _remedy(kind: str, text: str) -> str:
    if "not compiled with CUDA" in text:
        return (
            "Install a CUDA build of torch (it imports without a GPU), or install FlashInfer with --no-deps."
        )
    if "does not match flashinfer version" in text:
        return (
            "Install flashinfer-python and flashinfer-cubin of the same version, or remove flashinfer-cubin."
        )
    if kind == "ImportError" and "cannot import name" in text:
        return "Pin a release that has this function, or guard the import and fall back."
    if kind == "ModuleNotFoundError":
        return "Install the package named above, or guard the import and fall back."
    return "Guard the import with `except Exception`, not only `except ImportError`, and fall back."
