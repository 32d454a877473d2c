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
    "the rest of a try": {
        "quiet": """
            try:
                import flashinfer.lost
            except ImportError:
                pass
            else:
                from flashinfer.core import gone
        """,
        "change": ("flashinfer.lost", "flashinfer.core"),
        "calm": GUARDED,
        "alarm": IMPORT,
    },
    "the narrower handler comes first": {
        "quiet": """
            try:
                from flashinfer.core import gone
            except ModuleNotFoundError:
                raise
            except ImportError:
                gone = None
        """,
        "change": ("except ImportError:", "except KeyError:"),
        "calm": GUARDED,
        "alarm": IMPORT,
    },
    "called again without what is not taken": {
        "quiet": """
            from flashinfer.core import run
            def f(x):
                try:
                    return run(x, y=1)
                except TypeError:
                    return run(x)
        """,
        "change": ("TypeError", "ValueError"),
        "calm": GUARDED,
    },
    "called while it is caught": {
        "quiet": """
            from flashinfer.core import run
            try:
                class Layer:
                    x = run(1, y=1)
            except TypeError:
                pass
        """,
        "change": ("class Layer:", "def layer():"),
        "calm": GUARDED,
    },
    "looked up in a condition": {
        "quiet": """
            import flashinfer.core as c
            def f(x):
                if (found := getattr(c, "gone", None)) is None:
                    return None
                return found(x)
        """,
        "change": ("return None", "log(x)"),
        "calm": GUARDED,
    },
    "all of several names": {
        "quiet": """
            import flashinfer.core as c
            HAS = all(hasattr(c, name) for name in ("run", "gone"))
            def f(x):
                if HAS:
                    c.gone(x)
        """,
        "change": ("all(", "any("),
        "calm": GUARDED,
    },
    "a function defined on one branch": {
        "quiet": """
            import flashinfer.core as c
            if hasattr(c, "gone"):
                def f(x):
                    return c.gone(x)
            else:
                def f(x):
                    return c.run(x, scale=1)
        """,
        "change": ("scale", "y"),
        "calm": GUARDED,
        "alarm": ("broken at call", "guarded"),
    },
    "raised again under a condition": {
        "quiet": """
            import os
            try:
                from flashinfer.core import gone
            except ImportError:
                if os.environ.get("STRICT"):
                    raise
                gone = None
        """,
        "change": ('if os.environ.get("STRICT"):', "if True:"),
        "calm": ("not checkable",),
        "alarm": IMPORT,
    },
    "a handler that gives up": {
        "quiet": """
            import sys
            try:
                from flashinfer.core import gone
            except ImportError:
                sys.stderr.write("no FlashInfer")
        """,
        "change": ('sys.stderr.write("no FlashInfer")', "sys.exit(1)"),
        "calm": GUARDED,
        "alarm": IMPORT,
    },
    "raised as something else, and that caught": {
        "quiet": """
            try:
                try:
                    from flashinfer.core import gone
                except ImportError as error:
                    raise RuntimeError from error
            except RuntimeError:
                gone = None
        """,
        "change": ("except RuntimeError", "except ImportError"),
        "calm": GUARDED,
        "alarm": IMPORT,
    },
    "looked for among a module's names": {
        "quiet": """
            import flashinfer.core as c
            if "gone" in dir(c):
                c.gone(1)
        """,
        "change": ('"gone" in', '"run" in'),
        "calm": GUARDED,
    },
}


def test_trap(trap, verdicts):
    assert verdicts(trap.quiet, trap.engine) == trap.calm
    assert verdicts(trap.changed(), trap.engine) == trap.alarm
