from __future__ import annotations

import pytest

from matrix.errors import EnvironmentBuildError, Exit, InputError, KernelMatrixError, NetworkError, unknown


def test_exit_codes_are_the_documented_ones():
    assert {code.name: int(code) for code in Exit} == {
        "AS_EXPECTED": 0,
        "UNEXPECTED": 1,
        "BAD_INPUT": 2,
        "INCOMPLETE": 3,
        "INTERRUPTED": 130,
    }


@pytest.mark.parametrize("kind", [InputError, EnvironmentBuildError, NetworkError])
def test_an_error_says_what_happened_and_what_to_do(kind):
    error = kind("the disk is full.", "Free some space.")
    assert str(error) == "the disk is full.\n  Free some space."
    assert str(kind("the disk is full.")) == "the disk is full."
    assert isinstance(error, KernelMatrixError)
    assert error.exit_code == Exit.BAD_INPUT


def test_an_unknown_name_brings_the_nearest():
    error = unknown("axis", "activaton", ["routing", "activation", "role"], "axes.toml")
    assert str(error) == "axes.toml: unknown axis 'activaton'.\n  Did you mean activation?"


def test_a_name_that_is_near_to_none_brings_all():
    assert str(unknown("role", "x", ["target", "draft"])) == "unknown role 'x'.\n  Known: draft, target."
    assert str(unknown("role", "x", [])) == "unknown role 'x'.\n  Known: none."
