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


def test_what_another_file_answers_about_a_method_is_a_question(verdicts):
    sources = {
        "util": "def supports(function, name, *, otherwise=False): return somewhere(function, name)",
        "a": """
            from flashinfer.core import Wrapper
            from sglang.util import supports
            class Backend:
                def __init__(self):
                    self.wrapper, self.extra = None, False
                def start(self):
                    self.wrapper = Wrapper(None)
                    try:
                        self.extra = supports(self.wrapper.plan, "extra", otherwise=False)
                    except TypeError:
                        self.extra = False
                def forward(self, x):
                    if self.extra:
                        self.wrapper.plan(x, extra=1)
                    else:
                        self.wrapper.plan(x)
        """,
    }
    assert verdicts(sources) == ("not checkable",)
    sources["a"] = sources["a"].replace("if self.extra:", "if self.other:")
    assert verdicts(sources) == ("broken at call",)


def test_a_flag_that_is_lowered_where_a_look_succeeds(verdicts):
    source = """
        try:
            import flashinfer.core as core
            found = hasattr(core, "gone")
        except ImportError:
            core, found = None, False
        class Reduce:
            def __init__(self, group):
                self.disabled = True
                self.workspace = None
                if not found:
                    return
                if group.size > 8:
                    return
                self.disabled = False
            def setup(self, batches):
                if self.disabled or self.workspace is not None:
                    return
                if not batches:
                    self.disabled = True
                    return
                self.workspace = core.gone(batches)
    """
    assert verdicts(source) == ("guarded",)
    assert "broken at call" in verdicts(source.replace('"gone")', '"run")'))


def test_an_enum_that_stands_in_for_a_missing_one_is_no_copy(read):
    source = """
        from enum import IntEnum
        try:
            from flashinfer.fused_moe.core import ActivationType
        except ImportError:
            class ActivationType(IntEnum):
                Swiglu = 3
                Identity = 7
    """
    assert not [use for use in read({"a": source}).uses if use.form == "mirror"]
    copied = source.replace("except ImportError:", "except ImportError:\n            pass\n        if True:")
    assert [use.member for use in read({"a": copied}).uses if use.form == "mirror"]


@pytest.mark.parametrize(
    ("gate", "verdict"),
    [
        ("parsed() >= (0, 7, 0)", "guarded"),
        ("pieces() >= (0, 7, 0)", "guarded"),
        ("NUMBERS >= (0, 7, 0)", "not checkable"),
        ("len(x) >= 7", "broken at call"),
    ],
)
def test_a_version_in_numbers_of_another_file(verdicts, gate, verdict):
    sources = {
        "versions": """
            from importlib.metadata import PackageNotFoundError, version
            from packaging.version import Version
            try:
                FOUND = Version(version("flashinfer-python"))
            except PackageNotFoundError:
                FOUND = None
            NUMBERS = tuple(FOUND.release) if FOUND else ()
            def parsed():
                return Version(version("flashinfer-python")).release
            def pieces():
                return tuple(int(piece) for piece in version("flashinfer-python").split(".")[:3])
        """,
        "a": f"""
            from flashinfer.core import run
            from sglang.versions import NUMBERS, parsed, pieces
            def call(x):
                if {gate}:
                    return run(x, nosuch=1)
        """,
    }
    assert verdicts(sources) == (verdict,)
