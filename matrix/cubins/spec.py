"""Runs inside a release's environment: how the release itself would compile its MoE module, as JSON on stdout.

    <environment>/bin/python spec.py GENERATOR ENUM...

Standard library and FlashInfer only.
"""

from __future__ import annotations

import importlib
import json
import sys
from enum import IntEnum

HOMES = ("flashinfer.tllm_enums", "flashinfer.fused_moe.core")


def main(generator: str, *enums: str) -> None:
    """Write the release's build file, and print where it is, its sources and the enums asked for."""
    module, _, name = generator.partition(":")
    spec = getattr(importlib.import_module(module), name)()
    spec.write_ninja()
    found = {
        "name": spec.name,
        "ninja": str(spec.ninja_path),
        "sources": [str(source) for source in spec.sources],
        "enums": {enum: _members(enum) for enum in enums},
    }
    sys.stdout.write(f"\n{json.dumps(found)}\n")


def _members(name: str) -> dict[str, int]:
    for home in HOMES:
        try:
            enum = getattr(importlib.import_module(home), name, None)
        except ImportError:
            continue
        if isinstance(enum, type) and issubclass(enum, IntEnum):
            return {member: int(value) for member, value in enum.__members__.items()}
    return {}


if __name__ == "__main__":
    main(*sys.argv[1:])
