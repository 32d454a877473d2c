"""Traps: wrappers and other classes, what they are kept in, and enums."""

IMPORT = ("broken at import",)
TRAPS = {
    "a parameter that a base class is asked for": {
        "quiet": """
            from flashinfer import run
            class Base: ...
            class Tuned(Base): ...
            def f(base: Base, x):
                if isinstance(base, Tuned):
                    return run(x, scale=2.0)
        """,
        "loud": """
            from flashinfer import run
            class Base: ...
            class Tuned(Base): ...
            def f(base: Base, x):
                if isinstance(base, Tuned):
                    return run(x, y=2.0)
        """,
    },
    "a method of a wrapper kept on self": {
        "quiet": """
            from flashinfer.core import Wrapper
            class Backend:
                def __init__(self):
                    self.wrappers = []
                    for _ in range(2):
                        self.wrappers.append(Wrapper(None))
                def go(self, x):
                    self.wrappers[0].begin(x)
        """,
        "loud": """
            from flashinfer.core import Wrapper
            class Backend:
                def __init__(self):
                    self.wrappers = []
                    for _ in range(2):
                        self.wrappers.append(Wrapper(None))
                def go(self, x):
                    self.wrappers[0].begin(x, extra=1)
        """,
    },
    "one of two classes, told apart": {
        "quiet": """
            from flashinfer.core import Wrapper
            class Mine:
                def plan(self, x, extra): ...
            def go(w: Wrapper | Mine, x):
                if isinstance(w, Mine):
                    w.plan(x, extra=1)
                else:
                    w.plan(x)
        """,
        "loud": """
            from flashinfer.core import Wrapper
            class Mine:
                def plan(self, x, extra): ...
            def go(w: Wrapper | Mine, x):
                if not isinstance(w, Mine):
                    w.plan(x, extra=1)
        """,
    },
    "a method that the engine replaces": {
        "quiet": """
            from functools import partial
            from flashinfer.core import Wrapper
            def patch(w):
                w.plan = partial(fast, w)
            def go(w: Wrapper, x):
                w.plan(x, extra=1)
        """,
        "loud": """
            from functools import partial
            from flashinfer.core import Wrapper
            def go(w: Wrapper, x):
                w.plan(x, extra=1)
        """,
        "calm": ("not checkable",),
    },
    "a member of an enum": {
        "quiet": "import flashinfer\nx = flashinfer.Mode.A",
        "loud": "import flashinfer\nx = flashinfer.Mode.Z",
        "alarm": IMPORT,
    },
}


def test_trap(trap, verdicts):
    assert verdicts(trap.quiet, trap.engine) == trap.calm
    assert verdicts(trap.loud, trap.engine) == trap.alarm


def test_a_copied_enum(read):
    source = """
        from enum import IntEnum
        from flashinfer.core import plan
        class ActivationType(IntEnum):
            A = 0
            B = 1
        def f(x):
            plan(x, mode=ActivationType.B.value)
    """
    release = read({"a": source, "b": "from .a import ActivationType\nx = ActivationType.A"})
    mirrored = {use.member: use for use in release.uses if use.form == "mirror"}
    assert set(mirrored) == {("A", 0), ("B", 1)}
    assert mirrored["B", 1].used
    assert not mirrored["A", 0].used
    assert mirrored["A", 0].references == ("sglang/b.py:2",)
