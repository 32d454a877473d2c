"""Traps: what a call passes, one by one, from a dictionary, or bound beforehand."""

GUARDED = ("guarded",)
TRAPS = {
    "keywords rebuilt per branch": {
        "quiet": """
            from flashinfer.core import run
            from flashinfer.tuned import tuned
            def f(x, fast):
                if fast:
                    kwargs = dict(fast=True)
                    tuned(x, **kwargs)
                else:
                    kwargs = {"scale": 2.0}
                    run(x, **kwargs)
        """,
        "loud": """
            from flashinfer.core import run
            from flashinfer.tuned import tuned
            def f(x, fast):
                kwargs = dict(fast=True)
                if not fast:
                    kwargs["scale"] = 2.0
                run(x, **kwargs)
        """,
    },
    "function and keywords chosen by the same test": {
        "quiet": """
            from flashinfer.core import run
            from flashinfer.tuned import tuned
            def f(x, fast):
                g = tuned if fast else run
                kwargs = {}
                if fast:
                    kwargs["fast"] = True
                g(x, **kwargs)
        """,
        "loud": """
            from flashinfer.core import run
            from flashinfer.tuned import tuned
            def f(x, fast):
                g = tuned if slow else run
                kwargs = {}
                if fast:
                    kwargs["fast"] = True
                g(x, **kwargs)
        """,
    },
    "a signature asked at import": {
        "quiet": """
            import inspect
            from flashinfer.core import run
            TAKES_Y = "y" in inspect.signature(run).parameters
            def f(x):
                kwargs = {}
                if TAKES_Y:
                    kwargs["y"] = 1
                run(x, **kwargs)
        """,
        "loud": """
            import inspect
            from flashinfer.core import run
            TAKES_Y = "x" in inspect.signature(run).parameters
            def f(x):
                kwargs = {}
                if TAKES_Y:
                    kwargs["y"] = 1
                run(x, **kwargs)
        """,
    },
    "keywords filtered by the signature": {
        "quiet": """
            import inspect
            from flashinfer.core import run
            def f(x):
                kwargs = {"y": 1, "scale": 2}
                kwargs = {k: v for k, v in kwargs.items() if k in inspect.signature(run).parameters}
                run(x, **kwargs)
        """,
        "loud": """
            import inspect
            from flashinfer.core import run
            def f(x):
                kwargs = {"y": 1, "scale": 2}
                run(x, **kwargs)
        """,
    },
    "partial": {
        "quiet": """
            from functools import partial
            from flashinfer.core import run
            g = partial(run, scale=2)
            g(1, out=3)
        """,
        "loud": """
            from functools import partial
            from flashinfer.core import run
            g = partial(run, y=2)
            g(1, out=3)
        """,
    },
    "by keyword where a parameter came in between": {
        "quiet": "from flashinfer.core import plan\nplan(1, b=2, c=3)",
        "loud": "from flashinfer.core import plan\nplan(1, 2, 3)",
        "alarm": ("shifted",),
    },
    "arguments that the source does not show": {
        "quiet": "from flashinfer.core import run\ndef f(x, **kw):\n    run(x, **kw)",
        "loud": "from flashinfer.core import run\ndef f(x, **kw):\n    run(x, y=1, **kw)",
        "calm": ("not checkable",),
    },
    "a dictionary that another function may fill": {
        "quiet": """
            from flashinfer.core import run
            def f(x):
                kw = {}
                fill(kw)
                run(x, **kw)
        """,
        "loud": """
            from flashinfer.core import run
            def f(x):
                kw = {'y': 1}
                fill(kw)
                run(x, **kw)
        """,
        "calm": ("not checkable",),
    },
    "the number of values in a tuple": {
        "quiet": """
            from flashinfer.norm import rms
            def f(x):
                values = (x,)
                return rms(*values)
        """,
        "change": ("(x,)", "(x, 1)"),
    },
    "values that are appended": {
        "quiet": """
            from flashinfer.norm import rms
            def f(x):
                values = []
                values.append(x)
                return rms(*values)
        """,
        "change": ("append(x)", "extend((x, 1))"),
    },
    "values that are inserted": {
        "quiet": """
            from flashinfer.norm import rms
            def f(x):
                values = []
                values.insert(0, x)
                return rms(*values)
        """,
        "change": ("*values", "*values, nosuch=1"),
        "calm": ("not checkable",),
    },
    "values that are taken out": {
        "quiet": """
            from flashinfer.norm import rms
            def f(x):
                values = [x, 1]
                values.pop()
                return rms(*values)
        """,
        "change": ("values.pop()", "values.copy()"),
    },
    "values that are appended twice": {
        "quiet": """
            from flashinfer.tuned import tuned
            def f(x):
                values = []
                values.append(x)
                tuned(*values)
                values.append(x)
        """,
        "change": ("tuned(*values)", "values.append(1); tuned(*values)"),
    },
    "values appended in a loop": {
        "quiet": """
            from flashinfer.core import run
            def f(x):
                values = [1]
                for i in x:
                    values.append(i)
                run(*values)
        """,
        "change": ("run(*values)", "run(*values, y=1)"),
        "calm": ("not checkable",),
    },
    "values that are added": {
        "quiet": """
            from flashinfer.tuned import tuned
            def f(x):
                values = (x,)
                values += ()
                return tuned(*values)
        """,
        "change": ("+= ()", "+= (1,)"),
    },
    "values in a tuple that go elsewhere": {
        "quiet": """
            from flashinfer.core import plan
            values = (1, 2, 3)
            plan(*values[:1])
        """,
        "change": ("values[:1]", "values"),
        "alarm": ("shifted",),
    },
    "a partial that is bound too far": {
        "quiet": """
            from functools import partial
            from flashinfer.norm import rms
            call = partial(rms)
            call(1)
        """,
        "change": ("partial(rms)", "partial(rms, 2)"),
    },
    "partials by a key": {
        "quiet": """
            from functools import partial
            from flashinfer.core import run
            CALLS = {"a": partial(run, y=1), "b": partial(run, out=2)}
            def f(x):
                return CALLS["b"](x, scale=1)
        """,
        "change": ('CALLS["b"]', 'CALLS["a"]'),
    },
    "a partial of a partial": {
        "quiet": """
            from functools import partial
            from flashinfer.core import run
            call = partial(partial(run, 1), scale=2)
            call()
        """,
        "change": ("scale", "y"),
    },
    "positional-only": {
        "quiet": """
            from flashinfer.core import first
            first(1, y=2)
        """,
        "change": ("1, y", "x=1, y"),
    },
    "a function and keywords chosen by a match": {
        "quiet": """
            from flashinfer.core import run
            from flashinfer.tuned import tuned
            def f(x, kind):
                match kind:
                    case "tuned":
                        call, kwargs = tuned, {"fast": True}
                    case _:
                        call, kwargs = run, {"scale": 2}
                call(x, **kwargs)
        """,
        "change": ("scale", "y"),
    },
    "a signature kept as a set": {
        "quiet": """
            import inspect
            from flashinfer.core import run
            TAKEN = set(inspect.signature(run).parameters)
            def f(x):
                if "y" in TAKEN:
                    run(x, y=1)
        """,
        "change": ('"y" in', '"x" in'),
        "calm": GUARDED,
    },
    "a signature of a method": {
        "quiet": """
            import inspect
            from flashinfer.core import Wrapper
            def f(wrapper: Wrapper, x):
                if "extra" in inspect.signature(wrapper.plan).parameters:
                    wrapper.plan(x, extra=1)
        """,
        "change": ('"extra" in', '"x" in'),
        "calm": GUARDED,
    },
    "a set of names, all of which are taken": {
        "quiet": """
            import inspect
            from flashinfer.core import run
            TAKEN = {name for name in inspect.signature(run).parameters}
            def f(x):
                if TAKEN >= {"y"}:
                    run(x, y=1)
        """,
        "change": ('{"y"}', '{"scale"}'),
        "calm": GUARDED,
    },
    "names that are filtered": {
        "quiet": """
            import inspect
            from flashinfer.core import run
            TAKEN = [p.name for p in inspect.signature(run).parameters.values() if p.kind != p.VAR_KEYWORD]
            def f(x):
                if "y" in TAKEN:
                    run(x, y=1)
        """,
        "change": ('if "y" in TAKEN', "if x"),
        "calm": ("not checkable",),
    },
}


def test_trap(trap, verdicts):
    assert verdicts(trap.quiet, trap.engine) == trap.calm
    assert verdicts(trap.changed(), trap.engine) == trap.alarm
