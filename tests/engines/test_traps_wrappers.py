"""Traps: FlashInfer's wrappers, how an engine makes them, keeps them and gets them back."""

TRAPS = {
    "one of two, chosen once": {
        "quiet": """
            from flashinfer.core import Other, Wrapper
            class Backend:
                def __init__(self, paged):
                    self.wrapper = Wrapper(None) if paged else Other()
                def forward(self, x):
                    self.wrapper.run(x)
        """,
        "change": ("run(x)", "run(x, lse=1)"),
    },
    "its class chosen by a key": {
        "quiet": """
            from flashinfer.core import Wrapper
            KINDS = {"prefill": Wrapper, "decode": Wrapper}
            class Backend:
                def __init__(self, kind):
                    self.wrapper = KINDS[kind](None)
                def forward(self, x):
                    self.wrapper.plan(x)
        """,
        "change": ("plan(x)", "plan(x, extra=1)"),
    },
    "a field of a dataclass": {
        "quiet": """
            from __future__ import annotations
            from dataclasses import dataclass
            from typing import TYPE_CHECKING
            if TYPE_CHECKING:
                from flashinfer.core import Wrapper
            @dataclass
            class Metadata:
                wrappers: list[Wrapper]
            def forward(metadata: Metadata, x):
                metadata.wrappers[0].plan(x)
        """,
        "change": ("plan(x)", "plan(x, extra=1)"),
    },
    "made by a field of a dataclass": {
        "quiet": """
            from dataclasses import dataclass, field
            from flashinfer.core import Wrapper
            @dataclass
            class Metadata:
                wrapper: object = field(default_factory=lambda: Wrapper(None))
                def forward(self, x):
                    self.wrapper.plan(x)
        """,
        "change": ("plan(x)", "plan(x, extra=1)"),
    },
    "made at the first call and kept by a key": {
        "quiet": """
            from flashinfer.core import Wrapper
            class Backend:
                def __init__(self):
                    self.wrappers = {}
                def wrapper(self, size):
                    if size not in self.wrappers:
                        self.wrappers[size] = Wrapper(None)
                    return self.wrappers[size]
                def forward(self, x):
                    self.wrapper(1).plan(x)
        """,
        "change": ("plan(x)", "plan(x, extra=1)"),
    },
    "a place kept for each": {
        "quiet": """
            from flashinfer.core import Wrapper
            class Backend:
                def __init__(self, count):
                    self.wrappers = [None] * count
                    for number in range(count):
                        self.wrappers[number] = Wrapper(None)
                def forward(self, x):
                    self.wrappers[0].plan(x)
        """,
        "change": ("plan(x)", "plan(x, extra=1)"),
    },
    "one after another": {
        "quiet": """
            from flashinfer.core import Wrapper
            class Backend:
                def __init__(self):
                    self.wrappers = [Wrapper(None) for _ in range(2)]
                def forward(self, x):
                    for wrapper in self.wrappers:
                        wrapper.plan(x)
        """,
        "change": ("plan(x)", "plan(x, extra=1)"),
    },
    "one after another, with its number": {
        "quiet": """
            from flashinfer.core import Wrapper
            class Backend:
                def __init__(self):
                    self.wrappers = [Wrapper(None) for _ in range(2)]
                def forward(self, x):
                    for number, wrapper in enumerate(self.wrappers):
                        wrapper.plan(x)
        """,
        "change": ("plan(x)", "plan(x, extra=1)"),
    },
    "one after another, with its key": {
        "quiet": """
            from flashinfer.core import Wrapper
            def forward(wrappers: dict[int, Wrapper], x):
                for size, wrapper in wrappers.items():
                    wrapper.plan(x)
        """,
        "change": ("plan(x)", "plan(x, extra=1)"),
    },
    "given by a property": {
        "quiet": """
            from flashinfer.core import Wrapper
            class Backend:
                @property
                def wrapper(self):
                    return Wrapper(None)
                def forward(self, x):
                    self.wrapper.plan(x)
        """,
        "change": ("plan(x)", "plan(x, extra=1)"),
    },
    "its method under another name": {
        "quiet": """
            from flashinfer.core import Wrapper
            class Backend:
                def __init__(self):
                    self.wrapper = Wrapper(None)
                    self.plan = self.wrapper.plan
                def forward(self, x):
                    self.plan(x)
        """,
        "change": ("self.plan(x)", "self.plan(x, extra=1)"),
    },
    "made by the base class of another file": {
        "quiet": {
            "base": """
                from flashinfer.core import Wrapper
                class Backend:
                    def __init__(self):
                        self.wrapper = Wrapper(None)
            """,
            "mla": """
                import flashinfer
                from sglang.base import Backend
                class MlaBackend(Backend):
                    def forward(self, x):
                        self.wrapper.plan(x)
            """,
        },
        "change": ("plan(x)", "plan(x, extra=1)"),
    },
    "held by an object of another file": {
        "quiet": {
            "metadata": """
                from flashinfer.core import Wrapper
                class Metadata:
                    wrapper: Wrapper
            """,
            "backend": """
                import flashinfer
                from sglang.metadata import Metadata
                def forward(metadata: Metadata, x):
                    metadata.wrapper.plan(x)
            """,
        },
        "change": ("plan(x)", "plan(x, extra=1)"),
    },
}


def test_trap(trap, verdicts):
    assert verdicts(trap.quiet, trap.engine) == trap.calm
    assert verdicts(trap.changed(), trap.engine) == trap.alarm
