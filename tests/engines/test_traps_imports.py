"""Traps: how FlashInfer's names come into a file, and what else may have the same name."""

IMPORT = ("broken at import",)
GUARDED = ("guarded",)
TRAPS = {
    "same name from another package in another branch": {
        "quiet": """
            if hip:
                from aiter import same
            elif cuda:
                from flashinfer.core import same
            def f(x):
                if hip:
                    return same(x, 1, 2, 3, 4)
                return same(x, 1, 2, 3)
        """,
        "loud": """
            if hip:
                from aiter import other
            elif cuda:
                from flashinfer.core import same
            def f(x):
                return same(x, 1, 2, 3, 4)
        """,
    },
    "a submodule and a function of the same name": {
        "quiet": "from flashinfer import tuned, norm\ntuned(1, fast=True)\nnorm.rms(1)",
        "loud": "from flashinfer import tuned, norm\ntuned(1, slow=True)\nnorm.rms(1)",
    },
    "a name kept alive by re-export": {
        "quiet": "from flashinfer.core import Mode\nx = Mode.A",
        "loud": "from flashinfer.core import Mode\nx = Mode.Z",
        "alarm": IMPORT,
    },
    "a vendored copy": {
        "quiet": """
            from .flashinfer import gone
            from sglang.flashinfer.core import gone as g
            g(1, 2, 3)
            import flashinfer
        """,
        "loud": "from flashinfer.core import gone\n",
        "alarm": IMPORT,
    },
    "only for type checkers": {
        "quiet": """
            from typing import TYPE_CHECKING
            if TYPE_CHECKING:
                from flashinfer.core import gone
            import flashinfer
        """,
        "loud": "from flashinfer.core import gone",
        "alarm": IMPORT,
    },
    "import *": {
        "quiet": "from flashinfer.core import *\ndef f(x):\n    return run(x, scale=2.0) or len(x)",
        "loud": "from flashinfer.core import *\ndef f(x):\n    return run(x, y=2.0) or len(x)",
        "calm": ("not checkable",),
        "alarm": ("broken at call", "not checkable"),
    },
    "where FlashInfer's name is rebound": {
        "quiet": """
            import flashinfer
            import other as flashinfer
            flashinfer.core.gone(1)
        """,
        "loud": """
            import other as flashinfer
            import flashinfer
            flashinfer.core.gone(1)
        """,
    },
    "a parameter named flashinfer": {
        "quiet": """
            import flashinfer
            def f(flashinfer, x):
                return flashinfer.core.gone(x)
        """,
        "change": ("flashinfer, x", "x"),
    },
    "a name bound by a comprehension": {
        "quiet": """
            from flashinfer.core import run
            def f(x, runs):
                return [run(x, y=1) for run in runs]
        """,
        "change": ("for run in runs", "for _ in runs"),
    },
    "a file of the engine named flashinfer": {
        "quiet": {
            "flashinfer": "def gone(x, y): ...",
            "use": """
                from . import flashinfer
                import flashinfer.core as core
                flashinfer.gone(1, 2)
                core.run(1)
            """,
        },
        "change": ("core.run(1)", "core.run(1, y=2)"),
    },
    "a file named flashinfer that hands on": {
        "quiet": {
            "layers.flashinfer": "from flashinfer.core import run",
            "use": """
                from sglang.layers.flashinfer import run
                run(1, scale=2)
            """,
        },
        "change": ("scale", "y"),
    },
    "handed on by import *": {
        "quiet": {
            "names": "from flashinfer.core import run",
            "use": """
                from .names import *
                def f(x):
                    return run(x, scale=2)
            """,
        },
        "change": ("scale", "y"),
    },
    "an alias of the package": {
        "quiet": """
            import flashinfer
            fi = flashinfer
            def f(x):
                core = fi.core
                return core.run(x, scale=2)
        """,
        "change": ("scale", "y"),
    },
    "only for type checkers, otherwise": {
        "quiet": """
            from typing import TYPE_CHECKING
            import flashinfer
            if TYPE_CHECKING:
                from flashinfer.core import gone
            else:
                gone = None
        """,
        "change": ("if TYPE_CHECKING", "if not TYPE_CHECKING"),
        "alarm": IMPORT,
    },
    "an annotation that nothing evaluates": {
        "quiet": """
            from __future__ import annotations
            import flashinfer
            def f(x: flashinfer.core.gone): ...
        """,
        "change": ("from __future__ import annotations", ""),
        "alarm": IMPORT,
    },
    "a name of a module of the engine": {
        "quiet": {
            "names": "from flashinfer.core import run",
            "use": """
                import flashinfer
                from sglang import names
                def f(x):
                    return names.run(x, scale=2)
            """,
        },
        "change": ("scale", "y"),
    },
    "a name of a module of the engine, where FlashInfer is not named": {
        "quiet": {
            "names": """
                def get():
                    from flashinfer.core import Wrapper
                    return Wrapper
            """,
            "use": """
                from sglang import names as n
                def f(x):
                    return n.get()(None).run(x, lse=2)
            """,
        },
        "change": ("lse", "y"),
    },
    "a flag of a module of the engine": {
        "quiet": {
            "flags": """
                import flashinfer.core as c
                HAS_GONE = hasattr(c, 'gone')
            """,
            "use": """
                import flashinfer.core as c
                from sglang import flags
                def f(x):
                    if flags.HAS_GONE:
                        c.gone(x)
            """,
        },
        "change": ("hasattr(c, 'gone')", "hasattr(c, 'run')"),
        "calm": GUARDED,
    },
    "imported beside another package": {
        "quiet": """
            import os, flashinfer.core as c
            c.run(1, scale=2)
        """,
        "change": ("scale", "y"),
    },
    "a submodule that the package does not import": {
        "quiet": """
            import flashinfer.extra
            flashinfer.extra.bonus(1)
        """,
        "change": ("import flashinfer.extra", "import flashinfer"),
        "wrong": "bound, though `import flashinfer` leaves no attribute of that name",
    },
}


def test_trap(trap, verdicts):
    assert verdicts(trap.quiet, trap.engine) == trap.calm
    assert verdicts(trap.changed(), trap.engine) == trap.alarm
