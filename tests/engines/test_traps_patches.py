"""Traps: names of FlashInfer that the engine sets itself, and `sys.modules`."""

GUARDED = ("guarded",)
UNKNOWN = ("not checkable",)
IMPORT = ("broken at import",)
TRAPS = {
    "a name that the engine sets": {
        "quiet": """
            import flashinfer.core as c
            c.gone = lambda x: x
            c.gone(1)
        """,
        "change": ("c.gone = ", "c.other = "),
    },
    "a name that the engine sets where it is missing": {
        "quiet": """
            import flashinfer.core as c
            if not hasattr(c, 'gone'):
                c.gone = print
            c.gone(1)
        """,
        "change": ("c.gone = ", "c.other = "),
    },
    "a name that is read before it is set": {
        "quiet": """
            import flashinfer.core as c
            before = c.run
            c.run = print
            c.run(1, y=2)
        """,
        "change": ("before = c.run", "before = c.gone"),
        "alarm": IMPORT,
    },
    "a name that the engine sets by a text": {
        "quiet": """
            import flashinfer.core as c
            setattr(c, 'gone', print)
            c.gone(1)
        """,
        "change": ("'gone'", "'other'"),
        "wrong": "broken at call: `setattr` is not seen to set it",
    },
    "a name that the engine sets under another alias": {
        "quiet": """
            import flashinfer
            import flashinfer.core as c
            flashinfer.core.gone = print
            c.gone(1)
        """,
        "change": ("core.gone", "core.other"),
        "wrong": "broken at call: what is set is known by its spelling, not by FlashInfer's name",
    },
    "a name that a function of the engine sets": {
        "quiet": """
            import flashinfer.core as c
            def patch():
                c.gone = print
            def f(x):
                patch()
                c.gone(x)
        """,
        "change": ("c.gone = ", "c.other = "),
        "calm": UNKNOWN,
        "wrong": "broken at call: what a function sets is forgotten outside of it",
    },
    "a module that the engine puts there": {
        "quiet": """
            import sys
            import types
            sys.modules['flashinfer.lost'] = types.ModuleType('lost')
            import flashinfer.lost
        """,
        "change": ("sys.modules['flashinfer.lost']", "MODULES['flashinfer.lost']"),
        "alarm": IMPORT,
        "wrong": "broken at import: `sys.modules` is not seen to be set",
    },
    "a module that is there already": {
        "quiet": """
            import sys
            import flashinfer
            if 'flashinfer.lost' in sys.modules:
                import flashinfer.lost
        """,
        "change": ("'flashinfer.lost' in", "'flashinfer.core' in"),
        "calm": GUARDED,
        "alarm": IMPORT,
    },
    "a module taken from those that are there": {
        "quiet": """
            import sys
            import flashinfer
            core = sys.modules['flashinfer.core']
            core.run(1, scale=2)
        """,
        "change": ("scale", "y"),
        "wrong": "what `sys.modules` holds is not known",
    },
}


def test_trap(trap, verdicts):
    assert verdicts(trap.quiet, trap.engine) == trap.calm
    assert verdicts(trap.changed(), trap.engine) == trap.alarm
