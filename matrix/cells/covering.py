"""As few points as cover every meaningful combination of any two (or three, or all) axes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

from matrix.cells.axes import RULES, Axes
from matrix.cells.cell import Point
from matrix.errors import InputError
from matrix.kernels.moe import activations, routings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

STRENGTHS = ("2", "3", "all")


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """How much of the meaningful combinations a set of points reaches, counted without the generator."""

    strength: str
    tuples: int
    covered: int
    points: int
    must: int


def cover(axes: Axes, strength: str = "2") -> list[Point]:
    """Points that cover every meaningful combination of `strength` axes, the must-cells first; deterministic.

    Raises:
        InputError: a strength other than 2, 3 or all.
    """
    if strength not in STRENGTHS:
        raise InputError(f"--strength {strength} does not exist.", f"Choose from {', '.join(STRENGTHS)}.")
    if strength == "all":
        names = list(axes.values)
        every = (Point(**dict(zip(names, values, strict=True))) for values in product(*axes.values.values()))
        rest = [point for point in every if not axes.meaningless(point)]
    else:
        import covertable

        rows = covertable.make(
            {axis: list(values) for axis, values in axes.values.items()},
            strength=int(strength),
            constraints=[_constraint(rule, axes) for rule in RULES],
            presets=[point.values() for point in axes.must],
        )
        rest = sorted((Point(**row) for row in rows), key=lambda point: point.id)
    return list(dict.fromkeys([*axes.must, *rest]))


def product_of(axes: Axes, backends: Iterable[str]) -> list[Point]:
    """Every activation, gating, routing and role of these backends once, after their must-cells.

    The profile is the first with that activation or routing, the bias float32 where the routing takes one.
    """
    found = [point for point in axes.must if point.backend in backends]
    for backend, activation, routing, role in product(
        backends, activations.ACTIVATIONS, axes.values["routing"], axes.values["role"]
    ):
        biased = backend == "trtllm_bf16" and routings.find(routing).bias
        own = [
            name
            for name, one in axes.profiles.items()
            if (one.activation, one.gated) == (activation.name, activation.gated)
        ]
        candidates = (
            Point(
                backend=backend,
                activation=activation.name,
                gating="gated" if activation.gated else "nongated",
                routing=routing,
                role=role,
                bias="fp32" if biased else "none",
                profile=profile,
            )
            for profile in [*own, *axes.profiles]
        )
        fitting = next((point for point in candidates if not axes.meaningless(point)), None)
        if fitting is not None:
            found.append(fitting)
    return list(dict.fromkeys(found))


def _constraint(rule: Any, axes: Axes) -> dict[str, Any]:
    return {
        "operator": "fn",
        "requires": list(rule.axes),
        "evaluate": lambda row: rule.holds(row, axes.profiles),
    }


def measure(points: Iterable[Point], axes: Axes, strength: str) -> Coverage:
    """Count the meaningful combinations and those that the points hold."""
    points = list(points)
    size = len(axes.values) if strength == "all" else int(strength)
    meaningful: set[tuple[tuple[str, str], ...]] = set()
    reached: set[tuple[tuple[str, str], ...]] = set()
    for names in combinations(axes.values, size):
        for values in product(*(axes.values[name] for name in names)):
            part = dict(zip(names, values, strict=True))
            if _completable(part, axes):
                meaningful.add(tuple(part.items()))
        reached.update(tuple((name, getattr(point, name)) for name in names) for point in points)
    return Coverage(
        strength=strength,
        tuples=len(meaningful),
        covered=len(meaningful & reached),
        points=len(points),
        must=sum(point in points for point in axes.must),
    )


def _completable(part: Mapping[str, str], axes: Axes) -> bool:
    """Whether some point that means something holds this combination."""
    linked = [axis for rule in RULES for axis in rule.axes if axis not in part]
    missing = list(dict.fromkeys(linked))
    return any(
        all(rule.holds({**part, **dict(zip(missing, values, strict=True))}, axes.profiles) for rule in RULES)
        for values in product(*(axes.values[axis] for axis in missing))
    )
