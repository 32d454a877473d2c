"""Where a name may be None, that is no other meaning of it; where it may be something else, it is."""

import pytest

LAZY = """
    class Comm:
        def __init__(self):
            self.core = {first}
        def start(self):
            import flashinfer.core
            self.core = flashinfer.core
        def forward(self, x):
            self.core.run(x)
"""


@pytest.mark.parametrize(("first", "doubtful"), [("None", False), ("other", True)])
def test_none_is_no_other_meaning(read, first, doubtful):
    release = read({"a": LAZY.format(first=first)})
    [call] = [use for use in release.uses if use.kind == "call"]
    assert call.symbol == "flashinfer.core.run"
    assert bool(call.doubt) == doubtful
