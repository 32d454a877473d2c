import ast
import re

import pytest

from matrix.errors import InputError
from matrix.kernels.moe import activations, routings


def enum_members(source, name):
    """Members of an IntEnum in a module's source."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return {
                target.id
                for statement in node.body
                if isinstance(statement, ast.Assign)
                for target in statement.targets
                if isinstance(target, ast.Name)
            }
    return set()


def test_each_pair_of_name_and_gating_has_one_member():
    pairs = [(a.name, a.gated) for a in activations.ACTIVATIONS]
    members = [a.member for a in activations.ACTIVATIONS]
    assert len(set(pairs)) == len(pairs)
    assert len(set(members)) == len(members)


def test_an_unknown_name_names_the_nearest():
    with pytest.raises(InputError, match=r"unknown activation 'sillu'.*\n.*silu"):
        activations.find("sillu", gated=True)


def test_a_gating_that_no_release_has_is_refused():
    with pytest.raises(InputError, match=r"relu2-gated.*\n.*relu2-nongated"):
        activations.find("relu2", gated=True)


def test_no_member_is_an_integer():
    named = [a.member for a in activations.ACTIVATIONS] + [r.member for r in routings.ROUTINGS]
    assert all(re.fullmatch(r"[A-Z]\w+", member) for member in named)


@pytest.mark.wheels
def test_every_member_of_every_release_of_the_window_is_covered(window_source):
    covered = {a.member for a in activations.ACTIVATIONS} | {activations.NO_ACTIVATION}
    seen = set()
    for release, source in window_source.items():
        members = enum_members(source, "ActivationType")
        assert {"Swiglu", "Relu2"} <= members, release
        assert members <= covered, f"{release}: {members - covered} are not covered"
        seen |= members
    assert seen == covered


@pytest.mark.wheels
def test_every_routing_of_every_release_of_the_window_is_covered(window_source):
    covered = {r.member for r in routings.ROUTINGS} | {routings.NO_ROUTING}
    seen = set()
    for release, source in window_source.items():
        members = enum_members(source, "RoutingMethodType")
        assert members <= covered, f"{release}: {members - covered} are not covered"
        seen |= members
    assert seen == covered
