"""Runs beside SGLang and FlashInfer: bends the engine's source, one change at a time, and replays each.

    python bend.py ROOT ENGINE_RELEASE

Prints one JSON object: what a right engine gives, and for each change kind and reason.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import json
import logging
import sys

sys.path.insert(0, sys.argv[1])
logging.disable(logging.CRITICAL)

import torch  # noqa: E402

from matrix.engines.replay.replay import Replay  # noqa: E402
from matrix.engines.sglang.replay import LOADER, RUNNER, UTILS  # noqa: E402
from matrix.kernels.moe import inputs, layout, oracle  # noqa: E402
from matrix.kernels.moe.probe import probe  # noqa: E402
from matrix.kernels.moe.problem import Problem  # noqa: E402

FUNCTION = "fused_experts_none_to_flashinfer_trtllm_bf16"
OFFSET = "local_expert_offset="
LOCAL = "\n                local_num_experts="
RELU2 = {"activation": "relu2", "gated": False}
SILU = {"activation": "silu", "gated": True}
CHANGES = {
    "drops activation_type": (RUNNER, FUNCTION, "activation_type=activation_type,", "", RELU2),
    "swaps two group keywords": (
        RUNNER,
        FUNCTION,
        "n_group=topk_config.num_expert_group,\n                topk_group=topk_config.topk_group,",
        "n_group=topk_config.topk_group,\n                topk_group=topk_config.num_expert_group,",
        SILU,
    ),
    "swaps two weights": (
        RUNNER,
        FUNCTION,
        "gemm1_weights=quant_info.gemm1_weights,\n                gemm2_weights=quant_info.gemm2_weights,",
        "gemm1_weights=quant_info.gemm2_weights,\n                gemm2_weights=quant_info.gemm1_weights,",
        SILU,
    ),
    "swaps two figures": (
        RUNNER,
        FUNCTION,
        OFFSET + "quant_info.local_expert_offset," + LOCAL + "runner_config.num_local_experts,",
        OFFSET + "runner_config.num_local_experts," + LOCAL + "quant_info.local_expert_offset,",
        SILU,
    ),
    "takes the wrong activation": (
        RUNNER,
        "get_activation_type",
        "ActivationType.Swiglu",
        "ActivationType.Geglu",
        SILU,
    ),
    "takes the wrong routing": (
        RUNNER,
        FUNCTION,
        "routing_method_type=runner_config.routing_method_type,",
        "routing_method_type=1,",
        SILU,
    ),
    "copies an enum with other integers": (
        UTILS,
        "RoutingMethodType",
        "DeepSeekV3 = (2,)",
        "DeepSeekV3 = (3,)",
        SILU,
    ),
    "forgets the scaling factor": (
        RUNNER,
        FUNCTION,
        "routed_scaling_factor=runner_config.routed_scaling_factor,",
        "",
        SILU,
    ),
    "cuts blocks of another width": (
        LOADER,
        "UnquantizedFusedMoEMethod",
        "block_k = 128",
        "block_k = 64",
        SILU,
    ),
    "tiles the epilogue otherwise": (
        LOADER,
        "UnquantizedFusedMoEMethod",
        "epilogue_tile_m = 128",
        "epilogue_tile_m = 64",
        SILU,
    ),
    "takes non-gated weights for gated": (
        LOADER,
        "UnquantizedFusedMoEMethod",
        "is_gated_act_gemm=layer.moe_runner_config.is_gated,",
        "",
        RELU2,
    ),
}


@contextlib.contextmanager
def bent(module, name, old, new):
    """The module with one object of it made anew from changed source."""
    source = inspect.getsource(module)
    node = next(one for one in ast.parse(source).body if getattr(one, "name", "") == name)
    own = "\n".join(source.splitlines()[node.lineno - 1 : node.end_lineno])
    assert old in own, f"{name} has no longer: {old}"
    kept = getattr(module, name)
    exec(compile(own.replace(old, new), inspect.getsourcefile(module), "exec"), vars(module))
    changed = getattr(module, name)
    lent = [other for other in list(sys.modules.values()) if getattr(other, name, None) is kept]
    for other in lent:
        setattr(other, name, changed)
    try:
        yield
    finally:
        for other in [module, *lent]:
            setattr(other, name, kept)


def replayed(replay, shape):
    """Kind and reason of a layer and of its loader."""
    problem = Problem(
        tokens=5,
        hidden=384,
        intermediate=256,
        experts=16,
        top_k=3,
        n_group=4,
        topk_group=2,
        scaling=2.5,
        routing="deepseek_v3",
        **shape,
    )
    made = inputs.make(problem, "bent", bias_dtype="fp32")
    ids, weights = oracle.route(
        "deepseek_v3", made.logits, made.bias, top_k=3, n_group=4, topk_group=2, scaling=2.5
    )
    reference = oracle.moe(problem, made.hidden, made.gemm1, made.gemm2, ids=ids, weights=weights)
    prepared = layout.prepare(layout.Functions.live(), made.gemm1, made.gemm2, gated=problem.gated)
    _, loader = replay.loader(problem, made.gemm1, made.gemm2)
    layer = replay.layer(problem, made, reference, prepared, None)
    return {"layer": [layer.kind.value, layer.reason], "loader": [loader.kind.value, loader.reason]}


def main():
    torch.set_num_threads(1)
    replay = Replay.start("sglang", sys.argv[2], probe(), kernel=False)
    told = {"right": {name: replayed(replay, shape) for name, shape in (("relu2", RELU2), ("silu", SILU))}}
    for what, (module, name, old, new, shape) in CHANGES.items():
        with bent(replay.engine.modules[module], name, old, new):
            told[what] = replayed(replay, shape)
    told["again"] = {name: replayed(replay, shape) for name, shape in (("relu2", RELU2), ("silu", SILU))}
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
