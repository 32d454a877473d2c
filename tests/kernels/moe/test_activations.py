import re

import pytest

from matrix.errors import InputError
from matrix.kernels.moe import activations, routings


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
