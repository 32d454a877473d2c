"""Traps: what a call passes, one by one, from a dictionary, or bound beforehand."""

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
}


def test_trap(trap, verdicts):
    assert verdicts(trap.quiet, trap.engine) == trap.calm
    assert verdicts(trap.loud, trap.engine) == trap.alarm
