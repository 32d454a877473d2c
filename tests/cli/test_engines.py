"""How the releases of a table are named."""

import pytest

from matrix.cli.engines import _within
from matrix.errors import InputError

VERSIONS = ["0.5.11", "0.5.12", "0.5.12.post1", "0.5.13"]


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ("", VERSIONS),
        ("latest", ["0.5.13"]),
        ("0.5.12", ["0.5.12"]),
        ("0.5.13, 0.5.11", ["0.5.11", "0.5.13"]),
        (">0.5.11,<0.5.13", ["0.5.12", "0.5.12.post1"]),
    ],
)
def test_versions_a_specifier_or_the_latest(named, found):
    assert _within(VERSIONS, named, "server") == found


@pytest.mark.parametrize("named", ["0.5.99", ">=0.6", "newest", "0.5.12,0.5.99"])
def test_what_is_not_there_is_one_error(named):
    with pytest.raises(InputError):
        _within(VERSIONS, named, "server")
