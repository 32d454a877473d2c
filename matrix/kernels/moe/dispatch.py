"""Which path a MoE layer takes on the FlashInfer that is present, and why.

Capability comes from the live signatures and enums of `probe`, never from a version string. A keyword that
the release does not know is left out only where its value is what the kernel does anyway; everything else
falls back, and says so. Which kernels the release ships cannot be seen in a signature: where that is known (by
their names, and by the release's own selection code), a request says so. Imports no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from matrix.errors import unknown
from matrix.kernels.moe import activations, routings

if TYPE_CHECKING:
    from matrix.kernels.moe.probe import Capability

SM100 = (10, 0)
MAJORS = (10,)
# Activations that a BF16 trtllm-gen kernel was ever shipped for: swiGlu always, relu2 with activation_type. What
# counts where a request does not say what its release ships.
BF16_KERNELS = ("Swiglu", "Relu2")
BLOCK = 128
"""Every release's launcher refuses an intermediate size that is no multiple of this."""
WORDS = {
    "backend": ("trtllm_bf16", "trtllm_bf16_routed", "torch"),
    "role": ("target", "draft"),
    "draft_policy": ("same_as_target", "avoid_trtllm"),
}


class Path(str, Enum):
    """How the layer is computed."""

    ACTIVATION_TYPE = "activation_type"
    LEGACY = "legacy"
    FALLBACK = "fallback"


@dataclass(frozen=True, kw_only=True)
class Request:
    """One MoE layer.

    Args:
        backend: `trtllm_bf16`, `trtllm_bf16_routed` or `torch`.
        activation: value of the activation axis.
        gated: whether the first product has a gate half.
        routing: value of the routing axis.
        top_k: experts a token.
        n_group: groups of experts, or None.
        num_experts: experts of the layer.
        routed_scaling_factor: factor on the routing weights, or None.
        role: `target` or `draft`.
        draft_policy: `same_as_target` or `avoid_trtllm`.
        compute_capability: (major, minor) of the GPU, or None without one.
        intermediate: columns between the two products of an expert on this device, or None.
        shipped: members of `ActivationType` that the release ships a BF16 kernel for, or None where not known.
        unfit: why none of these kernels takes the shape, as the release says it; empty where one does.
    """

    backend: str
    activation: str
    gated: bool
    routing: str
    top_k: int
    num_experts: int
    n_group: int | None = None
    routed_scaling_factor: float | None = None
    role: str = "target"
    draft_policy: str = "same_as_target"
    compute_capability: tuple[int, int] | None = None
    intermediate: int | None = None
    shipped: tuple[str, ...] | None = None
    unfit: str = ""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The path, the reason, and the keywords left out because the kernel's behaviour equals their value."""

    path: Path
    reason: str
    left_out: tuple[str, ...] = ()


def choose(request: Request, capability: Capability) -> Decision:
    """The path of one layer on one FlashInfer.

    Raises:
        InputError: an activation, gating or routing that no release knows, or a word of the request that this
            module does not: a misspelt policy must not pass for another.
    """
    for kind, known in WORDS.items():
        if getattr(request, kind) not in known:
            raise unknown(kind.replace("_", " "), getattr(request, kind), known)
    if request.backend == "torch":
        return _fallback("the torch backend was asked for")
    if request.role == "draft" and request.draft_policy == "avoid_trtllm":
        return _fallback("the draft policy avoids trtllm")
    refusal = _import(request, capability) or _gpu(request) or _kernel(request, capability)
    if refusal:
        return _fallback(refusal)
    keywords = capability.signatures[request.backend].parameters
    left_out = tuple(name for name in ("activation_type", "routed_scaling_factor") if name not in keywords)
    if "activation_type" in keywords:
        member = activations.find(request.activation, gated=request.gated).member
        reason = f"the kernel takes activation_type={member}"
        return Decision(path=Path.ACTIVATION_TYPE, reason=reason, left_out=left_out)
    reason = "no activation_type in this release; gated silu is what its kernel computes"
    return Decision(path=Path.LEGACY, reason=reason, left_out=left_out)


def _fallback(reason: str) -> Decision:
    return Decision(path=Path.FALLBACK, reason=reason)


def _import(request: Request, capability: Capability) -> str:
    for needed in (request.backend, "ActivationType", "RoutingMethodType"):
        if needed in capability.failures:
            return str(capability.failures[needed])
    return ""


def _gpu(request: Request) -> str:
    if request.compute_capability is None:
        return "no GPU: trtllm-gen BF16 kernels run on SM100"
    major, minor = request.compute_capability
    if major not in MAJORS:
        return f"the GPU is SM{major}{minor}: trtllm-gen BF16 kernels run on SM100"
    return ""


def _kernel(request: Request, capability: Capability) -> str:
    """Why the kernel of a release that imports does not serve the layer; empty where it does."""
    keywords = capability.signatures[request.backend].parameters
    has_activation_type = "activation_type" in keywords
    return (
        _activation(request, capability, has_activation_type=has_activation_type)
        or _shape(request)
        or _routing(request, capability, grown=has_activation_type)
        or _scaling(request, has_keyword="routed_scaling_factor" in keywords)
    )


def _activation(request: Request, capability: Capability, *, has_activation_type: bool) -> str:
    activation = activations.find(request.activation, gated=request.gated)
    if activation.member not in capability.enums["ActivationType"]:
        return f"this release has no ActivationType.{activation.member}"
    if request.shipped is not None and activation.member not in request.shipped:
        return f"this release ships no BF16 trtllm-gen kernel for {activation.member}"
    if request.shipped is None and activation.member not in BF16_KERNELS:
        return f"BF16 trtllm-gen kernels are known for {' and '.join(BF16_KERNELS)} only, not for {activation.member}"
    if activation.member != "Swiglu" and not has_activation_type:
        return f"{activation.id} needs activation_type, which this release does not take"
    return ""


def _shape(request: Request) -> str:
    """Why no kernel takes the layer's sizes."""
    if request.intermediate is not None and request.intermediate % BLOCK:
        padded = -(-request.intermediate // BLOCK) * BLOCK
        return f"the intermediate size {request.intermediate} is no multiple of {BLOCK}: pad the weights to {padded}"
    return request.unfit


def _routing(request: Request, capability: Capability, *, grown: bool) -> str:
    """Limits of the routing kernels; the routed backend gets its experts from the caller and has none."""
    if request.backend == "trtllm_bf16_routed":
        return ""
    routing = routings.find(request.routing)
    known = capability.enums["RoutingMethodType"]
    if routing.member not in known:
        return f"this release has no RoutingMethodType.{routing.member}"
    if routing.member == "Default" and "SigmoidRenorm" not in known:
        return "RoutingMethodType.Default is declared but not implemented before SigmoidRenorm came"
    if not routing.covers(experts=request.num_experts, top_k=request.top_k):
        return f"no {routing.member} kernel covers top-{request.top_k} of {request.num_experts} experts"
    grouped = routing.grouped and (request.n_group or 1) > 1
    limit = (22 if grouped else routing.max_top_k) if grown else 8
    if routing.member == "DeepSeekV3" and request.top_k > limit:
        return f"DeepSeekV3 routing takes at most top-{limit} here"
    return ""


def _scaling(request: Request, *, has_keyword: bool) -> str:
    if has_keyword or request.routed_scaling_factor in {None, 1.0}:
        return ""
    return f"routed_scaling_factor={request.routed_scaling_factor} cannot be passed to this release"
