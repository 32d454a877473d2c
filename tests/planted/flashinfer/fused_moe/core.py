"""Signatures, enums and weight layout as in 0.7.2, written from their definition."""
# ruff: noqa: B008, FBT002, PLR0917 - the signatures are FlashInfer's

from __future__ import annotations

from enum import IntEnum

from ..faults import Trap  # noqa: TID252 - this package is planted under another's name


class ActivationType(IntEnum):
    Gelu = 0
    Relu = 1
    Silu = 2
    Swiglu = 3
    Geglu = 4
    SwigluBias = 5
    Relu2 = 6
    SwigluStep = 7
    GegluTanh = 8
    Identity = 9
    Situ = 10
    InvalidType = 11
    ClampedRelu2 = 12


class RoutingMethodType(IntEnum):
    Default = 0
    Renormalize = 1
    DeepSeekV3 = 2
    Llama4 = 3
    RenormalizeNaive = 4
    TopK = 5
    SigmoidRenorm = 6
    MiniMax2 = 7
    Sigmoid = 8
    TopKSigmoid = 9
    Unspecified = 10


class WeightLayout(IntEnum):
    MajorK = 0
    MajorMn = 1
    BlockMajorK = 2


def trtllm_bf16_moe(
    routing_logits,
    routing_bias,
    hidden_states,
    gemm1_weights,
    gemm2_weights,
    num_experts,
    top_k,
    n_group,
    topk_group,
    intermediate_size,
    local_expert_offset,
    local_num_experts,
    routed_scaling_factor=None,
    routing_method_type=0,
    use_shuffled_weight=True,
    weight_layout=Trap(),
    do_finalize=True,
    enable_pdl=True,
    tune_max_num_tokens=8192,
    activation_type=3,
    norm_topk_prob=True,
):
    raise NotImplementedError


def trtllm_bf16_routed_moe(
    topk_ids,
    hidden_states,
    gemm1_weights,
    gemm2_weights,
    num_experts,
    top_k,
    n_group,
    topk_group,
    intermediate_size,
    local_expert_offset,
    local_num_experts,
    routed_scaling_factor=None,
    routing_method_type=0,
    use_shuffled_weight=True,
    weight_layout=Trap(),
    do_finalize=True,
    enable_pdl=True,
    tune_max_num_tokens=8192,
    activation_type=3,
):
    raise NotImplementedError


def _shuffle(order):
    """Within each block of 32 rows, row `4 a + b` moves to `8 b + a`."""
    return order.view(-1, 8, 4).transpose(1, 2).reshape(-1)


def _maybe_get_cached_w3_w1_permute_indices(
    cache, weight, epilogue_tile_m, num_elts_per_sf=None, is_gated_act_gemm=True
):
    import torch

    order = torch.arange(weight.shape[0])
    return _shuffle(order.view(2, -1).T.reshape(-1) if is_gated_act_gemm else order)


def get_w2_permute_indices_with_cache(cache, weight, epilogue_tile_m, num_elts_per_sf=None):
    import torch

    return _shuffle(torch.arange(weight.shape[0]))


def convert_to_block_layout(tensor, block):
    rows, columns = tensor.shape
    return tensor.view(rows, columns // block, block).transpose(0, 1).contiguous()
