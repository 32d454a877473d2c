"""Traps: what stands where a name is missing: another name, None, a flag, a substitute, the error itself."""

GUARDED = ("guarded",)
IMPORT = ("broken at import",)
TRAPS = {
    "another name of FlashInfer": {
        "quiet": """
            try:
                from flashinfer.core import gone as call
            except ImportError:
                from flashinfer.core import run as call
            def f(x):
                return call(x, scale=1)
        """,
        "change": ("scale", "y"),
        "calm": GUARDED,
        "alarm": ("broken at call", "guarded"),
    },
    "another name of FlashInfer, looked up": {
        "quiet": """
            import flashinfer.core as c
            call = getattr(c, 'gone', c.run)
            def f(x):
                return call(x, scale=1)
        """,
        "change": ("scale", "y"),
        "calm": GUARDED,
        "alarm": ("broken at call", "guarded"),
    },
    "None, asked for by another function": {
        "quiet": """
            try:
                from flashinfer.core import gone
            except ImportError:
                gone = None
            def usable():
                return gone is not None
            def f(x):
                if usable():
                    return gone(x)
        """,
        "change": ("return gone is not None", "return True"),
        "calm": GUARDED,
        "alarm": ("broken at call", "guarded"),
    },
    "None, asked for in another file": {
        "quiet": {
            "names": """
                try:
                    from flashinfer.core import gone
                except ImportError:
                    gone = None
            """,
            "use": """
                from sglang.names import gone
                def f(x):
                    if gone is not None:
                        return gone(x)
            """,
        },
        "change": ("if gone is not None", "if True"),
        "calm": GUARDED,
        "alarm": ("broken at call", "guarded"),
    },
    "a flag kept on the object": {
        "quiet": """
            import flashinfer.core as c
            class Layer:
                def __init__(self):
                    self.has_gone = hasattr(c, "gone")
                def forward(self, x):
                    if self.has_gone:
                        return c.gone(x)
        """,
        "change": ('"gone")', '"run")'),
        "calm": GUARDED,
    },
    "None kept on the object, and asked for": {
        "quiet": """
            class Layer:
                def __init__(self):
                    try:
                        from flashinfer.core import gone
                        self.gone = gone
                    except ImportError:
                        self.gone = None
                def forward(self, x):
                    if self.gone is None:
                        raise RuntimeError("FlashInfer is too old")
                    return self.gone(x)
        """,
        "change": ("if self.gone is None", "if x is None"),
        "calm": GUARDED,
        "alarm": ("guarded", "not checkable"),
    },
    "None kept on the object by a look": {
        "quiet": """
            import flashinfer.core as c
            class Layer:
                def __init__(self):
                    self.gone = getattr(c, "gone", None)
                def forward(self, x):
                    if self.gone is not None:
                        return self.gone(x)
        """,
        "change": ("if self.gone is", "if x is"),
        "calm": GUARDED,
        "alarm": ("not checkable",),
    },
    "a substitute that raises when it is called": {
        "quiet": """
            try:
                from flashinfer.core import gone
            except ImportError:
                def gone(*args):
                    raise RuntimeError("FlashInfer is too old")
        """,
        "change": ("def gone(*args):", "if True:"),
        "calm": GUARDED,
        "alarm": IMPORT,
    },
    "an object that is not made without it": {
        "quiet": """
            kernel, available = None, None
            def load():
                global kernel, available
                if available is None:
                    try:
                        from flashinfer.core import gone
                        kernel, available = gone, capable()
                    except (ImportError, RuntimeError):
                        kernel, available = None, False
                return available, kernel
            class Backend:
                def __init__(self):
                    usable, self.kernel = load()
                    if not usable or self.kernel is None:
                        raise RuntimeError("FlashInfer is too old")
                def forward(self, x):
                    return self.kernel(x)
        """,
        "change": ("raise RuntimeError", "log"),
        "calm": GUARDED,
        "alarm": ("guarded", "not checkable"),
    },
    "an error kept and raised at the call": {
        "quiet": """
            try:
                from flashinfer.core import gone
                missing = None
            except ImportError as error:
                missing = error
            def f(x):
                if missing is not None:
                    raise RuntimeError("FlashInfer is too old") from missing
                return gone(x)
        """,
        "change": ('raise RuntimeError("FlashInfer is too old") from missing', "print(missing)"),
        "calm": GUARDED,
        "alarm": ("broken at call", "guarded"),
    },
}


def test_trap(trap, verdicts):
    assert verdicts(trap.quiet, trap.engine) == trap.calm
    assert verdicts(trap.changed(), trap.engine) == trap.alarm
