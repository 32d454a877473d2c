"""Runs inside a release's environment: calls the selection function of a compiled module, question by question.

    <environment>/bin/python ask.py MODULE CUDART FUNCTION < argument lists, one JSON array
                                                    > a number or a text for each, one JSON array

Standard library and tvm-ffi only; no GPU is touched.
"""

from __future__ import annotations

import ctypes
import json
import sys
from typing import Any


def main(module: str, cudart: str, function: str) -> None:
    """Answer every question with the number of configurations, or with the text of the release's refusal."""
    import tvm_ffi

    ctypes.CDLL(cudart, mode=ctypes.RTLD_GLOBAL)
    ask = getattr(tvm_ffi.load_module(module), function)
    json.dump([_answer(ask, arguments) for arguments in json.load(sys.stdin)], sys.stdout)


def _answer(ask: Any, arguments: list[int]) -> int | str:
    try:
        return len(ask(*arguments))
    except Exception as error:  # noqa: BLE001 - whatever the release raises is its answer
        return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    main(*sys.argv[1:])
