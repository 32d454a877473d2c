"""A live FlashInfer function, wrapped: what an engine passes to it is bound, named, checked and kept."""

from __future__ import annotations

import contextlib
import functools
import types
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from matrix.engines.replay.standins import StandIn, standing
from matrix.kernels.moe import activations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from matrix.kernels.moe.probe import Capability

HOME = "flashinfer.fused_moe"
CORE = "flashinfer.fused_moe.core"
COMPILED = "get_trtllm_moe_sm100_module"
WHY_COMPILED = "the compiled kernels, which need an SM100: the torch fallback answers from what reaches them"
FUNCTIONS = {"trtllm_bf16": "trtllm_bf16_moe", "trtllm_bf16_routed": "trtllm_bf16_routed_moe"}
ENUM_OF = {
    "activation_type": "ActivationType",
    "routing_method_type": "RoutingMethodType",
    "weight_layout": "WeightLayout",
}
"""The enum of FlashInfer that a parameter's integer belongs to."""

BLOCK = 64
"""Columns of bfloat16 in one block of prepared weights."""


class InvalidCallError(ValueError):
    """A call that binds, but whose arguments the kernel would refuse or misread."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call of a wrapped function.

    Attributes:
        function: its name.
        passed: what the engine passes, by keyword, in its order.
        bound: every parameter with its value, defaults included.
        members: parameters that take an enum's integer, with the member's name in the live release.
        pairs: whether the function takes experts as a pair of ids and weights.
    """

    function: str
    passed: Mapping[str, Any]
    bound: Mapping[str, Any]
    members: Mapping[str, str]
    pairs: bool = True

    @property
    def left(self) -> dict[str, Any]:
        """Parameters that the engine leaves to their defaults."""
        return {name: value for name, value in self.bound.items() if name not in self.passed}

    @property
    def activation(self) -> activations.Activation:
        """What the kernel would compute; without the parameter, gated silu."""
        member = self.members.get("activation_type", "Swiglu")
        found = next((known for known in activations.ACTIVATIONS if known.member == member), None)
        if found is None:
            raise InvalidCallError(f"activation_type={member} is no activation")
        return found


@dataclass(kw_only=True)
class Recorder:
    """Wraps the kernels' functions of one process, and keeps the calls.

    The wrapped function still runs FlashInfer's own Python code, with its own checks; only the compiled module
    behind it is replaced, where `answer` is given.

    Args:
        capability: the live functions, signatures and enums.
        answer: computes a recorded call's result in the kernel's place; None lets the kernel run.
    """

    capability: Capability
    answer: Callable[[Call], Any] | None
    calls: list[Call] = field(default_factory=list)

    @property
    def replaced(self) -> list[StandIn]:
        """What is put in the place of FlashInfer's own."""
        if self.answer is None:
            return []
        module = types.SimpleNamespace(trtllm_bf16_moe=self._kernel)
        return [StandIn(module=CORE, name=COMPILED, value=lambda *_: module, why=WHY_COMPILED)]

    @contextmanager
    def listening(self) -> Iterator[list[Call]]:
        """Within it, engines that import the functions get the wrapped ones; gives the calls as they come."""
        self.calls.clear()
        wrapped = [
            StandIn(module=HOME, name=name, value=self._wrapped(backend, name), why="recorded")
            for backend, name in FUNCTIONS.items()
            if backend in self.capability.kernels
        ]
        with standing([*wrapped, *self.replaced]):
            yield self.calls

    def _kernel(self, *_: Any) -> Any:
        assert self.answer is not None
        call = self.calls[-1]
        result = self.answer(call)
        return [result] if "do_finalize" in call.bound else result

    def _wrapped(self, backend: str, name: str) -> Callable[..., Any]:
        live, signature = self.capability.kernels[backend], self.capability.signatures[backend]

        @functools.wraps(live)
        def wrapped(*arguments: Any, **keywords: Any) -> Any:
            bound = None
            with contextlib.suppress(TypeError):
                bound = signature.bind(*arguments, **keywords)
            if bound is None:
                return live(*arguments, **keywords)  # the function's own words for what does not bind
            passed = dict(bound.arguments)
            bound.apply_defaults()
            call = Call(
                function=name,
                passed=passed | keywords,
                bound=dict(bound.arguments),
                members=self._members(bound.arguments),
                pairs="uple" in str(getattr(signature.parameters.get("topk_ids"), "annotation", "")),
            )
            self.calls.append(call)
            check(call)
            return live(*arguments, **keywords)

        return wrapped

    def _members(self, bound: Mapping[str, Any]) -> dict[str, str]:
        """The live member that each integer means; an engine's own member must mean the one of its name."""
        named = {}
        for parameter, enum in ENUM_OF.items():
            if parameter not in bound:
                continue
            value, members = bound[parameter], self.capability.enums.get(enum, {})
            if value is None:
                raise InvalidCallError(f"{parameter} is None, which the kernel takes for no {enum}")
            name = next((name for name, integer in members.items() if integer == int(value)), None)
            if name is None:
                raise InvalidCallError(f"{parameter}={int(value)} is no member of {enum} in this release")
            if isinstance(value, Enum) and value.name != name:
                raise InvalidCallError(
                    f"{parameter}={members[name]} is the engine's {enum}.{value.name}, and {enum}.{name} here"
                )
            named[parameter] = name
        return named


