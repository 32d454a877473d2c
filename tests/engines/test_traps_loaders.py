"""Traps: names and modules of FlashInfer that are loaded by a text, at the first call or by a helper."""

from textwrap import dedent

GUARDED = ("guarded",)
IMPORT = ("broken at import",)
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
    "a loader that is cached": {
        "quiet": """
            import functools
            @functools.lru_cache(maxsize=None)
            def core():
                from flashinfer import core as found
                return found
            def f(x):
                core().run(x, scale=1)
        """,
        "change": ("scale", "y"),
    },
    "a global that is filled at the first call": {
        "quiet": """
            _run = None
            def load():
                global _run
                if _run is None:
                    from flashinfer.core import run
                    _run = run
            def f(x):
                load()
                return _run(x, scale=1)
        """,
        "change": ("scale", "y"),
    },
    "a pair that a loader returns": {
        "quiet": """
            def load():
                from flashinfer.core import plan, run
                return plan, run
            _, run = load()
            def f(x):
                run(x, scale=1)
        """,
        "change": ("scale", "y"),
    },
    "names in a loop": {
        "quiet": """
            import flashinfer.core as c
            for name in ('run', 'plan'):
                getattr(c, name)
        """,
        "change": ("plan", "gone"),
        "alarm": IMPORT,
    },
    "a name looked up by a key": {
        "quiet": """
            import flashinfer.core as c
            NAMES = {"a": "gone", "b": "run"}
            def f(x):
                return getattr(c, NAMES["b"])(x)
        """,
        "change": ('NAMES["b"]', 'NAMES["a"]'),
    },
    "names in a comprehension": {
        "quiet": """
            import flashinfer.core as c
            NAMES = ['run', 'plan']
            FOUND = {name: getattr(c, name) for name in NAMES}
        """,
        "change": ("plan", "gone"),
        "alarm": IMPORT,
    },
    "a module's name put together": {
        "quiet": """
            import importlib
            PART = 'core'
            m = importlib.import_module(f'flashinfer.{PART}')
        """,
        "change": ("'core'", "'lost'"),
        "alarm": IMPORT,
    },
    "a module that looks names up by itself": {
        "quiet": {
            "lazy": """
                def __getattr__(name):
                    if name == "run":
                        from flashinfer.core import run
                        return run
                    raise AttributeError(name)
            """,
            "use": """
                from sglang.lazy import run
                def f(x):
                    return run(x, scale=1)
            """,
        },
        "change": ("scale", "y"),
        "wrong": "what a module's `__getattr__` returns is not followed",
    },
    "a decorator put around a function of FlashInfer": {
        "quiet": """
            import functools
            from flashinfer.core import run
            def logged(given):
                @functools.wraps(given)
                def inner(*args, **kwargs):
                    return given(*args, **kwargs)
                return inner
            logged_run = logged(run)
            logged_run(1, scale=2)
        """,
        "change": ("scale", "y"),
    },
    "a function of FlashInfer handed to another": {
        "quiet": """
            from flashinfer.core import run
            def apply(given, x):
                return given(x, scale=1)
            apply(run, 2)
        """,
        "change": ("scale", "y"),
    },
    "a function of FlashInfer as a default": {
        "quiet": """
            from flashinfer.core import run
            def apply(x, given=run):
                return given(x, scale=1)
        """,
        "change": ("scale", "y"),
    },
    "what is called has a name of the reader's own": {
        "quiet": """
            import flashinfer.core as c
            def f(function, x):
                return function(c.run(x, scale=1))
        """,
        "change": ("scale", "y"),
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
    assert verdicts(trap.changed(), trap.engine) == trap.alarm
