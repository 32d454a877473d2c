"""Traps: what an engine catches, tests for or looks for on the spot, so that a missing name does no harm."""

GUARDED = ("guarded",)
IMPORT = ("broken at import",)
TRAPS = {
    "caught, with a flag": {
        "quiet": """
            try:
                from flashinfer.core import gone
                HAS = True
            except ImportError:
                gone = None
                HAS = False
            def f(x):
                if HAS:
                    gone(x)
        """,
        "loud": """
            try:
                from flashinfer.core import gone
            except ImportError as error:
                raise ImportError("too old") from error
        """,
        "calm": GUARDED,
        "alarm": IMPORT,
    },
    "caught by the wrong exception": {
        "quiet": """
            import flashinfer.core as c
            try:
                c.gone(1)
            except AttributeError:
                pass
        """,
        "loud": "import flashinfer.core as c\ntry:\n    c.gone(1)\nexcept ImportError:\n    pass",
        "calm": GUARDED,
    },
    "suppressed": {
        "quiet": """
            import contextlib
            with contextlib.suppress(ImportError):
                from flashinfer.core import gone
        """,
        "loud": """
            import contextlib
            with contextlib.suppress(KeyError):
                from flashinfer.core import gone
        """,
        "calm": GUARDED,
        "alarm": IMPORT,
    },
    "hasattr": {
        "quiet": "import flashinfer.core as c\nif hasattr(c, 'gone'):\n    c.gone(1)",
        "loud": "import flashinfer.core as c\nif hasattr(c, 'run'):\n    c.gone(1)",
        "calm": GUARDED,
    },
    "early return": {
        "quiet": """
            import flashinfer.core as c
            def f(x):
                if not hasattr(c, "gone"):
                    return None
                return c.gone(x)
        """,
        "loud": """
            import flashinfer.core as c
            def f(x):
                if not hasattr(c, "gone"):
                    log("gone")
                return c.gone(x)
        """,
        "calm": GUARDED,
    },
    "a module looked for": {
        "quiet": """
            import importlib.util
            if importlib.util.find_spec('flashinfer.lost'):
                from flashinfer.lost import it
        """,
        "loud": """
            import importlib.util
            if importlib.util.find_spec('flashinfer.core'):
                from flashinfer.lost import it
        """,
        "calm": GUARDED,
        "alarm": IMPORT,
    },
    "a module that is missing and a name that is missing": {
        "quiet": """
            try:
                from flashinfer.lost import it
            except ModuleNotFoundError:
                it = None
        """,
        "loud": """
            try:
                from flashinfer.core import gone
            except ModuleNotFoundError:
                gone = None
        """,
        "calm": GUARDED,
        "alarm": IMPORT,
    },
    "a name that is then None": {
        "quiet": """
            try:
                from flashinfer.core import gone
            except ImportError:
                gone = None
            def f(x):
                return gone(x) if gone is not None else x
        """,
        "loud": """
            try:
                from flashinfer.core import gone
            except ImportError:
                gone = None
            def f(x):
                return gone(x)
        """,
        "calm": GUARDED,
        "alarm": ("broken at call", "guarded"),
    },
    "a name that is then unset, beside a flag": {
        "quiet": """
            try:
                from flashinfer.core import gone
                HAS = True
            except ImportError:
                HAS = False
            def f(x):
                if not HAS:
                    raise RuntimeError("too old")
                return gone(x)
        """,
        "loud": """
            try:
                from flashinfer.core import gone
                HAS = True
            except ImportError:
                HAS = False
            def f(x):
                return gone(x)
        """,
        "calm": GUARDED,
        "alarm": ("guarded", "not checkable"),
    },
}


def test_trap(trap, verdicts):
    assert verdicts(trap.quiet, trap.engine) == trap.calm
    assert verdicts(trap.loud, trap.engine) == trap.alarm
