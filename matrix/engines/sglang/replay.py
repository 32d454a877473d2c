"""SGLang's own BF16 trtllm runner and weight loader, called as a layer of it would; runs beside its wheel."""

from __future__ import annotations

import contextlib
import importlib
import types
from typing import TYPE_CHECKING, Any

from matrix.engines.replay.failures import NotReplayableError, UnspokenError
from matrix.engines.replay.standins import StandIn, standing
from matrix.engines.sglang.replay_policy import Chooser
from matrix.kernels.moe import routings
from matrix.kernels.moe.layout import Prepared
from matrix.kernels.moe.probe import failure_of

if TYPE_CHECKING:
    from torch import Tensor

    from matrix.kernels.moe.inputs import Inputs
    from matrix.kernels.moe.problem import Problem

RUNNER = "sglang.srt.layers.moe.moe_runner.flashinfer_trtllm"
TOPK = "sglang.srt.layers.moe.topk"
LOADER = "sglang.srt.layers.quantization.unquant"
UTILS = "sglang.srt.layers.moe.utils"
MODULES = (
    "sglang.srt.server_args",
    # Before the runner, which imports it in a circle otherwise.
    "sglang.srt.layers.moe.fused_moe_triton.layer",
    RUNNER,
    TOPK,
    UTILS,
    "sglang.srt.layers.moe.moe_runner.base",
    "sglang.srt.layers.moe.token_dispatcher.standard",
    LOADER,
)

NORMALIZED = {"renormalize", "renormalize_naive", "deepseek_v3", "sigmoid_renorm", "minimax2"}
"""Routings whose weights sum to one, which a model's configuration calls `norm_topk_prob`."""


def _packed(topk_ids: Tensor, topk_weights: Tensor) -> Any:
    return importlib.import_module(RUNNER).PackTopkIds.vanilla(topk_ids, topk_weights)


_NO_GROUP = types.SimpleNamespace(tp_group=None)
STANDINS = (
    StandIn(
        module=RUNNER,
        name="get_tp_group",
        value=lambda: None,
        why="the tensor-parallel group: one process, no torch.distributed",
    ),
    StandIn(
        module=RUNNER,
        name="get_parallel",
        value=lambda: _NO_GROUP,
        why="the published parallel groups of newer releases: one process, no torch.distributed",
    ),
    StandIn(
        module=RUNNER,
        name="is_allocation_symmetric",
        value=lambda: False,
        why="symmetric memory: needs a group of GPUs",
    ),
    StandIn(
        module=RUNNER,
        name="use_symmetric_memory",
        value=lambda *_, **__: contextlib.nullcontext(),
        why="symmetric memory: needs a group of GPUs",
    ),
    StandIn(
        module=RUNNER,
        name="trtllm_moe_enable_pdl",
        value=lambda *_: False,
        why="programmatic dependent launch of newer releases: asks the GPU",
    ),
    StandIn(
        module=RUNNER,
        name="PackTopkIds.execute",
        value=_packed,
        why="packing of experts by a Triton kernel in 0.5.14 to 0.5.19: its own version in plain torch",
    ),
    StandIn(
        module=LOADER,
        name="get_moe_runner_backend",
        value=lambda: importlib.import_module(UTILS).MoeRunnerBackend.FLASHINFER_TRTLLM,
        why="the server's --moe-runner-backend, which is published at start: flashinfer_trtllm",
    ),
)
"""Everything of SGLang that is replaced while its runner and its loader are called."""


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise NotReplayableError(str(failure_of(error, f"import {name}"))) from error