def check(call: Call) -> None:
    """Hold shapes, dtypes and figures of a bound call against what the kernel reads.

    Raises:
        InvalidCallError: the first thing that does not hold, with the figures.
    """
    for problem in _problems(call):
        raise InvalidCallError(problem)


def _problems(call: Call) -> Iterator[str]:
    given = call.bound
    hidden = given["hidden_states"]
    if hidden.ndim != 2 or _dtype(hidden) != "bfloat16":
        yield f"hidden_states is {_told(hidden)}, not bfloat16 [tokens, hidden]"
    tokens, columns = hidden.shape
    experts, local, inner = given["num_experts"], given["local_num_experts"], given["intermediate_size"]
    top_k, groups, kept = given["top_k"], given["n_group"] or 1, given["topk_group"] or 1
    for name in ("num_experts", "top_k", "intermediate_size", "local_expert_offset", "local_num_experts"):
        if not isinstance(given[name], int):
            yield f"{name} is {given[name]!r}, not an integer"
    if not 0 <= given["local_expert_offset"] <= experts - local:
        yield f"experts {given['local_expert_offset']} and {local} more are not among {experts}"
    if not 1 <= kept <= groups or experts % groups:
        yield f"n_group={groups} and topk_group={kept} do not divide and select {experts} experts"
    elif not 1 <= top_k <= experts // groups * kept:
        yield f"top_k={top_k} of {experts} experts"
    if not given.get("use_shuffled_weight", True):
        yield "use_shuffled_weight is off: the BF16 kernel reads shuffled rows only"
    if call.members.get("weight_layout", "BlockMajorK") != "BlockMajorK":
        yield f"weight_layout={call.members['weight_layout']}: the BF16 kernel reads BlockMajorK only"
    rows = inner * (2 if call.activation.gated else 1)
    activation = f"activation_type={call.members.get('activation_type', 'Swiglu, the default of the kernel')}"
    for name, wanted, why in (
        ("gemm1_weights", (local, columns // BLOCK, rows, BLOCK), f" with {activation}"),
        ("gemm2_weights", (local, inner // BLOCK, columns, BLOCK), ""),
    ):
        if tuple(given[name].shape) != wanted or _dtype(given[name]) != "bfloat16":
            yield f"{name} is {_told(given[name])}, and the kernel reads bfloat16 {list(wanted)}{why}"
    if isinstance(given.get("topk_ids"), tuple) and not call.pairs:
        yield f"topk_ids is a pair of ids and weights, and {call.function} of this release takes one packed tensor"
    yield from _routing_problems(given, tokens, experts, top_k)


def _routing_problems(given: Mapping[str, Any], tokens: int, experts: int, top_k: int) -> Iterator[str]:
    if "topk_ids" in given:
        packed = given["topk_ids"]
        ids, *weights = packed if isinstance(packed, tuple) else (packed,)
        if tuple(ids.shape) != (tokens, top_k) or _dtype(ids) != "int32":
            yield f"topk_ids is {_told(ids)}, not int32 {[tokens, top_k]}"
        for weight in weights:
            if tuple(weight.shape) != (tokens, top_k) or _dtype(weight) not in {"bfloat16", "float32"}:
                yield f"the weights of topk_ids are {_told(weight)}, not bfloat16 or float32 {[tokens, top_k]}"
        return
    logits, bias = given["routing_logits"], given["routing_bias"]
    if tuple(logits.shape) != (tokens, experts) or _dtype(logits) not in {"bfloat16", "float32"}:
        yield f"routing_logits is {_told(logits)}, not bfloat16 or float32 {[tokens, experts]}"
    if bias is not None and (tuple(bias.shape) != (experts,) or _dtype(bias) not in {"bfloat16", "float32"}):
        yield f"routing_bias is {_told(bias)}, not bfloat16 or float32 {[experts]}"


def _dtype(tensor: Any) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _told(tensor: Any) -> str:
    return f"{_dtype(tensor)} {list(tensor.shape)}"
