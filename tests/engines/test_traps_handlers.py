"""Traps: how a handler ends, what it raises and who catches that; and what a name that is not there is called as."""

import pytest

from matrix.engines import config
from matrix.engines.judge import Judge

GUARDED = ("guarded",)
IMPORT = ("broken at import",)
UNCLEAR = ("not checkable",)
TRAPS = {
    "raised again where the version says so": {
        "quiet": """
            import flashinfer
            from packaging.version import Version
            try:
                from flashinfer.core import gone
            except ImportError:
                if Version(flashinfer.__version__) < Version("0.6.8"):
                    raise
                gone = None
        """,
        "change": ("<", ">="),
        "calm": GUARDED,
        "alarm": IMPORT,
    },
    "raised again where a switch of the file says so": {
        "quiet": """
            STRICT = False
            try:
                from flashinfer.core import gone
            except ImportError:
                if STRICT:
                    raise
                gone = None
        """,
        "change": ("STRICT = False", "STRICT = True"),
        "calm": GUARDED,
        "alarm": IMPORT,
    },
    "an argument, where nothing says whether it is raised again": {
        "quiet": """
            from flashinfer.core import run
            def f(x, strict):
                try:
                    run(x, y=1)
                except TypeError:
                    if strict:
                        raise
        """,
        "change": ("if strict:", "if True:"),
        "calm": UNCLEAR,
    },
    "a second name that is tried in the handler": {
        "quiet": """
            try:
                from flashinfer.core import gone as call
            except ImportError:
                try:
                    from flashinfer.core import run as call
                except ImportError as error:
                    raise RuntimeError("FlashInfer is too old") from error
        """,
        "change": ("import run as call", "import lost as call"),
        "calm": GUARDED,
        "alarm": IMPORT,
    },
    "a second handler for what the first one raises again": {
        "quiet": """
            try:
                from flashinfer.core import gone
            except KeyError:
                raise
            except Exception:
                gone = None
        """,
        "change": ("KeyError", "ImportError"),
        "calm": GUARDED,
        "alarm": IMPORT,
    },
    "a function that only raises": {
        "quiet": """
            def too_old():
                print("FlashInfer is too old")
            try:
                from flashinfer.core import gone
            except ImportError:
                too_old()
        """,
        "change": ("print(", "raise RuntimeError("),
        "calm": GUARDED,
        "alarm": IMPORT,
    },
    "an error of the engine's own": {
        "quiet": """
            from sglang.errors import TooOld
            try:
                try:
                    from flashinfer.core import gone
                except ImportError as error:
                    raise TooOld from error
            except TooOld:
                gone = None
        """,
        "change": ("except TooOld", "except RuntimeError"),
        "calm": GUARDED,
        "alarm": UNCLEAR,
    },
    "the call is caught in another function": {
        "quiet": """
            def load():
                try:
                    from flashinfer.core import gone
                    return gone
                except ImportError:
                    return None
        """,
        "change": ("return None", "raise"),
        "calm": GUARDED,
        "alarm": IMPORT,
    },
    "None that is called, and that caught": {
        "quiet": """
            try:
                from flashinfer.core import gone
            except ImportError:
                gone = None
            def f(x):
                try:
                    return gone(x)
                except TypeError:
                    return x
        """,
        "change": ("except TypeError", "except AttributeError"),
        "calm": GUARDED,
        "alarm": ("broken at call", "guarded"),
    },
    "a name that is called, and is there for want of another": {
        "quiet": """
            try:
                from flashinfer.core import gone, run
                HAS = True
            except ImportError:
                HAS = False
            def f(x):
                if HAS:
                    return run(x, y=1)
        """,
        "change": ("if HAS:", "if x:"),
        "calm": GUARDED,
        "alarm": ("guarded", "not checkable"),
    },
}


def test_trap(trap, verdicts):
    assert verdicts(trap.quiet, trap.engine) == trap.calm
    assert verdicts(trap.changed(), trap.engine) == trap.alarm


@pytest.mark.parametrize(
    ("handler", "place", "error"),
    [
        ("gone = None", "", "TypeError"),
        ("pass", "", "NameError"),
        ("gone = None", "    ", "TypeError"),
        ("pass", "    ", "UnboundLocalError"),
    ],
)
def test_error_is_the_one_that_python_raises(read, pretended, handler, place, error):
    lines = ["try:", "    from flashinfer.core import gone", "except ImportError:", f"    {handler}"]
    source = "\n".join(
        ["def f(x):", *(place + line for line in lines), "    gone(x)"]
        if place
        else [*lines, "def f(x):", "    gone(x)"]
    )
    names = {}
    with pytest.raises((TypeError, NameError)) as raised:  # no FlashInfer stands beside this test
        exec(source, names) or names["f"](1)
    assert type(raised.value).__name__ == error
    judge = Judge(pretended.new, config.load("sglang"), pretended.old)
    verdicts = [judge.judge(use) for use in read({"a": source}).uses if use.kind == "call"]
    assert [verdict.reason.partition(":")[0] for verdict in verdicts] == [error]