class Engine:
    """SGLang of this process.

    Attributes:
        replaced: the stand-ins that this release has the names of.

    Raises:
        NotReplayableError: an import failed.
    """

    def __init__(self) -> None:
        self.modules = {name: _imported(name) for name in MODULES}
        with standing(STANDINS) as placed:
            self.replaced = placed

    @property
    def mirror(self) -> dict[str, int]:
        """The engine's copy of RoutingMethodType, member to integer."""
        return {member.name: int(member) for member in self._routing_methods()}

    def _routing_methods(self) -> Any:
        return self.modules[UTILS].RoutingMethodType

    def chooser(self) -> Chooser:
        """The engine's choice of backends."""
        return Chooser()

    def prepare(self, problem: Problem, gemm1: Tensor, gemm2: Tensor) -> Prepared:
        """The engine's own preparation of unquantized weights: `process_weights_after_loading`.

        Args:
            problem: the layer.
            gemm1: bfloat16 `[experts, rows, hidden]`, rows `[up; gate]` as the engine's loader stacks them.
            gemm2: bfloat16 `[experts, hidden, intermediate]`.
        """
        import torch

        layer = torch.nn.Module()
        layer.w13_weight = torch.nn.Parameter(gemm1.clone(), requires_grad=False)
        layer.w2_weight = torch.nn.Parameter(gemm2.clone(), requires_grad=False)
        layer.num_local_experts = problem.experts
        layer.num_experts = problem.experts
        layer.hidden_size = problem.hidden
        layer.intermediate_size_per_partition = problem.intermediate
        layer.moe_runner_config = self._config(problem, routing=None)
        with standing(STANDINS):
            method = self.modules[LOADER].UnquantizedFusedMoEMethod(use_flashinfer_trtllm_moe=True)
            method.process_weights_after_loading(layer)
        return Prepared(gemm1=layer.w13_weight.data, gemm2=layer.w2_weight.data)

    def call(
        self,
        problem: Problem,
        inputs: Inputs,
        prepared: Prepared,
        *,
        experts: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """`fused_experts_none_to_flashinfer_trtllm_bf16`, `[tokens, hidden]`; what it raises comes through.

        Args:
            problem: the layer.
            inputs: logits, bias and hidden states.
            prepared: the weights.
            experts: ids and weights that the engine's router chose, `[tokens, top_k]`, which makes it the
                backend `flashinfer_trtllm_routed`; None leaves the choice to the kernel.

        Raises:
            UnspokenError: the engine's enum has no such routing.
        """
        runner = self.modules[RUNNER]
        member = routings.find(problem.routing).member
        methods = self._routing_methods()
        if experts is None and member not in methods.__members__:
            known = ", ".join(methods.__members__)
            raise UnspokenError(f"its RoutingMethodType has no {member} (it has {known})")
        topk = self._bypassed(problem, inputs) if experts is None else self._chosen(inputs, experts)
        dispatch = self.modules["sglang.srt.layers.moe.token_dispatcher.standard"].StandardDispatchOutput(
            hidden_states=inputs.hidden, hidden_states_scale=None, topk_output=topk
        )
        weights = runner.FlashInferTrtllmBf16MoeQuantInfo(
            gemm1_weights=prepared.gemm1,
            gemm2_weights=prepared.gemm2,
            global_num_experts=problem.experts,
            local_expert_offset=0,
        )
        config = self._config(problem, routing=methods.__members__.get(member))
        with standing(STANDINS):
            result = runner.fused_experts_none_to_flashinfer_trtllm_bf16(
                dispatch, weights, config, use_routed_topk=experts is not None
            )
        return result.hidden_states

    def _config(self, problem: Problem, *, routing: Any) -> Any:
        kind = self.modules["sglang.srt.layers.moe.moe_runner.base"].MoeRunnerConfig
        scaled = routings.find(problem.routing).scaled
        return kind(
            num_experts=problem.experts,
            num_local_experts=problem.experts,
            hidden_size=problem.hidden,
            intermediate_size_per_partition=problem.intermediate,
            top_k=problem.top_k,
            num_fused_shared_experts=0,
            routing_method_type=routing,
            activation=problem.activation,
            is_gated=problem.gated,
            routed_scaling_factor=problem.scaling if scaled else None,
        )

    def _bypassed(self, problem: Problem, inputs: Inputs) -> Any:
        """The router's part left to the kernel, with the configuration that a model's gate would give."""
        topk = self.modules[TOPK]
        method = routings.find(problem.routing)
        config = topk.TopKConfig(
            top_k=problem.top_k,
            use_grouped_topk=method.grouped,
            num_expert_group=problem.n_group if method.grouped else None,
            topk_group=problem.topk_group if method.grouped else None,
            renormalize=method.name in NORMALIZED,
            correction_bias=inputs.bias,
        )
        given = {"hidden_states": inputs.hidden, "topk_config": config}
        fields = topk.BypassedTopKOutput._fields
        given["raw_router_logits" if "raw_router_logits" in fields else "router_logits"] = inputs.logits
        return topk.BypassedTopKOutput(**given)

    def _chosen(self, inputs: Inputs, experts: tuple[Tensor, Tensor]) -> Any:
        import torch

        ids, weights = experts
        return self.modules[TOPK].StandardTopKOutput(
            topk_weights=weights.to(torch.float32),
            topk_ids=ids.to(torch.int32),
            router_logits=inputs.logits,
        )
