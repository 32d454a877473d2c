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
    },
    "a name that the engine sets under another alias": {
        "quiet": """
            import flashinfer
            import flashinfer.core as c
            flashinfer.core.gone = print
            c.gone(1)
        """,
        "change": ("core.gone", "core.other"),
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
    },
    "a module that the engine puts there": {
        "quiet": """
            import sys
            import types
            import flashinfer
            sys.modules['flashinfer.lost'] = types.ModuleType('lost')
            import flashinfer.lost
        """,
        "change": ("sys.modules['flashinfer.lost']", "MODULES['flashinfer.lost']"),
        "alarm": IMPORT,
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
    },
}

TRAPS |= {
    "a name that another file of the engine sets": {
        "quiet": {
            "a": "import flashinfer.core as c\ndef f(x):\n    c.gone(x)",
            "patches": "import flashinfer.core\nflashinfer.core.gone = print",
        },
        "change": ("core.gone", "core.other"),
        "calm": UNKNOWN,
    },
    "a name that is set perhaps": {
        "quiet": """
            import flashinfer.core as c
            def f(x, new):
                if new:
                    c.gone = print
                c.gone(x)
        """,
        "change": ("c.gone = ", "c.other = "),
        "calm": UNKNOWN,
    },
    "names that are set and not seen": {
        "quiet": """
            import flashinfer.core as c
            def patch(new):
                for name, function in new.items():
                    setattr(c, name, function)
            def f(x):
                c.gone(x)
        """,
        "change": ("setattr(c, name", "setattr(function, name"),
        "calm": UNKNOWN,
    },
    "a name that is kept before it is replaced": {
        "quiet": """
            import flashinfer.core as c
            def swap(mine):
                kept = c.run
                c.run = mine
                c.run(1, 2, 3, 4)
                c.run = kept
        """,
        "change": ("kept = c.run", "kept = c.gone"),
    },
    "a module that is put there, and what is taken from it": {
        "quiet": """
            import sys
            import flashinfer
            sys.modules['flashinfer.lost'] = mine
            from flashinfer.lost import any_name
            import flashinfer.lost as lost
            lost.any_name(1)
        """,
        "change": ("['flashinfer.lost']", "['mine.lost']"),
        "alarm": ("broken at call", "broken at import"),
    },
}


def test_trap(trap, verdicts):
    assert verdicts(trap.quiet, trap.engine) == trap.calm
    assert verdicts(trap.changed(), trap.engine) == trap.alarm
