"""Traps: how FlashInfer's names come into a file, and what else may have the same name."""

IMPORT = ("broken at import",)
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
}


def test_trap(trap, verdicts):
    assert verdicts(trap.quiet, trap.engine) == trap.calm
    assert verdicts(trap.loud, trap.engine) == trap.alarm
