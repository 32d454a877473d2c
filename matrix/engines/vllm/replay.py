"""vLLM's own BF16 trtllm experts and their weight preparation, called as a layer of it would."""

from __future__ import annotations

import importlib
import types
from typing import TYPE_CHECKING, Any

from matrix.engines.replay.failures import NotReplayableError, UnspokenError
from matrix.engines.replay.standins import StandIn
from matrix.kernels.moe import routings
from matrix.kernels.moe.layout import Prepared
from matrix.kernels.moe.probe import failure_of

if TYPE_CHECKING:
    from torch import Tensor

    from matrix.kernels.moe.inputs import Inputs
    from matrix.kernels.moe.problem import Problem

EXPERTS = "vllm.model_executor.layers.fused_moe.experts.trtllm_bf16_moe"
ACTIVATION = "vllm.model_executor.layers.fused_moe.activation"
CONFIG = "vllm.model_executor.layers.fused_moe.config"
WEIGHTS = "vllm.model_executor.layers.quantization.utils.flashinfer_utils"
MODULES = (EXPERTS, ACTIVATION, CONFIG, WEIGHTS)
CALLED = {
    EXPERTS: (
        "TrtLlmBf16ExpertsBase",
        "TrtLlmBf16ExpertsMonolithic",
        "TrtLlmBf16ExpertsModular",
        "view_as_block_major_k",
    ),
    ACTIVATION: ("MoEActivation",),
    CONFIG: ("RoutingMethodType",),
    WEIGHTS: ("convert_moe_weights_to_flashinfer_trtllm_block_layout",),
}
SPELLED = {"swiglu_step": "swiglustep"}
"""Activations that vLLM writes otherwise."""

TOKENS = 8192
"""Largest number of tokens of a step, by which vLLM bounds FlashInfer's tuning."""


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise NotReplayableError(str(failure_of(error, f"import {name}"))) from error


class Engine:
    """vLLM of this process.

    Attributes:
        replaced: what stands in for its own.
        chooser: vLLM's choice of backends is not replayed.

    Raises:
        NotReplayableError: an import failed, or the release has not what is called here.
    """

    chooser = None

    def __init__(self) -> None:
        self.modules = {name: _imported(name) for name in MODULES}
        for module, names in CALLED.items():
            for name in names:
                if not hasattr(self.modules[module], name):
                    raise NotReplayableError(f"{module} of this release has no {name}, which is called here")
        why = "the layer's configuration, which vLLM makes of a model and a server: only what the call reads"
        self.replaced = [
            StandIn(module=EXPERTS, name="TrtLlmBf16ExpertsBase.moe_config", value=None, why=why)
        ]

    @property
    def mirror(self) -> dict[str, int]:
        """The engine's copy of RoutingMethodType, member to integer."""
        return {member.name: int(member) for member in self.modules[CONFIG].RoutingMethodType}

    def prepare(self, problem: Problem, gemm1: Tensor, gemm2: Tensor) -> Prepared:
        """The engine's own preparation of unquantized weights; it takes gated rows as `[gate; up]`."""
        import torch

        stacked = torch.cat(gemm1.chunk(2, dim=1)[::-1], dim=1) if problem.gated else gemm1.clone()
        second = gemm2.clone()
        self.modules[WEIGHTS].convert_moe_weights_to_flashinfer_trtllm_block_layout(
            {}, stacked, second, is_gated_act_gemm=problem.gated
        )
        view = self.modules[EXPERTS].view_as_block_major_k
        return Prepared(gemm1=view(stacked), gemm2=view(second))

    def call(
        self,
        problem: Problem,
        inputs: Inputs,
        prepared: Prepared,
        *,
        experts: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """`apply` of the monolithic experts, or of the modular ones where the engine chose the experts itself.

        Args:
            problem: the layer.
            inputs: logits, bias and hidden states.
            prepared: the weights.
            experts: ids and weights that the engine's router chose, `[tokens, top_k]`.

        Raises:
            UnspokenError: the engine has no such activation or routing, or says that it does not support it.
        """
        module = self.modules[EXPERTS]
        activation = self._activation(problem)
        routing = self._routing(problem, monolithic=experts is None)
        kind = module.TrtLlmBf16ExpertsMonolithic if experts is None else module.TrtLlmBf16ExpertsModular
        if not kind._supports_activation(activation):  # noqa: SLF001 - what vLLM itself asks before it calls
            raise UnspokenError(f"its {kind.__name__} does not support {activation.value}")
        layer = self._layer(kind, problem, routing)
        if experts is None:
            grouped = problem.n_group > 1
            result: Tensor = layer.apply(
                inputs.hidden,
                prepared.gemm1,
                prepared.gemm2,
                inputs.logits,
                activation,
                problem.experts,
                None,
                None,
                apply_router_weight_on_input=False,
                num_expert_group=problem.n_group if grouped else None,
                e_score_correction_bias=inputs.bias,
                routed_scaling_factor=problem.scaling if routings.find(problem.routing).scaled else None,
                topk_group=problem.topk_group if grouped else None,
            )
            return result
        import torch

        ids, weights = experts
        output = torch.empty_like(inputs.hidden)
        layer.apply(
            output,
            inputs.hidden,
            prepared.gemm1,
            prepared.gemm2,
            weights.float(),
            ids,
            activation,
            problem.experts,
            *[None] * 6,
            apply_router_weight_on_input=False,
        )
        return output

    def _activation(self, problem: Problem) -> Any:
        known = self.modules[ACTIVATION].MoEActivation
        name = SPELLED.get(problem.activation, problem.activation) + ("" if problem.gated else "_no_mul")
        try:
            return known(name)
        except ValueError:
            raise UnspokenError(f"its MoEActivation has no {name}") from None

    def _routing(self, problem: Problem, *, monolithic: bool) -> Any:
        methods = self.modules[CONFIG].RoutingMethodType
        member = routings.find(problem.routing).member
        if not monolithic:
            return methods.__members__.get(member)
        if member not in methods.__members__:
            raise UnspokenError(f"its RoutingMethodType has no {member}")
        kind = self.modules[EXPERTS].TrtLlmBf16ExpertsMonolithic
        if not kind._supports_routing_method(methods[member], None, None):  # noqa: SLF001 - as vLLM asks
            raise UnspokenError(f"its {kind.__name__} does not support the routing {member}")
        return methods[member]

    def _layer(self, kind: Any, problem: Problem, routing: Any) -> Any:
        """The experts of a layer, with what `apply` reads and nothing that a server would have to give."""
        parallel = types.SimpleNamespace(ep_rank=0, dp_size=1)
        config = types.SimpleNamespace(
            routing_method=routing,
            experts_per_token=problem.top_k,
            intermediate_size_per_partition=problem.intermediate,
            hidden_dim=problem.hidden,
            num_local_experts=problem.experts,
            moe_parallel_config=parallel,
            should_defer_moe_finalize=lambda *_: False,
            elastic_ep_max_dp_size=None,
            dp_size=1,
            max_num_tokens=TOKENS,
        )
        layer = object.__new__(kind)
        layer.post_gemm2_hook = None
        self.modules[EXPERTS].TrtLlmBf16ExpertsBase.__init__(layer, config, None)
        return layer
