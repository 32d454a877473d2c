"""No false alarm: findings between real releases, their witnesses run by imports in real environments."""

import sys
from collections import Counter

import pytest

from matrix.surface.classes import NO_WITNESS, Severity, break_classes
from matrix.surface.diff import diff
from matrix.surface.values import is_literal

PAIRS = [
    ("0.5.3", "0.6.8.post1"),
    ("0.6.7.post3", "0.6.14"),
    ("0.6.11.post1", "0.6.18.post1"),
    ("0.6.18.post1", "0.7.2.post1"),
    ("0.5.3", "0.7.2.post1"),
    ("0.7.1", "0.7.2.post1"),
    ("0.6.15.post1", "0.6.16"),
]
NOT_IN_LEAN = {"enum-member-removed"}
"""Classes whose only cases so far stand in modules that do not import without nvidia-cutlass-dsl."""
LEAST = 60
EACH = 10
"""Of one class in one pair, spread over its symbols."""


def verdict(run, before, after):
    """Whether the older release did what the witness says and the newer one fails or differs."""
    if "unavailable" in before or ("unavailable" in after and run["kind"] != "import"):
        return None
    if "unavailable" in after:
        return None
    if "error" in before:
        blamed = run["kind"] != "package" or any(f"'{name}" in before["error"] for name in run["packages"])
        return False if blamed else None
    if run["kind"] == "call" and set(before["landed"]) != {*run["args"], *run["kwargs"].values()}:
        return False
    if run["kind"] == "default":
        literal = [value for value in run["values"] if is_literal(value)]
        live = [before.get("value"), after.get("value")]
        return live[0] != live[1] and set(literal) <= set(live)
    if run["kind"] == "value":
        return [before.get("value"), after.get("value")] == run["names"]
    return before != after


def sample(old, findings):
    """Some of every class, the same ones every time; none that the older release has only with a package."""
    by_class = {}
    for one in findings:
        if one.witness and not old.conditional(one.symbol):
            by_class.setdefault(one.kind.id, []).append(one)
    return [one for group in by_class.values() for one in group[:: -(-len(group) // EACH)]]


@pytest.fixture(scope="module")
def judged(library, lean, inside):
    found = []
    for old, new in PAIRS:
        surfaces = library.many([old, new])
        findings = sample(surfaces[0], diff(*surfaces))
        runs = [one.witness.run for one in findings]
        sides = [inside(lean(release), "witness_side.py", runs) for release in (old, new)]
        for one, before, after in zip(findings, *sides, strict=True):
            right = verdict(one.witness.run, before, after)
            if right and one.witness.run["kind"] == "call":
                right = ("error" in after) == (one.kind.severity is Severity.BREAKING)
            found.append((old, new, one, before, after, right))
    return found


@pytest.mark.wheels
def test_no_finding_is_a_false_alarm(judged):
    wrong = [
        (old, new, one.kind.id, one.symbol, one.name, one.witness.text[:120], before, after)
        for old, new, one, before, after, right in judged
        if right is False
    ]
    right = Counter(one.kind.id for *_, one, _, _, good in judged if good)
    sys.stderr.write(f"{sum(right.values())} confirmed: {dict(right)}\n")
    assert sum(right.values()) >= LEAST
    assert not wrong, f"{len(wrong)} of {len(judged)}: {wrong[:25]}"


@pytest.mark.wheels
def test_every_class_with_a_witness_was_seen_for_real(judged):
    seen = {one.kind.id for *_, one, _, _, good in judged if good}
    expected = {one.id for one in break_classes() if one.witness != NO_WITNESS}
    assert expected - seen == NOT_IN_LEAN
