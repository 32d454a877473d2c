"""Sources that must not alarm, each beside a small change of it that must."""

import time
from textwrap import dedent

import pytest

from matrix.engines import config
from matrix.engines.judge import Judge
from matrix.engines.provider import Provider
from matrix.engines.reading.file import read_file
from matrix.engines.release import read_engine
from matrix.releases.store import Store
from matrix.releases.wheel import open_path
from matrix.surface.library import Library

OLD = {
    "__init__": """
        from .core import run, plan, Mode
        from .tuned import tuned
        from . import norm
        __version__ = "0.6.0"
    """,
    "core": """
        from .enums import Mode
        def run(x, y, scale=1.0, *, out=None): ...
        def plan(a, b, c=None, mode=1): ...
        def gone(x): ...
        def same(x, residual, gate, scale): ...
        class Wrapper:
            def __init__(self, buffer): ...
            def plan(self, x, *, extra=None): ...
            def run(self, q, lse=None): ...
            begin = plan
        class Other:
            def run(self, q): ...
    """,
    "enums": """
        from enum import IntEnum
        class Mode(IntEnum):
            A = 0
            B = 1
            Last = 2
    """,
    "tuned": "def tuned(x, *, fast=False): ...",
    "norm": "def rms(x): ...",
    "extra": "def bonus(x): ...",
}
NEW = OLD | {
    "core": """
        from .enums import Mode
        def run(x, scale=1.0, *, out=None, pdl=False): ...
        def plan(a, new=None, b=None, c=None, mode=1): ...
        def same(x, residual, gate, scale): ...
        class Wrapper:
            def __init__(self, buffer): ...
            def plan(self, x): ...
            def run(self, q, lse=None): ...
            begin = plan
        class Other:
            def run(self, q): ...
    """,
    "enums": """
        from enum import IntEnum
        class Mode(IntEnum):
            A = 0
            C = 1
            B = 2
            Last = 3
    """,
}


@pytest.fixture(scope="module")
def releases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flashinfer")
    for name, sources in (("old", OLD), ("new", NEW)):
        lay(folder / name / "flashinfer", sources)
    store = Store(folder / "store")
    library = Library(store=store)
    decorators = config.load("sglang").decorators
    new, old = (Provider(str(folder / name), library, decorators) for name in ("new", "old"))
    new.release, old.release = "0.6.9", "0.6.7"  # a folder has no version of its own
    return store, new, old


def lay(folder, sources):
    folder.mkdir(parents=True)
    for name, source in sources.items():
        content = source if isinstance(source, bytes) else dedent(source).encode()
        path = folder / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(content)


@pytest.fixture
def verdicts(releases, tmp_path):
    """A function from an engine's sources to the verdicts of its uses on the new release, bound ones left out."""

    def found(source, engine="sglang"):
        store, new, old = releases
        rules = config.load(engine)
        sources = source if isinstance(source, dict) else {"a": source}
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        lay(folder / rules.package, {"__init__": "", **sources})
        release = read_engine(open_path(folder), rules, store=store)
        judged = Judge(new, rules, old, release.probes).all(release)
        assert judged or release.problems, "nothing was found to judge"
        return sorted({j.verdict.value for _, j in judged} - {"bound"})

    return found


def case(name, quiet, loud, *, calm=(), alarm=("broken at call",), engine="sglang"):
    return pytest.param(quiet, loud, list(calm), list(alarm), engine, id=name)


