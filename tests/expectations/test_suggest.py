from __future__ import annotations

from itertools import product

import pytest

from matrix.cells import axes, selection
from matrix.cells.cell import Cell, Point
from matrix.expectations import load
from matrix.expectations.suggest import Sighting, describe, suggest

TESTED = ("0.5.3", "0.6.7.post3", "0.6.14", "0.7.2.post1")
OLD = TESTED[:2]
POINTS = [
    {
        "backend": backend,
        "activation": activation,
        "gating": gating,
        "routing": routing,
        "role": role,
        "bias": "none",
        "profile": "nemotron-h",
    }
    for backend, (activation, gating), routing, role in product(
        ("trtllm_bf16", "torch"),
        (("silu", "gated"), ("relu2", "nongated"), ("identity", "nongated")),
        ("deepseek_v3", "renormalize"),
        ("draft", "target"),
    )
]


def sightings(unexpected, verdict="FAIL_API", stage="bind", gpu=""):
    return [
        Sighting(
            release=release,
            environment="lean",
            axes=point,
            gpu=gpu,
            verdict=verdict if unexpected(release, point) else "PASS",
            stage=stage,
            reason='it said "no"\nand <b>',
            unexpected=unexpected(release, point),
        )
        for release in TESTED
        for point in POINTS
    ]


def loaded(tmp_path, entries):
    path = tmp_path / "expectations.toml"
    path.write_text("schema = 1\n" + "\n\n".join(entries), encoding="utf-8")
    return load(path).entries


@pytest.mark.parametrize(
    "unexpected",
    [
        lambda release, point: release in OLD,
        lambda release, point: release in OLD and point["backend"] == "trtllm_bf16",
        lambda release, point: point["activation"] != "silu" and point["role"] == "draft",
        lambda release, point: (point["activation"] == "relu2") is not (point["routing"] == "renormalize"),
        lambda release, point: release in {"0.5.3", "0.6.14"},
        lambda release, point: point is POINTS[5] or point is POINTS[18],
    ],
)
def test_suggested_entries_cover_exactly_what_was_unexpected(tmp_path, unexpected):
    everything = sightings(unexpected)
    entries = loaded(tmp_path, suggest(everything, TESTED))
    for each in everything:
        cell = Cell(release=each.release, environment="lean", point=Point(**each.axes))
        covered = any(
            entry.holds_at(each.release, "lean", "") and (entry.cells is None or entry.cells(cell))
            for entry in entries
        )
        assert covered is each.unexpected


def test_a_plain_case_reads_as_a_person_would_write_it():
    (entry,) = suggest(
        sightings(lambda release, point: release in OLD and point["backend"] == "trtllm_bf16"), TESTED
    )
    assert entry.splitlines() == [
        "[[expect]]",
        'verdict = "FAIL_API"',
        'stage = "bind"',
        'releases = ">=0.5.3,<=0.6.7.post3"',
        'environment = "lean"',
        'cells = "backend=trtllm_bf16"',
        'reason = "it said \\"no\\"\\nand <b>"',
    ]


def test_what_a_gpu_said_is_suggested_for_that_gpu_alone(tmp_path):
    everything = sightings(lambda release, point: True, "FAIL_NUMERIC", "numerics", gpu="9.0")
    (entry,) = loaded(tmp_path, suggest(everything, TESTED))
    assert entry.holds_at("0.6.14", "lean", "9.0")
    assert not entry.holds_at("0.6.14", "lean", "10.0")


def test_nothing_unexpected_nothing_suggested():
    assert suggest(sightings(lambda release, point: False), TESTED) == []


def test_one_of_many_points_is_described_by_what_tells_it_apart():
    every = frozenset(tuple(point.items()) for point in POINTS)
    one = frozenset([tuple(POINTS[0].items())])
    text = describe(one, every)
    chosen = selection.parse(text, axes.load().values)
    taken = [
        point for point in POINTS if chosen(Cell(release="0.6.14", environment="lean", point=Point(**point)))
    ]
    assert taken == [POINTS[0]]
    assert "profile" not in text
