"""Which exceptions of a call are refusals, after which the fallback may answer; and calls that fail fast."""

from __future__ import annotations

import importlib
import inspect
import os
import re

NO_DOWNLOAD = "FLASHINFER_NO_DOWNLOAD"

TEXTS = {
    "its kernels are not present and cannot be downloaded": (
        r"Artifact not found locally",
        r"Failed to get checksums",
        r"Failed to (get|download) .*(cubin|header|meta)",
    ),
    "the GPU's architecture is not among those it is built for": (
        r"No supported CUDA architectures found",
        r"requires GPUs with sm75",
        r"does not support compute capability",
    ),
    "the kernel's own check refuses the GPU": (r"MoE kernel requires (SM )?10\.x",),
    "there is no compiler": (
        r"Could not find nvcc",
        r"nvcc.*(not found|No such file)",
        r"No such file or directory: '(ninja|nvcc)'",
    ),
    "there is no GPU": (
        r"No CUDA GPUs are available",
        r"Torch not compiled with CUDA",
        r"no NVIDIA driver",
    ),
    "there is no kernel for the activation": (
        r"Unsupported (gated|eltwise) activation type",
        r"Invalid activation type",
        r"Unsupported activation_type",
    ),
    "there is no kernel for the routing": (
        r"Unimplemented routing method",
        r"[Rr]outing (method|kernel)[, ].*(must|expects)",
    ),
    "there is no kernel for the shape": (
        r"No kernel found for the given options",
        r"No compatible configs found",
        r"must be a multiple of",
        r"has incorrect shape",
        r"must be between 1 and",
    ),
}
"""Reasons to refuse, each with patterns of the messages that mean it in the releases of the window."""

TYPES = {
    "BackendSupportedError": "the GPU's architecture is not among those it is built for",
    "MissingJITCacheError": "it is not built and may not be",
    "UnfitError": "the torch backend does not know what it was asked for",
    "RefusedError": "the call cannot be made on this release",
}
"""Reasons by the name of the exception's class; the classes of FlashInfer exist in some releases only."""


class RefusedError(Exception):
    """An adapter will not make a call that would mean something else on this release."""


def refusal(exception: BaseException) -> str | None:
    """Why a call was refused, or None where the exception is anything but a refusal.

    A refusal leaves the process healthy and nothing computed, so the fallback may answer instead. Not
    refusals are CUDA errors (sticky: every later call of the process fails), memory that ran out, a keyword
    that the release does not know, a failed build, and whatever has no known text: those are verdicts of
    their own.

    Args:
        exception: what the call raised.

    Returns:
        A reason, then the first line of the message.
    """
    kinds = {kind.__name__ for kind in type(exception).__mro__}
    text = str(exception)
    sticky = "AcceleratorError" in kinds or hasattr(exception, "error_code") or text.startswith("CUDA error")
    if sticky or "OutOfMemoryError" in kinds or not isinstance(exception, Exception):
        return None
    reason = next((reason for name, reason in TYPES.items() if name in kinds), None)
    if reason is None:
        reason = next(
            (reason for reason, patterns in TEXTS.items() if any(re.search(p, text) for p in patterns)), None
        )
    line = text.strip().splitlines()[0] if text.strip() else type(exception).__name__
    return f"{reason}: {line}" if reason else None


def offline() -> str:
    """Make calls of this process fail at once where a kernel would have to be downloaded.

    Sets `FLASHINFER_NO_DOWNLOAD=1`. Releases that do not read it (0.5.3) would try for 35 seconds at each
    call; their `flashinfer.jit.cubin_loader.download_file` is replaced by a function that returns False,
    which is what it returns after a failed download.

    Returns:
        What was done, as evidence.
    """
    os.environ[NO_DOWNLOAD] = "1"
    loader = importlib.import_module("flashinfer.jit.cubin_loader")
    if NO_DOWNLOAD in inspect.getsource(loader):
        return f"{NO_DOWNLOAD}=1"

    def download_file(*_: object, **__: object) -> bool:
        return False

    loader.download_file = download_file  # type: ignore[attr-defined]
    return f"{NO_DOWNLOAD} is not read by this release: flashinfer.jit.cubin_loader.download_file replaced"