PROBE = """
import importlib
def has_gone():
    required = [("flashinfer.core", "run"), ("flashinfer.core", "gone")]
    for module, name in required:
        found = importlib.import_module(module)
        if not hasattr(found, name):
            return False
    return True
"""
CALLED = """
import flashinfer.core as c
def f(x):
    return c.gone(x)
"""
OPERATOR = """
from sglang.ops import direct_register_custom_op
direct_register_custom_op("gone", f)
"""
ASKS = """
import torch
from sglang.probe import has_gone
from sglang.use import f
class Layer:
    def __init__(self):
        self.usable = has_gone()
    def forward(self, x):
        return f(x) if self.usable else None
"""
RASH = """
import flashinfer
import torch
from sglang.use import f
def forward(x):
    return f(x) + torch.ops.sglang.gone(x)
class Rash:
    def __init__(self, x):
        forward(x)
"""
GUARDED = ["guarded"]
IMPORT = ["broken at import"]
CASES = [
    case(
        "same name from another package in another branch",
        """
        if hip:
            from aiter import same
        elif cuda:
            from flashinfer.core import same
        def f(x):
            if hip:
                return same(x, 1, 2, 3, 4)
            return same(x, 1, 2, 3)
        """,
        """
        if hip:
            from aiter import other
        elif cuda:
            from flashinfer.core import same
        def f(x):
            return same(x, 1, 2, 3, 4)
        """,
    ),
    case(
        "keywords rebuilt per branch",
        """
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
        """
        from flashinfer.core import run
        from flashinfer.tuned import tuned
        def f(x, fast):
            kwargs = dict(fast=True)
            if not fast:
                kwargs["scale"] = 2.0
            run(x, **kwargs)
        """,
    ),
    case(
        "function and keywords chosen by the same test",
        """
        from flashinfer.core import run
        from flashinfer.tuned import tuned
        def f(x, fast):
            g = tuned if fast else run
            kwargs = {}
            if fast:
                kwargs["fast"] = True
            g(x, **kwargs)
        """,
        """
        from flashinfer.core import run
        from flashinfer.tuned import tuned
        def f(x, fast):
            g = tuned if slow else run
            kwargs = {}
            if fast:
                kwargs["fast"] = True
            g(x, **kwargs)
        """,
    ),
    case(
        "a submodule and a function of the same name",
        "from flashinfer import tuned, norm\ntuned(1, fast=True)\nnorm.rms(1)",
        "from flashinfer import tuned, norm\ntuned(1, slow=True)\nnorm.rms(1)",
    ),
    case(
        "a name kept alive by re-export",
        "from flashinfer.core import Mode\nx = Mode.A",
        "from flashinfer.core import Mode\nx = Mode.Z",
        alarm=IMPORT,
    ),
    case(
        "a vendored copy",
        "from .flashinfer import gone\nfrom sglang.flashinfer.core import gone as g\ng(1, 2, 3)\nimport flashinfer",
        "from flashinfer.core import gone\n",
        alarm=IMPORT,
    ),
    case(
        "only for type checkers",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from flashinfer.core import gone\nimport flashinfer",
        "from flashinfer.core import gone",
        alarm=IMPORT,
    ),
    case(
        "caught, with a flag",
        """
        try:
            from flashinfer.core import gone
            HAS = True
        except ImportError:
            gone = None
            HAS = False
        def f(x):
            if HAS:
                gone(x)
        """,
        """
        try:
            from flashinfer.core import gone
        except ImportError as error:
            raise ImportError("too old") from error
        """,
        calm=GUARDED,
        alarm=IMPORT,
    ),
    case(
        "caught by the wrong exception",
        "import flashinfer.core as c\ntry:\n    c.gone(1)\nexcept AttributeError:\n    pass",
        "import flashinfer.core as c\ntry:\n    c.gone(1)\nexcept ImportError:\n    pass",
        calm=GUARDED,
    ),
    case(
        "suppressed",
        "import contextlib\nwith contextlib.suppress(ImportError):\n    from flashinfer.core import gone",
        "import contextlib\nwith contextlib.suppress(KeyError):\n    from flashinfer.core import gone",
        calm=GUARDED,
        alarm=IMPORT,
    ),
    case(
        "hasattr",
        "import flashinfer.core as c\nif hasattr(c, 'gone'):\n    c.gone(1)",
        "import flashinfer.core as c\nif hasattr(c, 'run'):\n    c.gone(1)",
        calm=GUARDED,
    ),
    case(
        "early return",
        """
        import flashinfer.core as c
        def f(x):
            if not hasattr(c, "gone"):
                return None
            return c.gone(x)
        """,
        """
        import flashinfer.core as c
        def f(x):
            if not hasattr(c, "gone"):
                log("gone")
            return c.gone(x)
        """,
        calm=GUARDED,
    ),
    case(
        "a signature asked at import",
        """
        import inspect
        from flashinfer.core import run
        TAKES_Y = "y" in inspect.signature(run).parameters
        def f(x):
            kwargs = {}
            if TAKES_Y:
                kwargs["y"] = 1
            run(x, **kwargs)
        """,
        """
        import inspect
        from flashinfer.core import run
        TAKES_Y = "x" in inspect.signature(run).parameters
        def f(x):
            kwargs = {}
            if TAKES_Y:
                kwargs["y"] = 1
            run(x, **kwargs)
        """,
    ),
    case(
        "keywords filtered by the signature",
        """
        import inspect
        from flashinfer.core import run
        def f(x):
            kwargs = {"y": 1, "scale": 2}
            kwargs = {k: v for k, v in kwargs.items() if k in inspect.signature(run).parameters}
            run(x, **kwargs)
        """,
        """
        import inspect
        from flashinfer.core import run
        def f(x):
            kwargs = {"y": 1, "scale": 2}
            run(x, **kwargs)
        """,
    ),
    case(
        "a module looked for",
        "import importlib.util\nif importlib.util.find_spec('flashinfer.lost'):\n    from flashinfer.lost import it",
        "import importlib.util\nif importlib.util.find_spec('flashinfer.core'):\n    from flashinfer.lost import it",
        calm=GUARDED,
        alarm=IMPORT,
    ),
    case(
        "a probe in another file, asked where the object is made",
        {
            "probe": PROBE,
            "use": """
                import flashinfer.core as c
                from sglang.probe import has_gone
                class Layer:
                    def __init__(self):
                        if not has_gone():
                            raise RuntimeError("FlashInfer is too old")
                    def forward(self, x):
                        return c.gone(x)
            """,
        },
        {
            "probe": PROBE,
            "use": """
                import flashinfer.core as c
                from sglang.probe import has_gone
                class Other:
                    def __init__(self):
                        if not has_gone():
                            raise RuntimeError("FlashInfer is too old")
                class Layer:
                    def forward(self, x):
                        return c.gone(x)
            """,
        },
        calm=GUARDED,
    ),
    case(
        "a probe that does not ask for the missing name",
        {
            "probe": PROBE,
            "use": """
                import flashinfer.core as c
                from sglang.probe import has_gone
                def f(x):
                    ok = has_gone()
                    return c.gone(x)
            """,
        },
        {
            "probe": PROBE.replace('("flashinfer.core", "gone")', '("flashinfer.core", "plan")'),
            "use": """
                import flashinfer.core as c
                from sglang.probe import has_gone
                def f(x):
                    ok = has_gone()
                    return c.gone(x)
            """,
        },
        calm=GUARDED,
    ),
    case(
        "a probe that every caller asks",
        {"probe": PROBE, "use": CALLED, "asks": ASKS},
        {"probe": PROBE, "use": CALLED.replace("def", "@register_runner('bf16')\ndef"), "asks": ASKS},
        calm=GUARDED,
    ),
    case(
        "a probe that the caller of an operator asks",
        {"probe": PROBE, "use": CALLED + OPERATOR, "asks": ASKS.replace("f(x)", "torch.ops.sglang.gone(x)")},
        {
            "probe": PROBE,
            "use": CALLED + OPERATOR,
            "asks": ASKS.replace("f(x)", "torch.ops.sglang.gone(x)"),
            "rash": RASH,
        },
        calm=GUARDED,
        alarm=["not checkable"],
    ),
    case(
        "a probe that nobody is seen to ask before",
        {"probe": PROBE, "use": CALLED},
        {"use": CALLED},
        calm=["not checkable"],
    ),
    case(
        "a parameter that a base class is asked for",
        """
            from flashinfer import run
            class Base: ...
            class Tuned(Base): ...
            def f(base: Base, x):
                if isinstance(base, Tuned):
                    return run(x, scale=2.0)
        """,
        """
            from flashinfer import run
            class Base: ...
            class Tuned(Base): ...
            def f(base: Base, x):
                if isinstance(base, Tuned):
                    return run(x, y=2.0)
        """,
    ),
    case(
        "a lazy helper with a substitute",
        {
            "lazy": """
                f = _lazy_import_wrapper("flashinfer.core", "gone", fallback_fn=lambda *a: None)
            """,
            "use": "from vllm.lazy import f\nf(1)",
        },
        {
            "lazy": """
                f = _lazy_import_wrapper("flashinfer.core", "gone")
            """,
            "use": "from vllm.lazy import f\nf(1)",
        },
        calm=GUARDED,
        alarm=["broken at call", "guarded"],
        engine="vllm",
    ),
    case(
        "a helper that imports at first call",
        {"a": 'run = LazyImport("flashinfer.core", "run")', "b": "from .a import run\nrun(1, scale=2)"},
        {"a": 'run = LazyImport("flashinfer.core", "run")', "b": "from .a import run\nrun(1, y=2)"},
    ),
    case(
        "a method of a wrapper kept on self",
        """
        from flashinfer.core import Wrapper
        class Backend:
            def __init__(self):
                self.wrappers = []
                for _ in range(2):
                    self.wrappers.append(Wrapper(None))
            def go(self, x):
                self.wrappers[0].begin(x)
        """,
        """
        from flashinfer.core import Wrapper
        class Backend:
            def __init__(self):
                self.wrappers = []
                for _ in range(2):
                    self.wrappers.append(Wrapper(None))
            def go(self, x):
                self.wrappers[0].begin(x, extra=1)
        """,
    ),
    case(
        "one of two classes, told apart",
        """
        from flashinfer.core import Wrapper
        class Mine:
            def plan(self, x, extra): ...
        def go(w: Wrapper | Mine, x):
            if isinstance(w, Mine):
                w.plan(x, extra=1)
            else:
                w.plan(x)
        """,
        """
        from flashinfer.core import Wrapper
        class Mine:
            def plan(self, x, extra): ...
        def go(w: Wrapper | Mine, x):
            if not isinstance(w, Mine):
                w.plan(x, extra=1)
        """,
    ),
    case(
        "a method that the engine replaces",
        """
        from functools import partial
        from flashinfer.core import Wrapper
        def patch(w):
            w.plan = partial(fast, w)
        def go(w: Wrapper, x):
            w.plan(x, extra=1)
        """,
        """
        from functools import partial
        from flashinfer.core import Wrapper
        def go(w: Wrapper, x):
            w.plan(x, extra=1)
        """,
        calm=["not checkable"],
    ),
    case(
        "partial",
        "from functools import partial\nfrom flashinfer.core import run\ng = partial(run, scale=2)\ng(1, out=3)",
        "from functools import partial\nfrom flashinfer.core import run\ng = partial(run, y=2)\ng(1, out=3)",
    ),
    case(
        "by keyword where a parameter came in between",
        "from flashinfer.core import plan\nplan(1, b=2, c=3)",
        "from flashinfer.core import plan\nplan(1, 2, 3)",
        alarm=["shifted"],
    ),
    case(
        "a member of an enum",
        "import flashinfer\nx = flashinfer.Mode.A",
        "import flashinfer\nx = flashinfer.Mode.Z",
        alarm=IMPORT,
    ),
    case(
        "arguments that the source does not show",
        "from flashinfer.core import run\ndef f(x, **kw):\n    run(x, **kw)",
        "from flashinfer.core import run\ndef f(x, **kw):\n    run(x, y=1, **kw)",
        calm=["not checkable"],
    ),
    case(
        "a dictionary that another function may fill",
        "from flashinfer.core import run\ndef f(x):\n    kw = {}\n    fill(kw)\n    run(x, **kw)",
        "from flashinfer.core import run\ndef f(x):\n    kw = {'y': 1}\n    fill(kw)\n    run(x, **kw)",
        calm=["not checkable"],
    ),
]


def gated(test, *, before=""):
    """A call that only the new release takes, behind a test of FlashInfer's version."""
    return f"""
        import flashinfer
        from importlib.metadata import version as installed
        from packaging.specifiers import SpecifierSet
        from packaging.version import Version, parse as P
        from flashinfer.core import run
        {before}
        def f(x, name):
            if {test}:
                run(x, y=1)
    """


CASES += [
    case(f"version gate {number}", gated(test, before=before), gated(turned, before=before), calm=GUARDED)
    for number, (test, turned, before) in enumerate(
        [
            (
                'P(installed("flashinfer-python")) < P("0.6.8")',
                'P(installed("flashinfer-python")) >= P("0.6.8")',
                "",
            ),
            ('older("0.6.8")', 'not older("0.6.8")', "def older(v): return P(flashinfer.__version__) < P(v)"),
            (
                "NUMBERS < (0, 6, 8)",
                "NUMBERS >= (0, 6, 8)",
                "NUMBERS = Version(flashinfer.__version__).release",
            ),
            (
                "NUMBERS <= (0, 6, 8)",
                "NUMBERS > (0, 6, 8)",
                'NUMBERS = tuple(map(int, flashinfer.__version__.split(".")[:3]))',
            ),
            (
                "(major, minor) >= (0, 7)",
                "(major, minor) < (0, 7)",
                'major, minor = [int(n) for n in flashinfer.__version__.split("+")[0].split(".")[:2]]',
            ),
            (
                'P(flashinfer.__version__) in SpecifierSet(">=0.6,<0.6.8")',
                'P(flashinfer.__version__) not in SpecifierSet(">=0.6,<0.6.8")',
                "",
            ),
            (
                'SpecifierSet("<0.6.8").contains(flashinfer.__version__)',
                'not SpecifierSet("<0.6.8").contains(flashinfer.__version__)',
                "",
            ),
            (
                'P("0.6") <= P(flashinfer.__version__) < P("0.6.8")',
                'P("0.6.8") <= P(flashinfer.__version__)',
                "",
            ),
        ]
    )
]
CASES += [
    case(f"a question that is not followed {number}", gated(test), gated("name"), calm=["not checkable"])
    for number, test in enumerate(
        [
            'flashinfer.__version__.startswith("0.6.7")',
            'int(flashinfer.__version__.split(".")[2]) < 8',
            "hasattr(flashinfer, name)",
            "sorted([flashinfer.__version__, name])[0] == name",
            "name in inspect.signature(run).parameters",
        ]
    )
]
CASES += [
    case(
        "a version gate by an early return",
        """
        import flashinfer
        from packaging.version import Version
        def f(x):
            if Version(flashinfer.__version__) >= Version("0.6.8"):
                return None
            return flashinfer.core.run(x, y=1)
        """,
        """
        import flashinfer
        from packaging.version import Version
        def f(x):
            if Version(flashinfer.__version__) >= Version("0.6.8"):
                log("new")
            return flashinfer.core.run(x, y=1)
        """,
        calm=GUARDED,
    ),
    case(
        "a version gate in another file",
        {
            "gate": "import flashinfer\ndef below(v):\n    return Version(flashinfer.__version__) < Version(v)",
            "a": """
                from flashinfer.core import run
                from sglang.gate import below
                def f(x):
                    if below("0.6.8"):
                        run(x, y=1)
            """,
        },
        {
            "gate": "import flashinfer\ndef below(v):\n    return Version(v) < Version(v)",
            "a": """
                from flashinfer.core import run
                from sglang.gate import below
                def f(x):
                    if below("0.6.8"):
                        run(x, y=1)
            """,
        },
        calm=["not checkable"],
    ),
    case(
        "keywords behind a question that is not followed",
        """
        import flashinfer
        def f(x):
            kw = {}
            if flashinfer.__version__.startswith("0.6.7"):
                kw["y"] = 1
            flashinfer.core.run(x, **kw)
        """,
        """
        import flashinfer
        def f(x):
            kw = {"y": 1}
            if flashinfer.__version__.startswith("0.6.7"):
                kw["scale"] = 1
            flashinfer.core.run(x, **kw)
        """,
        calm=["not checkable"],
    ),
]
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
CASES += [
    case(name, f"{dedent(before)}\nf = {loaded}\nf(1, scale=2)", f"{dedent(before)}\nf = {loaded}\nf(1, y=2)")
    for name, before, loaded in LOADERS
]
CASES += [
    case(
        "a helper that is not seen, given a module's name",
        'import flashinfer\nfrom elsewhere import load\nload("otherinfer.core").run(1, y=2)',
        'import flashinfer\nfrom elsewhere import load\nload("flashinfer.core").run(1, y=2)',
        alarm=["not checkable"],
    ),
    case(
        "a module that is missing and a name that is missing",
        "try:\n    from flashinfer.lost import it\nexcept ModuleNotFoundError:\n    it = None",
        "try:\n    from flashinfer.core import gone\nexcept ModuleNotFoundError:\n    gone = None",
        calm=GUARDED,
        alarm=IMPORT,
    ),
    case(
        "a name that is then None",
        """
        try:
            from flashinfer.core import gone
        except ImportError:
            gone = None
        def f(x):
            return gone(x) if gone is not None else x
        """,
        """
        try:
            from flashinfer.core import gone
        except ImportError:
            gone = None
        def f(x):
            return gone(x)
        """,
        calm=GUARDED,
        alarm=["broken at call", "guarded"],
    ),
    case(
        "a name that is then unset, beside a flag",
        """
        try:
            from flashinfer.core import gone
            HAS = True
        except ImportError:
            HAS = False
        def f(x):
            if not HAS:
                raise RuntimeError("too old")
            return gone(x)
        """,
        """
        try:
            from flashinfer.core import gone
            HAS = True
        except ImportError:
            HAS = False
        def f(x):
            return gone(x)
        """,
        calm=GUARDED,
        alarm=["guarded", "not checkable"],
    ),
    case(
        "import *",
        "from flashinfer.core import *\ndef f(x):\n    return run(x, scale=2.0) or len(x)",
        "from flashinfer.core import *\ndef f(x):\n    return run(x, y=2.0) or len(x)",
        calm=["not checkable"],
        alarm=["broken at call", "not checkable"],
    ),
]


@pytest.mark.parametrize(("quiet", "loud", "calm", "alarm", "engine"), CASES)
def test_trap(verdicts, quiet, loud, calm, alarm, engine):  # noqa: PLR0917 - the columns of the cases
    assert verdicts(quiet, engine) == calm
    assert verdicts(loud, engine) == alarm


def test_files_that_do_not_parse_are_told_and_a_byte_order_mark_is_none_of_them(releases, tmp_path):
    store, new, old = releases
    rules = config.load("sglang")
    lay(
        tmp_path / "sglang",
        {
            "__init__": "",
            "marked": b"\xef\xbb\xbffrom flashinfer.core import gone\n",
            "latin": "# -*- coding: latin-1 -*-\nfrom flashinfer.core import run  # \xe9\n".encode("latin-1"),
            "broken": "from flashinfer.core import (\n",
            "null": b"import flashinfer\n\x00",
        },
    )
    release = read_engine(open_path(tmp_path), rules, store=store)
    assert [file for file, _ in release.problems] == ["sglang/broken.py", "sglang/null.py"]
    judged = Judge(new, rules, old, release.probes).all(release)
    assert {(use.file, judgement.verdict.value) for use, judgement in judged} == {
        ("sglang/marked.py", "broken at import"),
        ("sglang/latin.py", "bound"),
    }


def nasty(depth, width):
    """Nested loops over literals, with tests that depend on each other."""
    lines = ["import flashinfer", "def f(a):", "    kw, x = {}, ()"]
    lines += [f"{'    ' * (level + 1)}for i{level} in {tuple(range(width))}:" for level in range(depth)]
    for number in range(width):
        indent = "    " * (depth + 1)
        lines += [
            f"{indent}if a.c{number}(i0) and hasattr(flashinfer, 'n{number}') or kw is x:",
            f"{indent}    kw['k{number}'] = i0",
            f"{indent}    x = (x, x)",
            f"{indent}elif a.d{number}:",
            f"{indent}    kw = {{'out': {number}, 'was': x}}",
        ]
    return "\n".join([*lines, "    flashinfer.core.run(a, **kw)", "    flashinfer.core.run(a, y=1)"])


@pytest.mark.parametrize(("depth", "width"), [(1, 24), (3, 8), (5, 12), (12, 24)])
def test_nested_loops_and_tests_end_soon(depth, width):
    start = time.perf_counter()
    facts = read_file(nasty(depth, width).encode(), "a/b.py", "a.b", config.load("sglang"))
    assert time.perf_counter() - start < 1
    assert len({use.line for use in facts.uses if use.kind == "call"}) == 2


def test_a_function_that_is_too_much_to_follow_is_told():
    call = "int(" * 30 + "a" + ")" * 30
    lines = [f"    b = version({call.replace('int', 'version')})", "    flashinfer.core.run(a, y=1)"]
    source = "\n".join(["import flashinfer", "def f(a):", *lines])
    facts = read_file(source.encode(), "a/b.py", "a.b", config.load("sglang"))
    (use,) = [use for use in facts.uses if use.kind == "call"]
    assert "too many branches" in use.doubt


def test_tests_and_benchmarks_are_left_out(releases, tmp_path):
    store, *_ = releases
    lay(
        tmp_path / "sglang",
        dict.fromkeys(("__init__", "a", "test.b", "test_c", "bench_d", "x.tests.e"), "import flashinfer"),
    )
    release = read_engine(open_path(tmp_path), config.load("sglang"), store=store)
    assert {use.file for use in release.uses} == {"sglang/__init__.py", "sglang/a.py"}


def test_a_copied_enum(releases, tmp_path):
    store, *_ = releases
    source = """
        from enum import IntEnum
        from flashinfer.core import plan
        class ActivationType(IntEnum):
            A = 0
            B = 1
        def f(x):
            plan(x, mode=ActivationType.B.value)
    """
    rules = config.load("sglang")
    lay(
        tmp_path / "sglang",
        {"__init__": "", "a": source, "b": "from .a import ActivationType\nx = ActivationType.A"},
    )
    release = read_engine(open_path(tmp_path), rules, store=store)
    mirrored = {use.member: use for use in release.uses if use.form == "mirror"}
    assert set(mirrored) == {("A", 0), ("B", 1)}
    assert mirrored["B", 1].used
    assert not mirrored["A", 0].used
    assert mirrored["A", 0].references == ("sglang/b.py:2",)
