"""Traps: names and modules of FlashInfer that are loaded by a text, at the first call or by a helper."""

from textwrap import dedent

GUARDED = ("guarded",)
LOADERS = [
    (
        "a helper that imports and looks up",
        """
        import importlib
        def load(module, name):
            return getattr(importlib.import_module(module), name)
        """,
        'load("flashinfer.core", "run")',
    ),
    (
        "a helper that gives the module",
        "import importlib\ndef lazy(name): return importlib.import_module(name)",
        'lazy("flashinfer.core").run',
    ),
    (
        "a closure that imports at the first call",
        """
        import importlib
        def lazy(module, name):
            def call(*args, **kwargs):
                return getattr(importlib.import_module(module), name)(*args, **kwargs)
            return call
        """,
        'lazy("flashinfer.core", "run")',
    ),
    (
        "a class that imports at the first look",
        """
        import importlib
        class Loader:
            def __init__(self, local, parent, name):
                self.name = name
            def __getattr__(self, key):
                return getattr(importlib.import_module(self.name), key)
        """,
        'Loader("core", globals(), "flashinfer.core").run',
    ),
    ("__import__", "import flashinfer", '__import__("flashinfer").core.run'),
    ("a renamed import_module", "from importlib import import_module as im", 'im("flashinfer.core").run'),
    (
        "a relative import_module",
        "import flashinfer\nimport importlib",
        'importlib.import_module(".core", "flashinfer").run',
    ),
]
TRAPS = {
    "a lazy helper with a substitute": {
        "quiet": {
            "lazy": """
                f = _lazy_import_wrapper("flashinfer.core", "gone", fallback_fn=lambda *a: None)
            """,
            "use": "from vllm.lazy import f\nf(1)",
        },
        "loud": {
            "lazy": """
                f = _lazy_import_wrapper("flashinfer.core", "gone")
            """,
            "use": "from vllm.lazy import f\nf(1)",
        },
        "calm": GUARDED,
        "alarm": ("broken at call", "guarded"),
        "engine": "vllm",
    },
    "a helper that imports at first call": {
        "quiet": {
            "a": 'run = LazyImport("flashinfer.core", "run")',
            "b": "from .a import run\nrun(1, scale=2)",
        },
        "loud": {"a": 'run = LazyImport("flashinfer.core", "run")', "b": "from .a import run\nrun(1, y=2)"},
    },
    "a helper that is not seen, given a module's name": {
        "quiet": """
            import flashinfer
            from elsewhere import load
            load("otherinfer.core").run(1, y=2)
        """,
        "loud": """
            import flashinfer
            from elsewhere import load
            load("flashinfer.core").run(1, y=2)
        """,
        "alarm": ("not checkable",),
    },
}
TRAPS |= {
    name: {
        "quiet": f"{dedent(before)}\nf = {loaded}\nf(1, scale=2)",
        "loud": f"{dedent(before)}\nf = {loaded}\nf(1, y=2)",
    }
    for name, before, loaded in LOADERS
}


def test_trap(trap, verdicts):
    assert verdicts(trap.quiet, trap.engine) == trap.calm
    assert verdicts(trap.loud, trap.engine) == trap.alarm
