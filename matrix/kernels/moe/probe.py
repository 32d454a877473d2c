"""What the FlashInfer of this process can do, found by importing it once and looking at what is live.

Imports no torch, so that an engine can take this module and `dispatch` as they are.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import time
import traceback
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

PACKAGE = __file__.rsplit("/kernels/", 1)[0]
KERNELS = {
    "trtllm_bf16": "flashinfer.fused_moe:trtllm_bf16_moe",
    "trtllm_bf16_routed": "flashinfer.fused_moe:trtllm_bf16_routed_moe",
}
ENUMS = {
    "ActivationType": "flashinfer.fused_moe.core:ActivationType",
    "RoutingMethodType": "flashinfer.fused_moe:RoutingMethodType",
    "WeightLayout": "flashinfer.fused_moe:WeightLayout",
}


@dataclass(frozen=True, kw_only=True)
class Failure:
    """An import that raised.

    Args:
        moment: the statement that failed, as an engine would write it.
        type: name of the exception's class.
        text: its message.
        frame: file, line and function that it came from.
    """

    moment: str
    type: str
    text: str
    frame: str

    def __str__(self) -> str:
        return f"{self.moment} raised {self.type}: {self.text} ({self.frame})"


@dataclass(frozen=True, kw_only=True)
class Capability:
    """What was found.

    Args:
        release: the version that FlashInfer gives itself, or None where it did not import.
        kernels: live function of each backend that imported.
        signatures: the signature of each, as `inspect` follows it through decorators.
        enums: members of each enum, name to integer.
        failures: what raised, by backend or enum name, and `flashinfer` for the package itself.
        import_seconds: how long `import flashinfer` took.
    """

    release: str | None
    kernels: dict[str, Any] = field(default_factory=dict)
    signatures: dict[str, inspect.Signature] = field(default_factory=dict)
    enums: dict[str, dict[str, int]] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    import_seconds: float = 0.0


@lru_cache(maxsize=1)
def probe() -> Capability:
    """Import FlashInfer and each symbol on its own, once a process; no exception of an import escapes.

    A version check raises RuntimeError, a CPU-only torch AssertionError, an absent package
    ModuleNotFoundError, and a package may even call `sys.exit`: each is kept as a `Failure`. Only Ctrl-C goes
    through.
    """
    started = time.monotonic()
    package, failure = _attempt("flashinfer", None)
    found = Capability(
        release=getattr(package, "__version__", None),
        import_seconds=time.monotonic() - started,
    )
    if failure is not None:
        # A second import would run half-initialized modules again and raise something else.
        return Capability(
            release=None,
            failures=dict.fromkeys(["flashinfer", *KERNELS, *ENUMS], failure),
            import_seconds=found.import_seconds,
        )
    for name, path in {**KERNELS, **ENUMS}.items():
        value, failure = _attempt(*path.split(":"))
        if failure is None:
            failure = _keep(found, name, value)
        if failure is not None:
            found.failures[name] = failure
    return found


def _keep(found: Capability, name: str, value: Any) -> Failure | None:
    """Take in a symbol that imported, or say why it is not what it was."""
    try:
        if name in ENUMS:
            members = value.__members__.items()  # aliases too: an engine may use either name
            found.enums[name] = {member: int(one.value) for member, one in members}
        else:
            found.signatures[name] = inspect.signature(value)
            found.kernels[name] = value
    except Exception as error:  # noqa: BLE001 - a symbol of another kind is an answer
        return failure_of(error, f"looking at {name}")
    return None


def _attempt(module: str, name: str | None) -> tuple[Any, Failure | None]:
    moment = f"import {module}" if name is None else f"from {module} import {name}"
    try:
        value = importlib.import_module(module)
        if name is not None:
            if not hasattr(value, name):
                text = f"cannot import name {name!r} from {module!r}"
                origin = getattr(value, "__file__", "?")
                return None, Failure(moment=moment, type="ImportError", text=text, frame=_short(origin))
            value = getattr(value, name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever an import raises is an answer, a panic of Rust too
        return None, failure_of(error, moment)
    return value, None


def failure_of(error: BaseException, moment: str) -> Failure:
    """An exception as data: type, text, and the innermost frame outside the import machinery."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith("<")]
    own = [f for f in frames if f.filename != __file__ and "/importlib/" not in f.filename]
    last = own[-1] if own else None
    frame = f"{_short(last.filename)}:{last.lineno} in {last.name}" if last else "import machinery"
    return Failure(moment=moment, type=type(error).__name__, text=str(error), frame=frame)


def _short(filename: str) -> str:
    """A file relative to the folder of `sys.path` that holds it, or to the one that holds this package."""
    if filename.startswith(f"{PACKAGE}/"):
        return f"matrix{filename.removeprefix(PACKAGE)}"
    for folder in sorted(sys.path, key=len, reverse=True):
        if folder and filename.startswith(f"{folder}/"):
            return filename[len(folder) + 1 :]
    return filename
