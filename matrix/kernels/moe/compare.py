"""Whether a backend's output is the oracle's, up to rounding and no further.

Both bounds follow from one model. A value stored in a format of unit roundoff `u` (2^-8 for bfloat16, 2^-24
for float32) is off by at most `u` of itself, uniformly, so by `u / sqrt(3)` in the root mean square at worst;
a sum of `n` products in float32 adds about `sqrt(n) * 2^-24`. The errors of different roundings are
independent, so their squares add up, which is what the oracle's `spread` does for every element. One *unit*
is that standard deviation: `sqrt((u^2 + n * 2^-48) / 3) * spread`.

- Relative L2: the norm of the error, at most 1.25 times the norm of the units. Real mantissas lie between 1
  and 2, which brings the error of many elements to about 0.7 norms (0.6 to 0.8 for each activation); what a
  single row shares, the rounding of its weight, does not average out and may carry one token to 1.05. For
  bfloat16 the bound is below 1 % whatever the activation, where a wrong half, factor or group gives 20 % and
  more.
- Worst element: six units. The true deviation being 0.7 of one, that is beyond eight deviations, never
  reached by chance even among 10^9 elements, while one element that is wrong by 5 % of the typical output
  exceeds it.

Every element counts: a share of elements that may be arbitrary would hide a wrong row, column or tail.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from matrix.kernels.moe.oracle import Reference

L2_UNITS = 1.25
"""Bound of the error's norm, in norms of the elements' standard deviations."""

WORST_UNITS = 6.0
"""Bound of the worst element, in units of its own standard deviation."""

_ACCUMULATION = 2.0**-24


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How an output compares with the oracle's.

    Attributes:
        relative_l2: norm of the error over norm of the right output.
        relative_l2_bound: the most it may be.
        worst: largest error of an element, in units of its standard deviation; at most `WORST_UNITS`.
        worst_at: `(token, column)` of it.
        nonfinite: elements that are NaN or infinite; any is a failure.
        reason: why the output is wrong, empty if it is right.
    """

    relative_l2: float
    relative_l2_bound: float
    worst: float
    worst_at: tuple[int, int]
    nonfinite: int
    reason: str

    @property
    def right(self) -> bool:
        """Whether the output is right."""
        return not self.reason

    def to_json(self) -> dict[str, Any]:
        """The figures, as evidence of a verdict."""
        return asdict(self)


def compare(actual: Tensor, reference: Reference, *, dtype: torch.dtype | None = None) -> Comparison:
    """Hold a backend's output against the oracle's.

    Args:
        actual: `[tokens, hidden]`, as the backend returned it.
        reference: the oracle's answer.
        dtype: in which the backend stores what lies between, if not `actual`'s.
    """
    right = reference.output
    if actual.shape != right.shape:
        return _failure(f"the shape is {tuple(actual.shape)}, not {tuple(right.shape)}")
    nonfinite = int((~torch.isfinite(actual)).sum())
    if nonfinite:
        return _failure(f"{nonfinite} of {actual.numel()} elements are not finite", nonfinite=nonfinite)
    roundoff = torch.finfo(dtype or actual.dtype).eps / 2
    unit = math.sqrt((roundoff**2 + reference.length * _ACCUMULATION**2) / 3)
    deviation = (unit * reference.spread).clamp(min=torch.finfo(torch.float64).tiny)
    error = (actual.to(right.device).double() - right).abs()
    norm = float(right.norm())
    units = error / deviation
    place = int(units.argmax())
    worst_at = (place // right.shape[1], place % right.shape[1])
    worst = float(units.flatten()[place])
    relative, bound = (float(x.norm()) / (norm or 1.0) for x in (error, L2_UNITS * deviation))
    reasons = []
    if relative > bound:
        reasons.append(f"relative L2 error {relative:.3g} exceeds {bound:.3g}")
    if worst > WORST_UNITS:
        got, wanted = float(actual[worst_at]), float(right[worst_at])
        beyond = int((units > WORST_UNITS).sum())
        reasons.append(
            f"{beyond} of {actual.numel()} elements are off by more than {WORST_UNITS:g} deviations, "
            f"most [{worst_at[0]}, {worst_at[1]}] by {worst:.3g}: {got:.5g} instead of {wanted:.5g}"
        )
    return Comparison(
        relative_l2=relative,
        relative_l2_bound=bound,
        worst=worst,
        worst_at=worst_at,
        nonfinite=0,
        reason="; ".join(reasons),
    )


def _failure(reason: str, *, nonfinite: int = 0) -> Comparison:
    return Comparison(
        relative_l2=math.inf,
        relative_l2_bound=0.0,
        worst=math.inf,
        worst_at=(0, 0),
        nonfinite=nonfinite,
        reason=reason,
    )
