"""Traps: functions of the engine that ask what FlashInfer has, and who asks them before a call."""

PROBE = """
import importlib
def has_gone():
    required = [("flashinfer.core", "run"), ("flashinfer.core", "gone")]
    for module, name in required:
        found = importlib.import_module(module)
        if not hasattr(found, name):
            return False
    return True
"""
CALLED = """
import flashinfer.core as c
def f(x):
    return c.gone(x)
"""
OPERATOR = """
from sglang.ops import direct_register_custom_op
direct_register_custom_op("gone", f)
"""
ASKS = """
import torch
from sglang.probe import has_gone
from sglang.use import f
class Layer:
    def __init__(self):
        self.usable = has_gone()
    def forward(self, x):
        return f(x) if self.usable else None
"""
RASH = """
import flashinfer
import torch
from sglang.use import f
def forward(x):
    return f(x) + torch.ops.sglang.gone(x)
class Rash:
    def __init__(self, x):
        forward(x)
"""
GUARDED = ("guarded",)
IMPORT = ("broken at import",)
TRAPS = {
    "a probe in another file, asked where the object is made": {
        "quiet": {
            "probe": PROBE,
            "use": """
                import flashinfer.core as c
                from sglang.probe import has_gone
                class Layer:
                    def __init__(self):
                        if not has_gone():
                            raise RuntimeError("FlashInfer is too old")
                    def forward(self, x):
                        return c.gone(x)
            """,
        },
        "loud": {
            "probe": PROBE,
            "use": """
                import flashinfer.core as c
                from sglang.probe import has_gone
                class Other:
                    def __init__(self):
                        if not has_gone():
                            raise RuntimeError("FlashInfer is too old")
                class Layer:
                    def forward(self, x):
                        return c.gone(x)
            """,
        },
        "calm": GUARDED,
    },
    "a probe that does not ask for the missing name": {
        "quiet": {
            "probe": PROBE,
            "use": """
                import flashinfer.core as c
                from sglang.probe import has_gone
                def f(x):
                    ok = has_gone()
                    return c.gone(x)
            """,
        },
        "loud": {
            "probe": PROBE.replace('("flashinfer.core", "gone")', '("flashinfer.core", "plan")'),
            "use": """
                import flashinfer.core as c
                from sglang.probe import has_gone
                def f(x):
                    ok = has_gone()
                    return c.gone(x)
            """,
        },
        "calm": GUARDED,
    },
    "a probe that every caller asks": {
        "quiet": {"probe": PROBE, "use": CALLED, "asks": ASKS},
        "loud": {"probe": PROBE, "use": CALLED.replace("def", "@register_runner('bf16')\ndef"), "asks": ASKS},
        "calm": GUARDED,
    },
    "a probe that the caller of an operator asks": {
        "quiet": {
            "probe": PROBE,
            "use": CALLED + OPERATOR,
            "asks": ASKS.replace("f(x)", "torch.ops.sglang.gone(x)"),
        },
        "loud": {
            "probe": PROBE,
            "use": CALLED + OPERATOR,
            "asks": ASKS.replace("f(x)", "torch.ops.sglang.gone(x)"),
            "rash": RASH,
        },
        "calm": GUARDED,
        "alarm": ("not checkable",),
    },
    "a probe that nobody is seen to ask before": {
        "quiet": {"probe": PROBE, "use": CALLED},
        "loud": {"use": CALLED},
        "calm": ("not checkable",),
    },
    "a function that asks for the name that it is told": {
        "quiet": """
            import flashinfer.core as c
            def has(name):
                return hasattr(c, name)
            def f(x):
                if has("gone"):
                    c.gone(x)
        """,
        "change": ('has("gone")', 'has("run")'),
        "calm": GUARDED,
    },
    "a function that tries the import": {
        "quiet": """
            def has_gone():
                try:
                    from flashinfer.core import gone
                except ImportError:
                    return False
                return True
            def f(x):
                if has_gone():
                    from flashinfer.core import gone
                    gone(x)
        """,
        "change": ("return False", "return True"),
        "calm": GUARDED,
        "alarm": ("broken at import", "guarded"),
    },
    "a function that tries the import, and returns there": {
        "quiet": """
            def has_gone():
                try:
                    from flashinfer.core import gone
                    return True
                except ImportError:
                    return False
            def f(x):
                if has_gone():
                    from flashinfer.core import gone
                    gone(x)
        """,
        "change": ("return False", "return True"),
        "calm": GUARDED,
        "alarm": ("broken at import", "guarded"),
    },
    "a function that is told where to look": {
        "quiet": """
            import flashinfer.core as c
            def has(module, name):
                return getattr(module, name, None) is not None
            def f(x):
                if has(c, "gone"):
                    c.gone(x)
        """,
        "change": ('has(c, "gone")', 'has(c, "run")'),
        "calm": GUARDED,
    },
    "a function that is told where to look by a text": {
        "quiet": """
            import importlib
            def has(module, name):
                try:
                    return hasattr(importlib.import_module(module), name)
                except ImportError:
                    return False
            def f(x):
                if has("flashinfer.core", "gone"):
                    from flashinfer.core import gone
                    gone(x)
        """,
        "change": ('has("flashinfer.core", "gone")', 'has("flashinfer.core", "run")'),
        "calm": GUARDED,
        "alarm": IMPORT,
    },
    "a function that asks what another takes": {
        "quiet": """
            import inspect
            from flashinfer.core import run
            def takes(function, name):
                return name in inspect.signature(function).parameters
            def f(x):
                kwargs = {}
                if takes(run, "y"):
                    kwargs["y"] = 1
                run(x, **kwargs)
        """,
        "change": ('takes(run, "y")', 'takes(run, "scale")'),
    },
    "a function of another file that asks what one takes": {
        "quiet": {
            "asks": """
                import inspect
                def takes(function, name):
                    return name in inspect.signature(function).parameters
            """,
            "use": """
                import flashinfer.core as c
                from sglang.asks import takes
                def f(x):
                    if takes(c.run, "y"):
                        c.run(x, y=1)
            """,
        },
        "change": ('takes(c.run, "y")', 'takes(c.run, "scale")'),
        "calm": GUARDED,
        "wrong": "not checkable: what another file's function asks of what it is given is not known",
    },
    "a property that asks": {
        "quiet": """
            import flashinfer.core as c
            class Layer:
                @property
                def has_gone(self):
                    return hasattr(c, "gone")
                def forward(self, x):
                    if self.has_gone:
                        return c.gone(x)
        """,
        "change": ('"gone")', '"run")'),
        "calm": GUARDED,
    },
    "a class that asks": {
        "quiet": """
            import flashinfer.core as c
            class Has:
                gone = hasattr(c, "gone")
            def f(x):
                if Has.gone:
                    return c.gone(x)
        """,
        "change": ('hasattr(c, "gone")', 'hasattr(c, "run")'),
        "calm": GUARDED,
    },
    "a class that asks before it is made": {
        "quiet": """
            class Backend:
                @classmethod
                def is_available(cls):
                    try:
                        from flashinfer.core import gone
                        return True
                    except ImportError:
                        return False
                def forward(self, x):
                    from flashinfer.core import gone
                    return gone(x)
        """,
        "change": (
            "import gone\n                        return True",
            "import run\n                        return True",
        ),
        "calm": ("guarded", "not checkable"),
        "alarm": IMPORT,
    },
    "a class of another file that asks": {
        "quiet": {
            "asks": """
                import flashinfer.core as c
                class Has:
                    gone = hasattr(c, "gone")
                    @staticmethod
                    def it():
                        return hasattr(c, "gone")
            """,
            "use": """
                import flashinfer.core as c
                from sglang.asks import Has
                def f(x):
                    if Has.gone:
                        c.gone(x)
                def g(x):
                    return c.gone(x) if Has.it() else x
            """,
        },
        "change": ('gone = hasattr(c, "gone")', 'gone = hasattr(c, "run")'),
        "calm": GUARDED,
        "alarm": ("broken at call", "guarded"),
    },
}


def test_trap(trap, verdicts):
    assert verdicts(trap.quiet, trap.engine) == trap.calm
    assert verdicts(trap.changed(), trap.engine) == trap.alarm
