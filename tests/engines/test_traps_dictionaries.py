"""Traps: dictionaries of keywords and of functions, and what becomes of them."""

UNKNOWN = ("not checkable",)
TRAPS = {
    "joined, and a key taken out": {
        "quiet": """
            from flashinfer.core import run
            def f(x):
                kwargs = dict(scale=1)
                kwargs |= {"y": 2, "out": 3}
                kwargs.pop("y", None)
                run(x, **kwargs)
        """,
        "change": ('pop("y"', 'pop("out"'),
    },
    "a key deleted where it is not taken": {
        "quiet": """
            import inspect
            from flashinfer.core import run
            def f(x):
                kwargs = {"y": 2, "scale": 3}
                if "y" not in inspect.signature(run).parameters:
                    del kwargs["y"]
                run(x, **kwargs)
        """,
        "change": ("not in", "in"),
    },
    "a copy": {
        "quiet": """
            from flashinfer.core import run
            DEFAULTS = {"y": 2}
            def f(x):
                kwargs = DEFAULTS.copy()
                del kwargs["y"]
                run(x, **kwargs)
        """,
        "change": ("**kwargs", "**DEFAULTS"),
    },
    "kept on the object": {
        "quiet": """
            from flashinfer.core import run
            class Layer:
                def __init__(self, new):
                    self.kwargs = {}
                    if new:
                        self.kwargs["scale"] = 2
                def forward(self, x):
                    run(x, **self.kwargs)
        """,
        "change": ("scale", "y"),
    },
    "given back by a function": {
        "quiet": """
            from flashinfer.core import run
            def made():
                return {'scale': 1}
            def f(x):
                run(x, **made())
        """,
        "change": ("scale", "y"),
    },
    "filled in a loop": {
        "quiet": """
            from flashinfer.core import run
            def f(x):
                kwargs = {}
                for name in ("scale", "out"):
                    kwargs[name] = 1
                run(x, **kwargs)
        """,
        "change": ("out", "y"),
    },
    "functions by a key": {
        "quiet": """
            from flashinfer.core import run
            from flashinfer.tuned import tuned
            CALLS = {"run": run, "tuned": tuned}
            def f(x):
                return CALLS["tuned"](x, fast=True)
        """,
        "change": ('CALLS["tuned"]', 'CALLS["run"]'),
    },
    "functions by a key that may be missing": {
        "quiet": """
            from flashinfer.core import run
            CALLS = {'run': run}
            def f(x, kind):
                return CALLS.get(kind)(x, scale=1)
        """,
        "change": ("scale", "y"),
    },
    "given, or else empty": {
        "quiet": """
            from flashinfer.core import run
            def f(x, given=None):
                kwargs = given or {}
                run(x, **kwargs)
        """,
        "change": ("**kwargs", "y=1, **kwargs"),
        "calm": UNKNOWN,
    },
    "emptied": {
        "quiet": """
            from flashinfer.core import run
            def f(x):
                kwargs = {'y': 1}
                kwargs.clear()
                run(x, **kwargs)
        """,
        "change": ("clear", "copy"),
    },
    "changed under another name": {
        "quiet": """
            from flashinfer.core import run
            def f(x):
                kwargs = {'y': 1}
                other = kwargs
                del other['y']
                run(x, **kwargs)
        """,
        "change": ("other = kwargs", "other = dict(kwargs)"),
    },
}

TRAPS |= {
    "a key taken out that is not seen": {
        "quiet": """
            from flashinfer.core import run
            def f(x, name):
                kwargs = {"y": 1}
                kwargs.pop(name, None)
                run(x, **kwargs)
        """,
        "change": ("kwargs.pop(name, None)", "x.pop(name, None)"),
        "calm": UNKNOWN,
    },
    "a key deleted that is not seen": {
        "quiet": """
            from flashinfer.core import run
            def f(x, names):
                kwargs = {"y": 1}
                for name in names:
                    del kwargs[name]
                run(x, **kwargs)
        """,
        "change": ("del kwargs[name]", "del x[name]"),
        "calm": UNKNOWN,
    },
    "joined under another name": {
        "quiet": """
            from flashinfer.core import run
            def f(x):
                kwargs = {}
                other = kwargs
                other |= {"scale": 1}
                run(x, **kwargs)
        """,
        "change": ("scale", "y"),
    },
    "changed under another name after a branch": {
        "quiet": """
            from flashinfer.core import run
            def f(x, fast):
                kwargs = other = {}
                if fast:
                    other["scale"] = 1
                other["out"] = 2
                run(x, **kwargs)
        """,
        "change": ("out", "y"),
    },
    "handed on under another name": {
        "quiet": """
            from flashinfer.core import run
            def f(x):
                kwargs = {"scale": 1}
                other = kwargs
                fill(other)
                run(x, **kwargs)
        """,
        "change": ("run(x, ", "run(x, y=1, "),
        "calm": UNKNOWN,
    },
    "joined by a sign": {
        "quiet": """
            from flashinfer.core import run
            def f(x, given):
                base = {"scale": 1}
                run(x, **({**base} | {"out": 2}))
        """,
        "change": ("out", "y"),
    },
    "keys from a row": {
        "quiet": """
            from flashinfer.core import run
            def f(x):
                run(x, **{name: 1 for name in ("scale", "out")})
        """,
        "change": ("out", "y"),
    },
    "made anew by each call": {
        "quiet": """
            from flashinfer.core import run
            def made():
                return {"scale": 1}
            def f(x):
                first, second = made(), made()
                first["y"] = 1
                run(x, **second)
        """,
        "change": ("**second", "**first"),
    },
}


def test_trap(trap, verdicts):
    assert verdicts(trap.quiet, trap.engine) == trap.calm
    assert verdicts(trap.changed(), trap.engine) == trap.alarm
