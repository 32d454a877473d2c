"""Coverage counted here, from a full enumeration, and not by the module that is tested."""

from __future__ import annotations

import subprocess
import sys
from itertools import combinations

import pytest

from matrix.cells import covering
from matrix.errors import InputError


def tuples(rows, size):
    """Every combination of `size` axis values that the rows hold."""
    return {part for row in rows for part in combinations(sorted(row.items()), size)}


@pytest.fixture(scope="module", params=["2", "3"])
def covered(request, axes):
    return int(request.param), covering.cover(axes, request.param)


def test_every_combination_that_means_something_is_covered(covered, every):
    size, points = covered
    wanted = tuples(every, size)
    assert tuples([point.values() for point in points], size) == wanted
    assert len(points) < len(every) / 5


def test_nothing_is_generated_that_means_nothing_and_nothing_twice(covered, judge):
    _, points = covered
    assert all(judge(point.values()) for point in points)
    assert len(points) == len(set(points))


def test_must_cells_come_first(covered, axes):
    _, points = covered
    assert tuple(points[: len(axes.must)]) == axes.must


def test_all_is_the_full_product(axes, every):
    points = covering.cover(axes, "all")
    assert {tuple(point.values().items()) for point in points} == {tuple(row.items()) for row in every}
    told = covering.measure(points, axes, "all")
    assert len(points) == told.points == told.tuples == told.covered == len(every)


def test_the_coverage_that_is_reported_is_the_one_counted_here(covered, axes, every):
    strength, points = covered
    told = covering.measure(points, axes, str(strength))
    assert told.tuples == told.covered == len(tuples(every, strength))
    assert told.points == len(points)
    assert told.must == len(axes.must)


def test_a_hole_is_reported(axes, every):
    points = [
        point for point in covering.cover(axes) if (point.activation, point.routing) != ("relu2", "topk")
    ]
    told = covering.measure(points, axes, "2")
    held = tuples([point.values() for point in points], 2)
    assert told.covered == len(held & tuples(every, 2)) < told.tuples


@pytest.mark.parametrize("rule", covering.RULES, ids=lambda rule: rule.why)
def test_without_a_rule_something_meaningless_is_generated(axes, rule, monkeypatch, judge):
    monkeypatch.setattr(covering, "RULES", tuple(each for each in covering.RULES if each is not rule))
    assert not all(judge(point.values()) for point in covering.cover(axes))


def test_the_pairwise_set_is_near_the_least_that_is_possible(axes):
    first, second, *_ = sorted((len(values) for values in axes.values.values()), reverse=True)
    assert first * second <= len(covering.cover(axes)) <= first * second + len(axes.must)


PRINT = "from matrix.cells import axes, covering; print(*[p.id for p in covering.cover(axes.load(), {!r})])"


@pytest.mark.parametrize("seed", ["0", "12345"])
def test_the_set_is_the_same_in_every_process(covered, seed):
    strength, points = covered
    told = subprocess.run(
        [sys.executable, "-c", PRINT.format(str(strength))],
        env={"PYTHONHASHSEED": seed, "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == [point.id for point in points]


def test_a_strength_that_does_not_exist_is_named(axes):
    with pytest.raises(InputError, match="Choose from 2, 3, all"):
        covering.cover(axes, "4")
