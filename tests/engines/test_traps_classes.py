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
    "a method called through its base": {
        "quiet": """
            from flashinfer.core import Wrapper
            class Mine(Wrapper):
                def plan(self, x, extra):
                    return super().plan(x)
            def f(x):
                Mine(None).plan(x, extra=1)
        """,
        "change": ("super().plan(x)", "super().plan(x, extra=extra)"),
    },
    "a method called through its class": {
        "quiet": """
            from flashinfer.core import Wrapper
            def f(wrapper, x):
                Wrapper.plan(wrapper, x)
        """,
        "change": ("plan(wrapper, x)", "plan(wrapper, x, extra=1)"),
    },
    "a function of FlashInfer kept in a class": {
        "quiet": """
            from flashinfer.core import run
            class Layer:
                call = staticmethod(run)
                def forward(self, x):
                    return self.call(x, scale=1)
        """,
        "change": ("scale", "y"),
    },
    "a function of FlashInfer that becomes a method": {
        "quiet": """
            from flashinfer.norm import rms
            class Layer:
                call = rms
                def forward(self):
                    return self.call()
        """,
        "change": ("self.call()", "self.call(1)"),
    },
    "a function of FlashInfer that becomes a method, given away": {
        "quiet": """
            from flashinfer.tuned import tuned
            class Layer:
                call = tuned
            def f(layer: Layer):
                call = layer.call
                return call(fast=True)
        """,
        "change": ("fast=True", "1, fast=True"),
    },
    "a function of FlashInfer that becomes a method, in another file": {
        "quiet": {
            "layer": """
                from flashinfer.norm import rms
                from flashinfer.core import Wrapper
                class Layer:
                    call = rms
                    made = Wrapper
            """,
            "a": """
                from .layer import Layer
                def f():
                    return Layer().call()
            """,
        },
        "change": (".call()", ".call(1)"),
    },
    "a class of FlashInfer kept in a class": {
        "quiet": """
            from flashinfer.core import Wrapper
            class Layer:
                made = Wrapper
                def forward(self, buffer):
                    return self.made(buffer)
        """,
        "change": ("made(buffer)", "made(buffer, 1)"),
    },
    "a partial kept in a class": {
        "quiet": """
            from functools import partial
            from flashinfer.core import run
            class Layer:
                call = partial(run, scale=2)
                def forward(self, x):
                    return self.call(x)
        """,
        "change": ("self.call(x)", "self.call()"),
    },
    "a function of FlashInfer kept on the object": {
        "quiet": """
            from flashinfer.norm import rms
            class Layer:
                def __init__(self):
                    self.call = rms
                def forward(self):
                    return self.call(1)
        """,
        "change": ("self.call(1)", "self.call()"),
    },
    "a function of FlashInfer as a field": {
        "quiet": """
            from dataclasses import dataclass
            from typing import Callable
            from flashinfer.norm import rms
            @dataclass
            class Layer:
                call: Callable = rms
                def forward(self):
                    return self.call(1)
        """,
        "change": ("self.call(1)", "self.call()"),
    },
    "an annotation of an empty tuple": {
        "quiet": """
            from typing import Tuple
            from flashinfer.norm import rms
            def f(x, none: Tuple[()]) -> Tuple[()]:
                rms(x)
                return ()
        """,
        "change": ("rms(x)", "rms(x, 1)"),
    },
    "the class itself asked for": {
        "quiet": """
            from flashinfer.core import Wrapper
            class Mine:
                def plan(self, x, extra): ...
            def f(wrapper: Wrapper | Mine, x):
                if type(wrapper) is Mine:
                    wrapper.plan(x, extra=1)
        """,
        "change": ("is Mine", "is Wrapper"),
        "wrong": "broken at call: `type(x) is C` is not taken for a question of the class",
    },
    "the class matched": {
        "quiet": """
            from flashinfer.core import Wrapper
            class Mine:
                def plan(self, x, extra): ...
            def f(wrapper: Wrapper | Mine, x):
                match wrapper:
                    case Mine():
                        wrapper.plan(x, extra=1)
        """,
        "change": ("case Mine()", "case Wrapper()"),
    },
    "a member of an enum as a default": {
        "quiet": """
            from flashinfer.core import Mode
            def f(mode=Mode.A): ...
        """,
        "change": ("Mode.A", "Mode.Z"),
        "alarm": IMPORT,
    },
    "a member of an enum by its name": {
        "quiet": """
            from flashinfer.core import Mode
            mode = Mode["A"]
        """,
        "change": ('"A"', '"Z"'),
        "alarm": IMPORT,
        "wrong": "members looked up by a text are not seen",
    },
    "a member of an enum as a case": {
        "quiet": """
            from flashinfer.core import Mode
            match Mode.B:
                case Mode.A:
                    pass
        """,
        "change": ("Mode.A", "Mode.Z"),
        "alarm": IMPORT,
    },
}


def test_trap(trap, verdicts):
    assert verdicts(trap.quiet, trap.engine) == trap.calm
    assert verdicts(trap.changed(), trap.engine) == trap.alarm


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
