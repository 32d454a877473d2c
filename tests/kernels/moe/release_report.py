"""Runs inside an environment of one FlashInfer release, without a GPU, and prints what was found as JSON."""

import inspect
import json
import sys
import time

import torch
from flashinfer import fused_moe
from flashinfer.fused_moe import core

from matrix.kernels.moe import inputs, layout
from matrix.kernels.moe.backends import find, offline, refusal, trtllm_bf16
from matrix.kernels.moe.problem import Problem

GATED = {"activation": "silu", "gated": True}
NONGATED = {"activation": "relu2", "gated": False}


def problem(*, routing="deepseek_v3", **axes):
    scaling = 2.5 if routing == "deepseek_v3" else 1.0
    return Problem(
        tokens=4, hidden=128, intermediate=256, experts=8, top_k=2, routing=routing, scaling=scaling, **axes
    )


def layouts():
    functions = layout.Functions.live()
    found = {"knows_nongated": functions.knows_nongated}
    for name, axes in (("gated", GATED), ("nongated", NONGATED)):
        made = inputs.make(problem(**axes), name)
        weights = made.gemm1, made.gemm2
        prepared = layout.prepare(functions, *weights, gated=axes["gated"])
        found[name] = layout.difference(prepared, *weights, gated=axes["gated"])
        found[f"{name}_note"] = prepared.note
        # The mistake of engines, the default for experts without a gate, and its reverse
        mistaken = layout.prepare(functions, *weights, gated=not axes["gated"])
        found[f"{name}_mistaken"] = layout.difference(mistaken, *weights, gated=axes["gated"])
    if functions.knows_nongated:
        cache, rows = {}, torch.zeros((64, 128), dtype=torch.uint8)
        gated = functions.first(cache, rows, layout.EPILOGUE_TILE)
        nongated = functions.first(cache, rows, layout.EPILOGUE_TILE, is_gated_act_gemm=False)
        found["cache_forgets_gating"] = torch.equal(gated, nongated)
    return found


def attempt(backend, path, axes, routing="deepseek_v3"):
    """What a call comes to, and how long it takes."""
    started = time.perf_counter()
    try:
        layer = problem(routing=routing, **axes)
        made = inputs.make(layer, "call", bias_dtype="bf16")
        module = find(backend)
        module.call(layer, module.prepare(layer, made.gemm1, made.gemm2), made, path=path)
    except Exception as error:  # noqa: BLE001 - whatever a call raises is the finding
        return {
            "type": type(error).__name__,
            "text": str(error),
            "refusal": refusal(error),
            "seconds": time.perf_counter() - started,
        }
    return {"type": "", "text": "", "refusal": None, "seconds": time.perf_counter() - started}


def bound():
    """The adapter's keywords against the live signature."""
    layer = problem(**GATED)
    made = inputs.make(layer, "bind", bias_dtype="bf16")
    prepared = find("trtllm_bf16").prepare(layer, made.gemm1, made.gemm2)
    parameters = inspect.signature(core.trtllm_bf16_moe).parameters
    given = trtllm_bf16.arguments(layer, prepared, made, path="activation_type")
    needed = {n for n, p in parameters.items() if p.default is p.empty}
    return {
        "unknown": sorted(set(given) - set(parameters)),
        "missing": sorted(needed - set(given)),
        "swiglu": given["activation_type"],
        "shapes": [list(prepared.gemm1.shape), list(prepared.gemm2.shape)],
    }


report = {
    "activations": [member.name for member in core.ActivationType],
    "routings": [member.name for member in fused_moe.RoutingMethodType],
    "layout": layouts(),
    "bound": bound(),
    "offline": offline(),
    "calls": {
        "gated, activation_type": attempt("trtllm_bf16", "activation_type", GATED),
        "gated, legacy": attempt("trtllm_bf16", "legacy", GATED, "renormalize"),
        "nongated, activation_type": attempt("trtllm_bf16", "activation_type", NONGATED, "renormalize"),
        "nongated, legacy": attempt("trtllm_bf16", "legacy", NONGATED),
        "scaled, legacy": attempt("trtllm_bf16", "legacy", GATED),
        "routed, activation_type": attempt("trtllm_bf16_routed", "activation_type", NONGATED, "renormalize"),
        "routed, legacy": attempt("trtllm_bf16_routed", "legacy", GATED, "renormalize"),
        "torch": attempt("torch", "fallback", NONGATED),
        "situ": attempt("trtllm_bf16", "activation_type", {"activation": "situ", "gated": True}),
    },
}
json.dump(report, sys.stdout)
