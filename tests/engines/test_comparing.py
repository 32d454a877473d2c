"""How a release compares, as a version, as a text, or once something was taken off it."""

import pytest

from matrix.engines.comparing import compare, compare_number


@pytest.mark.parametrize(
    ("release", "sign", "limit", "steps", "answer"),
    [
        ("0.6.9", "<", "0.6.10", (), True),
        ("0.6.9", "<", "0.6.10", ("text",), False),
        ("0.6.7.post3", ">", "0.6.7", (), True),
        ("0.6.7.post3", ">", "0.6.7", ("base",), False),
        ("0.6.8rc1", ">=", "0.6.8", (), False),
        ("0.6.8rc1", ">=", "0.6.8", ("rc",), True),
        ("0.6.8rc1", ">=", "0.6.8", ("loose",), None),
        ("0.6.8+cu13", "==", "0.6.8", ("+", "text"), True),
        ("0.6.7.post3", "starts", "0.6.7", ("text",), True),
        ("", "<", "0.6", ("text",), None),
        ("checkout", "<", "0.6", (), None),
    ],
)
def test_compare(release, sign, limit, steps, answer):
    assert compare(release, sign, limit, *steps) is answer


def test_compare_number():
    assert compare_number("0.6.7.post3", 2, "==", 7) is True
    assert compare_number("1", 1, "<", 1) is True
    assert compare_number("checkout", 0, "==", 0) is None
