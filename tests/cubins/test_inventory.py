"""Kernels in groups, differences and history."""

import json

from matrix.cubins import inventory, names
from matrix.cubins.inventory import Inventory


def test_counts(shelf):
    found = shelf("0.6.8", "plain", "swiglu", "relu2", "attention")
    assert found.moe() == {"none": 1, "swiGlu": 1, "relu2": 1}
    assert found.families() == {"moe": 3, "gemm": 0, "attention": 1, "grouped-gemm": 0}
    assert found.total == 4


def test_a_name_that_does_not_parse_is_counted_and_kept():
    found = inventory.take("0.6.8", "a test", ["Bmm_new_form", "kernel.fp8_m_grouped_gemm.007404769193"])
    assert found.unparsed == ("Bmm_new_form",)
    assert found.total == 2
    assert found.moe() == {}


def test_written_and_read_back(shelf):
    found = shelf("0.6.8", "plain", "relu2", "attention")
    assert Inventory.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_tiles_and_clusters(shelf):
    found = shelf("0.6.8", "relu2")
    (group,) = found.groups.values()
    assert group.tiles == {"128x32x128": 1}
    assert group.clusters == {"1x1x1": 1}


def test_the_difference_names_what_came_and_went(shelf):
    changes = inventory.difference(shelf("0.6.7", "swiglu", "attention"), shelf("0.6.8", "swiglu", "relu2"))
    told = [(str(change.kind), change.old, change.new) for change in changes]
    assert told == [
        ("attention E4m3 x E4m3 -> Bfloat16 HQk576HV512 sm100f", 1, 0),
        ("moe Bfloat16 x Bfloat16 -> Bfloat16 relu2 sm100f", 0, 1),
    ]
    assert inventory.difference(shelf("a", "swiglu"), shelf("b", "swiglu")) == []


def test_history_says_since_when(shelf):
    told = inventory.history(
        [shelf("1", "plain", "swiglu"), shelf("2", "plain"), shelf("3", "plain", "swiglu", "relu2")]
    )
    by_word = {kind.activation: spans for kind, spans in told.items()}
    assert [str(span) for span in by_word["relu2"]] == ["1 - 2: 0", "3: 1"]
    assert [str(span) for span in by_word["swiGlu"]] == ["1: 1", "2: 0", "3: 1"]
    assert inventory.since(by_word["relu2"]) == "3"
    assert inventory.since(by_word["swiGlu"]) == "3"
    assert inventory.since(by_word["none"]) == "1"
    gone = inventory.history([shelf("1", "relu2"), shelf("2", "plain")])
    assert inventory.since(next(spans for kind, spans in gone.items() if kind.activation == "relu2")) == ""


def test_members_are_members_of_the_enum():
    from matrix.kernels.moe import activations

    assert set(names.ACTIVATIONS.values()) <= {a.member for a in activations.ACTIVATIONS}
