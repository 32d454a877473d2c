"""The routing methods, by the name of the axis, and the member of FlashInfer's enum that means each."""

from __future__ import annotations

from dataclasses import dataclass

from matrix.errors import unknown

NO_ROUTING = "Unspecified"
"""The member of `RoutingMethodType` that every release rejects; its integer differs by release."""


@dataclass(frozen=True, kw_only=True)
class Routing:
    """One way to choose experts and their weights from a token's logits.

    Attributes:
        name: value of the routing axis.
        member: the member of FlashInfer's `RoutingMethodType`, by name.
        formula: the definition; `l` logits, `b` bias, `s` the sigmoid, `S` the selected experts.
        bias: whether a bias per expert takes part in the selection.
        grouped: whether experts are first limited to the best groups.
        scaled: whether the routed scaling factor multiplies the weights in every release that has the method.
        max_top_k: the largest top-k that FlashInfer 0.6.8 and later have a routing kernel for.
        max_experts: the same for the number of experts. Beyond a limit FlashInfer may only print a warning
            and leave the weights unwritten, so a result there must not be trusted.
    """

    name: str
    member: str
    formula: str
    bias: bool = False
    grouped: bool = False
    scaled: bool = False
    max_top_k: int
    max_experts: int

    def covers(self, *, experts: int, top_k: int) -> bool:
        """Whether a kernel exists for this many experts and this top-k."""
        return experts <= self.max_experts and top_k <= self.max_top_k


ROUTINGS = (
    Routing(
        name="default",
        member="Default",
        formula="p = softmax(l); S = topk(p); w = p[S]",
        max_top_k=8,
        max_experts=256,
    ),
    Routing(
        name="renormalize",
        member="Renormalize",
        formula="S = topk(l); w = softmax(l[S])",
        max_top_k=32,
        max_experts=2048,
    ),
    Routing(
        name="deepseek_v3",
        member="DeepSeekV3",
        formula=(
            "q = s(l) + b; of several groups keep the topk_group with the largest sum of their two best q; "
            "S = topk(q); w = scaling * s(l)[S] / sum s(l)[S]"
        ),
        bias=True,
        grouped=True,
        scaled=True,
        max_top_k=32,
        max_experts=1024,
    ),
    # The published model scales the expert's input, the BF16 kernel its output: cells follow the kernel.
    Routing(
        name="llama4", member="Llama4", formula="S = argmax(l); w = s(l[S])", max_top_k=1, max_experts=128
    ),
    Routing(
        name="renormalize_naive",
        member="RenormalizeNaive",
        formula="p = softmax(l); S = topk(p); w = p[S] / sum p[S], which equals renormalize",
        max_top_k=32,
        max_experts=2048,
    ),
    Routing(name="topk", member="TopK", formula="S = topk(l); w = l[S]", max_top_k=8, max_experts=256),
    Routing(
        name="sigmoid_renorm",
        member="SigmoidRenorm",
        formula="S = topk(s(l)); w = s(l)[S], divided by its sum if norm_topk_prob",
        max_top_k=8,
        max_experts=256,
    ),
    # Releases before 0.6.14 ignore the scaling factor here, later ones apply it: cells use 1.
    Routing(
        name="minimax2",
        member="MiniMax2",
        formula="S = topk(s(l) + b); w = scaling * s(l)[S] / sum s(l)[S]",
        bias=True,
        max_top_k=32,
        max_experts=1024,
    ),
    Routing(
        name="sigmoid", member="Sigmoid", formula="S = topk(s(l)); w = s(l)[S]", max_top_k=8, max_experts=256
    ),
    Routing(
        name="topk_sigmoid",
        member="TopKSigmoid",
        formula="S = topk(l); w = s(l[S])",
        max_top_k=8,
        max_experts=256,
    ),
)

NAMES = tuple(routing.name for routing in ROUTINGS)


def find(name: str) -> Routing:
    """The routing method of this name.

    Raises:
        InputError: there is none.
    """
    for routing in ROUTINGS:
        if routing.name == name:
            return routing
    raise unknown("routing method", name, NAMES)
