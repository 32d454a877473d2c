"""The definition against loops over rows and elements; the releases are in test_releases.py."""

import pytest
import torch

from matrix.errors import InputError
from matrix.kernels.moe import layout


def by_loops(weight, *, gated):
    """Lay out one expert's `[rows, columns]` row by row, element by element."""
    rows, columns = weight.shape
    if gated:
        half = rows // 2
        weight = torch.stack([weight[i // 2 + half * (i % 2)] for i in range(rows)])
    shuffled = torch.empty_like(weight)
    for row in range(rows):
        block, place = divmod(row, 32)
        shuffled[32 * block + 8 * (place % 4) + place // 4] = weight[row]
    blocks = torch.empty(columns // 64, rows, 64, dtype=weight.dtype)
    for row in range(rows):
        for column in range(columns):
            blocks[column // 64, row, column % 64] = shuffled[row, column]
    return blocks


@pytest.mark.parametrize("gated", [True, False])
def test_undo_takes_back_what_the_definition_does(gated):
    weights = torch.arange(2 * 64 * 128).reshape(2, 64, 128).to(torch.bfloat16)
    blocked = torch.stack([by_loops(weight, gated=gated) for weight in weights])
    assert torch.equal(layout.undo(blocked, gated=gated), weights)
    assert not torch.equal(layout.undo(blocked, gated=not gated), weights)


def test_weights_that_fit_no_block_are_refused():
    functions = layout.Functions(first=print, second=print, block=print)
    for rows, columns in ((40, 64), (64, 40)):
        weight = torch.zeros(1, rows, columns, dtype=torch.bfloat16)
        with pytest.raises(InputError, match="no block layout"):
            layout.prepare(functions, weight, weight, gated=True)


def test_the_first_difference_is_named():
    weights = torch.randn(2, 64, 128, generator=torch.Generator().manual_seed(0)).bfloat16()
    blocked = torch.stack([by_loops(weight, gated=False) for weight in weights])
    right = layout.Prepared(gemm1=blocked, gemm2=blocked)
    assert layout.difference(right, weights, weights, gated=False) == ""
    mended = weights.clone()
    mended[1, [3, 5]] = weights[1, [5, 3]]
    assert layout.difference(right, mended, weights, gated=False) == (
        "gemm1: 2 of 128 rows are not where the kernel reads them; first, in expert 1, row 3 holds its row 5"
    )
    mended[1, 5] += 1
    assert "row 3 holds no row of it" in layout.difference(right, mended, weights, gated=False)
    assert "comes back as" in layout.difference(right, weights[:1], weights, gated=False)
