"""Where the releases have their enums and functions."""

from __future__ import annotations

from .core import RoutingMethodType, WeightLayout, trtllm_bf16_moe, trtllm_bf16_routed_moe

__all__ = ["RoutingMethodType", "WeightLayout", "trtllm_bf16_moe", "trtllm_bf16_routed_moe"]
