"""Traps: tests of FlashInfer's version, and questions that are not followed."""

GUARDED = ("guarded",)


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


GATES = [
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
    ("V.major == 0 and V.minor == 5", "V.major == 0 and V.minor == 6", "V = P(flashinfer.__version__)"),
    ("V.release[:2] == (0, 5)", "V.release[:2] != (0, 5)", "V = P(flashinfer.__version__)"),
    (
        'int(flashinfer.__version__.split(".")[2]) < 8',
        'int(flashinfer.__version__.split(".")[2]) >= 8',
        "",
    ),
    ('flashinfer.__version__.split(".")[1] == "5"', 'flashinfer.__version__.split(".")[1] == "6"', ""),
    (
        "(int(MAJOR), int(MINOR)) < (0, 6)",
        "(int(MAJOR), int(MINOR)) >= (0, 6)",
        r'MAJOR, MINOR = re.match(r"(\d+)\.(\d+)", flashinfer.__version__).groups()',
    ),
    (
        "int(FOUND.group(2)) == 5",
        "int(FOUND.group(2)) == 6",
        r'FOUND = re.search(r"^(\d+)\.(\d+)", flashinfer.__version__)',
    ),
    (
        'P(flashinfer.__version__.removeprefix("v")) < P("0.6.8")',
        'P(flashinfer.__version__.removeprefix("v")) >= P("0.6.8")',
        "",
    ),
    (
        'P(flashinfer.__version__.partition("rc")[0]) < P("0.6.8")',
        'P(flashinfer.__version__.partition("rc")[0]) >= P("0.6.8")',
        "",
    ),
    ('flashinfer.__version__ in ("0.6.6", "0.6.7")', 'flashinfer.__version__ not in ("0.6.6", "0.6.7")', ""),
    ('flashinfer.__version__.startswith("0.6.7")', 'flashinfer.__version__.startswith("0.6.9")', ""),
    (
        'ge(P("0.6.8"), P(flashinfer.__version__))',
        'operator.ge(P(flashinfer.__version__), P("0.6.8"))',
        "import operator\n        from operator import ge",
    ),
    (
        'TorchVersion(flashinfer.__version__) < TorchVersion("0.6.8")',
        'TorchVersion(flashinfer.__version__) >= TorchVersion("0.6.8")',
        "",
    ),
    (
        'LooseVersion(flashinfer.__version__) < LooseVersion("0.6.8")',
        'LooseVersion(flashinfer.__version__) >= LooseVersion("0.6.8")',
        "",
    ),
    (
        'P(P(flashinfer.__version__).base_version) < P("0.6.8")',
        'P(P(flashinfer.__version__).base_version) >= P("0.6.8")',
        "",
    ),
    (
        'found() is not None and P(found()) < P("0.6.8")',
        'found() is not None and P(found()) >= P("0.6.8")',
        """def found():
            try:
                return installed("flashinfer-python")
            except PackageNotFoundError:
                return None
        """,
    ),
]
QUESTIONS = [
    'flashinfer.__version__.endswith("7")',
    'flashinfer.__version__.split(".")[2] < "8"',
    "hasattr(flashinfer, name)",
    "sorted([flashinfer.__version__, name])[0] == name",
    "name in inspect.signature(run).parameters",
]
TRAPS = {
    "a version gate by an early return": {
        "quiet": """
            import flashinfer
            from packaging.version import Version
            def f(x):
                if Version(flashinfer.__version__) >= Version("0.6.8"):
                    return None
                return flashinfer.core.run(x, y=1)
        """,
        "loud": """
            import flashinfer
            from packaging.version import Version
            def f(x):
                if Version(flashinfer.__version__) >= Version("0.6.8"):
                    log("new")
                return flashinfer.core.run(x, y=1)
        """,
        "calm": GUARDED,
    },
    "a version gate in another file": {
        "quiet": {
            "gate": "import flashinfer\ndef below(v):\n    return Version(flashinfer.__version__) < Version(v)",
            "a": """
                from flashinfer.core import run
                from sglang.gate import below
                def f(x):
                    if below("0.6.8"):
                        run(x, y=1)
            """,
        },
        "loud": {
            "gate": "import flashinfer\ndef below(v):\n    return Version(v) < Version(v)",
            "a": """
                from flashinfer.core import run
                from sglang.gate import below
                def f(x):
                    if below("0.6.8"):
                        run(x, y=1)
            """,
        },
        "calm": ("not checkable",),
    },
    "keywords behind a question that is not followed": {
        "quiet": """
            import flashinfer
            def f(x):
                kw = {}
                if flashinfer.__version__.endswith("7"):
                    kw["y"] = 1
                flashinfer.core.run(x, **kw)
        """,
        "loud": """
            import flashinfer
            def f(x):
                kw = {"y": 1}
                if flashinfer.__version__.endswith("7"):
                    kw["scale"] = 1
                flashinfer.core.run(x, **kw)
        """,
        "calm": ("not checkable",),
    },
    "versions compared as texts": {
        "quiet": """
            import flashinfer
            from packaging.version import Version
            from flashinfer.core import run
            def f(x):
                if flashinfer.__version__ < "0.6.10":
                    run(x, y=1)
        """,
        "change": (
            'flashinfer.__version__ < "0.6.10"',
            'Version(flashinfer.__version__) < Version("0.6.10")',
        ),
        "calm": GUARDED,
    },
    "a version that is matched": {
        "quiet": """
            import flashinfer
            from flashinfer.core import run
            def f(x):
                match flashinfer.__version__:
                    case "0.6.7":
                        run(x, y=1)
        """,
        "change": ('"0.6.7"', "_"),
        "calm": GUARDED,
    },
    "a version gate kept in a class": {
        "quiet": """
            import flashinfer
            from packaging.version import Version
            class Has:
                y = Version(flashinfer.__version__) < Version("0.6.8")
            def f(x):
                if Has.y:
                    flashinfer.core.run(x, y=1)
        """,
        "change": ('"0.6.8"', '"0.7"'),
        "calm": GUARDED,
    },
    "an import chosen by the version": {
        "quiet": """
            import flashinfer
            from packaging.version import Version
            if Version(flashinfer.__version__) < Version("0.6.8"):
                from flashinfer.core import gone as call
            else:
                from flashinfer.core import run as call
            def f(x):
                return call(x, scale=1)
        """,
        "change": ("scale", "y"),
        "calm": GUARDED,
        "alarm": ("broken at call", "guarded"),
    },
}
TRAPS |= {
    f"version gate {number}": {
        "quiet": gated(test, before=before),
        "loud": gated(turned, before=before),
        "calm": GUARDED,
    }
    for number, (test, turned, before) in enumerate(GATES)
}
TRAPS |= {
    f"a question that is not followed {number}": {
        "quiet": gated(test),
        "loud": gated("name"),
        "calm": ("not checkable",),
    }
    for number, test in enumerate(QUESTIONS)
}


def test_trap(trap, verdicts):
    assert verdicts(trap.quiet, trap.engine) == trap.calm
    assert verdicts(trap.changed(), trap.engine) == trap.alarm
