"""The weights as trtllm-gen's BF16 kernels read them, and the way back.

`prepare` uses the release's own functions, as engines do when they load a model. `undo` knows none of them;
it is written from the definition, in three steps that are each a reshape:

1. *Interleave*, first product of gated experts only: rows `[up; gate]` become `up 0, gate 0, up 1, gate 1`
   and so on, so that the two values an activation joins lie side by side in the epilogue.
2. *Shuffle*, for an epilogue tile of 128 rows: within each block of 32 rows, row `4 a + b` moves to `8 b + a`
   (`a` from 0 to 7, `b` from 0 to 3).
3. *Block*: columns are cut into blocks of 128 bytes, and the block becomes the outermost dimension,
   `[rows, columns] -> [columns / 64, rows, 64]` in bfloat16.

The function of 0.5.3 for the first product knows gated experts only and always interleaves. A non-gated
layout there means the shuffle and the blocks alone, which is what later releases do for it; 0.5.3 has no
kernel that reads it.
"""

from __future__ import annotations

import importlib
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from matrix.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

EPILOGUE_TILE = 128
"""Rows of the epilogue's tile, which decides the shuffle."""

BLOCK_BYTES = 128
"""Bytes of a row in one block of columns."""

SHUFFLE_BLOCK = 32
"""Rows that the shuffle permutes among themselves."""


@dataclass(frozen=True, kw_only=True)
class Functions:
    """A release's own functions that prepare weights, from `flashinfer.fused_moe.core`.

    Attributes:
        first: `_maybe_get_cached_w3_w1_permute_indices`.
        second: `get_w2_permute_indices_with_cache`.
        block: `convert_to_block_layout`.
    """

    first: Callable[..., Tensor]
    second: Callable[..., Tensor]
    block: Callable[..., Tensor]

    @classmethod
    def live(cls) -> Functions:
        """Those of the FlashInfer that this process imports.

        Raises:
            ImportError, AttributeError: FlashInfer or one of the functions is absent.
        """
        core = importlib.import_module("flashinfer.fused_moe.core")
        return cls(
            first=core._maybe_get_cached_w3_w1_permute_indices,  # noqa: SLF001 - engines call it too
            second=core.get_w2_permute_indices_with_cache,
            block=core.convert_to_block_layout,
        )

    @property
    def knows_nongated(self) -> bool:
        """Whether the release's function for the first product can lay out experts without a gate."""
        return "is_gated_act_gemm" in inspect.signature(self.first).parameters


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """Weights as the kernel reads them.

    Attributes:
        gemm1: `[experts, hidden / 64, rows, 64]`.
        gemm2: `[experts, intermediate / 64, hidden, 64]`.
        note: what was done otherwise than by the release's own function for it; empty where nothing was.
    """

    gemm1: Tensor
    gemm2: Tensor
    note: str = ""


def prepare(functions: Functions, gemm1: Tensor, gemm2: Tensor, *, gated: bool) -> Prepared:
    """Prepare each expert's weights with the release's own functions.

    The permutation is looked up anew for every call: the caches of 0.6.7 to 0.6.14 forget whether experts are
    gated, and would hand gated rows to non-gated weights of the same shape.

    Args:
        functions: the release's.
        gemm1: bfloat16 `[experts, rows, hidden]`, rows in the order `[up; gate]` if gated.
        gemm2: bfloat16 `[experts, hidden, intermediate]`.
        gated: whether the first product has two halves.

    Raises:
        InputError: rows are no multiple of 32, or columns none of 64.
    """
    for name, weight in (("gemm1", gemm1), ("gemm2", gemm2)):
        _, rows, columns = weight.shape
        if rows % SHUFFLE_BLOCK or columns * weight.element_size() % BLOCK_BYTES:
            raise InputError(
                f"{name} of {rows} rows and {columns} columns has no block layout.",
                f"Rows come in blocks of {SHUFFLE_BLOCK}, columns in blocks of {BLOCK_BYTES} bytes.",
            )
    cache: dict[Any, Tensor] = {}
    if gated:
        first, note = functions.first(cache, _bytes(gemm1[0]), EPILOGUE_TILE), ""
    elif functions.knows_nongated:
        first, note = functions.first(cache, _bytes(gemm1[0]), EPILOGUE_TILE, is_gated_act_gemm=False), ""
    else:
        first = functions.second({}, _bytes(gemm1[0]), EPILOGUE_TILE)
        note = "the release lays out gated experts only: gemm1 was shuffled by its function for gemm2"
    second = functions.second(cache, _bytes(gemm2[0]), EPILOGUE_TILE)
    return Prepared(
        gemm1=_arrange(functions.block, gemm1, first),
        gemm2=_arrange(functions.block, gemm2, second),
        note=note,
    )


def _bytes(weight: Tensor) -> Tensor:
    return weight.contiguous().view(torch.uint8)


def _arrange(block: Callable[..., Tensor], weights: Tensor, order: Tensor) -> Tensor:
    order = order.to(weights.device)
    experts, rows, columns = weights.shape
    width = BLOCK_BYTES // weights.element_size()
    arranged = weights.new_empty((experts, columns // width, rows, width))
    for target, weight in zip(arranged, weights, strict=True):
        target.copy_(block(_bytes(weight)[order], BLOCK_BYTES).view(weights.dtype))
    return arranged


def undo(blocked: Tensor, *, gated: bool) -> Tensor:
    """The weights that a prepared tensor came from, by the definition alone.

    Args:
        blocked: `[experts, columns / 64, rows, 64]`.
        gated: whether rows are interleaved; false for every second product.

    Returns:
        `[experts, rows, columns]`.
    """
    shuffled = blocked.transpose(1, 2).flatten(2)
    rows = shuffled.unflatten(1, (-1, SHUFFLE_BLOCK // 8, 8)).transpose(2, 3).flatten(1, 3)
    return rows.unflatten(1, (-1, 2)).transpose(1, 2).flatten(1, 2) if gated else rows


def difference(prepared: Prepared, gemm1: Tensor, gemm2: Tensor, *, gated: bool) -> str:
    """Where prepared weights, undone, are not the original; empty where they are.

    Args:
        prepared: as the kernel would read them.
        gemm1: `[experts, rows, hidden]`, the original.
        gemm2: `[experts, hidden, intermediate]`, the original.
        gated: what the weights are, whatever they were prepared as.
    """
    found = (
        _first_difference("gemm1", undo(prepared.gemm1, gated=gated), gemm1),
        _first_difference("gemm2", undo(prepared.gemm2, gated=False), gemm2),
    )
    return "; ".join(filter(None, found))


def _first_difference(name: str, restored: Tensor, original: Tensor) -> str:
    if restored.shape != original.shape:
        return f"{name} comes back as {tuple(restored.shape)}, not {tuple(original.shape)}"
    wrong = (restored.view(torch.int16) != original.view(torch.int16)).any(-1)
    if not wrong.any():
        return ""
    expert, row = (int(place) for place in wrong.nonzero()[0])
    same = (original[expert] == restored[expert, row]).all(-1).nonzero().flatten().tolist()
    instead = f"its row {same[0]}" if same else "no row of it"
    return (
        f"{name}: {int(wrong.sum())} of {wrong.numel()} rows are not where the kernel reads them; first, "
        f"in expert {expert}, row {row} holds {instead}"
    )
