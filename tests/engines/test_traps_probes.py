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
}


def test_trap(trap, verdicts):
    assert verdicts(trap.quiet, trap.engine) == trap.calm
    assert verdicts(trap.loud, trap.engine) == trap.alarm
