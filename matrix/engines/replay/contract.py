"""The contract of an engine release: what its own code passes to FlashInfer, recorded by replay.

Shapes are written with the names of the layer's figures, which differ from each other for this purpose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matrix.engines.replay.record import FUNCTIONS
from matrix.engines.replay.replay import Kind, value_of
from matrix.kernels.moe import activations, routings
from matrix.kernels.moe.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matrix.engines.replay.record import Call
    from matrix.engines.replay.replay import Outcome, Replay

SCHEMA = "kernel-matrix/contract/1"
RELIED_ON = ("use_shuffled_weight", "weight_layout", "norm_topk_prob", "activation_type")
"""Parameters of FlashInfer that decide the result; an engine that does not pass one relies on its default."""

TOKENS, HIDDEN, INTERMEDIATE, EXPERTS, TOP_K = 5, 384, 256, 16, 3
N_GROUP, TOPK_GROUP, SCALING = 4, 2, 2.5
SIZES = {
    TOKENS: "tokens",
    HIDDEN: "hidden",
    INTERMEDIATE: "intermediate",
    EXPERTS: "experts",
    TOP_K: "top_k",
    HIDDEN // 64: "hidden / 64",
    INTERMEDIATE // 64: "intermediate / 64",
    2 * INTERMEDIATE: "2 intermediate",
    64: "64",
}
SCALARS = {
    "num_experts": ("experts", EXPERTS),
    "local_num_experts": ("experts", EXPERTS),
    "top_k": ("top_k", TOP_K),
    "intermediate_size": ("intermediate", INTERMEDIATE),
    "n_group": ("n_group", N_GROUP),
    "topk_group": ("topk_group", TOPK_GROUP),
    "routed_scaling_factor": ("scaling", SCALING),
    "tune_max_num_tokens": ("tokens, rounded up to a power of two", 8),
}
"""Figures by parameter: the name of each in a contract, where the value passed is the layer's."""


def record(replay: Replay) -> dict[str, Any]:
    """Call the engine with every activation and every routing, and write down what it passes."""
    accepts, refuses, members = [], {}, {}
    gated = next(one for one in activations.ACTIVATIONS if one.id == "silu-gated")
    for activation in activations.ACTIVATIONS:
        outcome, call = _one(replay, activation, "deepseek_v3", routed=False)
        if call is None and outcome.kind is Kind.REFUSED:
            refuses[activation.id] = outcome.reason.removeprefix(f"{replay.name} ")
            continue
        accepts.append(activation.id)
        if call is not None and "activation_type" in call.passed:
            members[activation.id] = value_of(call, "activation_type")
    calls: dict[str, Any] = {}
    methods: dict[str, dict[str, Any]] = {}
    for backend, function in FUNCTIONS.items():
        routed = backend == "trtllm_bf16_routed"
        for routing in routings.ROUTINGS:
            outcome, call = _one(replay, gated, routing.name, routed=routed)
            if call is None:
                if outcome.kind is Kind.REFUSED:
                    refuses[f"{backend}/{routing.name}"] = outcome.reason.removeprefix(f"{replay.name} ")
                continue
            methods.setdefault(backend, {})[routing.name] = value_of(call, "routing_method_type")
            if routing.name == "deepseek_v3":
                calls[backend] = {"function": function, **_described(call)}
    left = {name: value for call in calls.values() for name, value in call["left"].items()}
    return {
        "schema": SCHEMA,
        "engine": replay.name,
        "flashinfer": replay.recorder.capability.release,
        "accepts": accepts,
        "refuses": refuses,
        "activations": members,
        "routings": methods,
        "mirror": replay.engine.mirror,
        "relies_on": {name: _default(left[name]) for name in RELIED_ON if name in left},
        "call": calls,
    }


def _one(
    replay: Replay, activation: activations.Activation, routing: str, *, routed: bool
) -> tuple[Outcome, Call | None]:
    from matrix.kernels.moe import inputs, layout, oracle

    method = routings.find(routing)
    problem = Problem(
        tokens=TOKENS,
        hidden=HIDDEN,
        intermediate=INTERMEDIATE,
        experts=EXPERTS,
        top_k=1 if method.max_top_k == 1 else TOP_K,
        n_group=N_GROUP if method.grouped else 1,
        topk_group=TOPK_GROUP if method.grouped else 1,
        scaling=SCALING if method.scaled else 1.0,
        routing=routing,
        activation=activation.name,
        gated=activation.gated,
    )
    made = inputs.make(problem, "contract", bias_dtype="fp32" if method.bias else "none")
    ids, weights = oracle.route(
        routing,
        made.logits,
        made.bias,
        top_k=problem.top_k,
        n_group=problem.n_group,
        topk_group=problem.topk_group,
        scaling=problem.scaling,
    )
    reference = oracle.moe(problem, made.hidden, made.gemm1, made.gemm2, ids=ids, weights=weights)
    prepared = layout.prepare(layout.Functions.live(), made.gemm1, made.gemm2, gated=problem.gated)
    outcome = replay.layer(problem, made, reference, prepared, (ids, weights) if routed else None)
    return outcome, replay.recorder.calls[-1] if replay.recorder.calls else None


def _described(call: Call) -> dict[str, Any]:
    return {
        "keywords": list(call.passed),
        "arguments": {name: _argument(call, name) for name in call.passed},
        "left": {name: value_of(call, name) for name in call.left},
    }


def _argument(call: Call, name: str) -> Any:
    symbol, figure = SCALARS.get(name, ("", None))
    return symbol if symbol and call.passed[name] == figure else _symbolic(value_of(call, name))


def _symbolic(value: Any) -> Any:
    """A tensor as `bfloat16 [tokens, hidden]`."""
    if isinstance(value, list):
        return [_symbolic(item) for item in value]
    if isinstance(value, dict) and "shape" in value:
        return f"{value['dtype']} [{', '.join(SIZES.get(size, str(size)) for size in value['shape'])}]"
    return value


def _default(value: Any) -> str:
    return str(value["member"]) if isinstance(value, dict) else str(value)


def differences(kept: dict[str, Any], found: dict[str, Any], where: str = "") -> Iterator[str]:
    """What a contract that was recorded anew has otherwise than the kept one, path by path."""
    for key in sorted({*kept, *found}):
        here = f"{where}.{key}".lstrip(".")
        old, new = kept.get(key), found.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from differences(old, new, here)
        elif old != new:
            yield f"{here}: {old!r} is recorded, {new!r} is passed"
