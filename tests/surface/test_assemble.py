"""What a few lines of source come to: ways of exporting, conditions, enums, defaults, constructors."""

import pytest

FUNCTION = "def f(a, /, b, *args, c=1, d: int = 2, **more) -> int: ...\n"


def rows(surface, path):
    return surface.function(surface.qualname(path))["parameters"]


WAYS = {
    "imported as itself": ("m.f", "from .a import f as f"),
    "imported": ("m.f", "from .a import f"),
    "an attribute of a module": ("m.f", "from . import a\nf = a.f"),
    "another name": ("m.g", "from .a import f\ng = f"),
    "a star": ("m.f", "from .a import *"),
    "listed": ("m.f", "from m.a import f\n__all__ = ['f']"),
    "an attribute of a renamed module": ("m.f", "import m.a as inner\nf = inner.f"),
    "tried": ("m.f", "try:\n    from .a import f\nexcept ImportError:\n    f = None"),
    "suppressed": ("m.f", "import contextlib\nwith contextlib.suppress(ImportError):\n    from .a import f"),
    "a table of modules": (
        "m.f",
        """
import importlib
_T = {'f': '.a'}
def __getattr__(name):
    return getattr(importlib.import_module(_T[name], __name__), name)
""",
    ),
    "a table of modules and names": (
        "m.g",
        """
import importlib
_T = {'g': ('.a', 'f')}
def __getattr__(name):
    if name in _T:
        module, attribute = _T[name]
        return getattr(importlib.import_module(module, __name__), attribute)
""",
    ),
    "a set of names": (
        "m.f",
        """
_L = frozenset({'f'})
def __getattr__(name):
    if name not in _L:
        raise AttributeError(name)
    from . import a as _a
    return getattr(_a, name)
""",
    ),
    "one old name": (
        "m.old",
        """
def __getattr__(name):
    if name == 'old':
        from .a import f
        return f
    raise AttributeError(name)
""",
    ),
    "everything of a module": (
        "m.f",
        """
from importlib import import_module
def __getattr__(name):
    return getattr(import_module('m.a'), name)
""",
    ),
    "a module in its place": (
        "m.f",
        """
from importlib import import_module
import sys
sys.modules[__name__] = import_module('m.a')
""",
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_ways_of_exporting(made, way):
    path, package = WAYS[way]
    surface = made({"m": package, "m.a": FUNCTION})
    assert surface.qualname(path) == "m.a:f"
    assert [row[0] for row in rows(surface, path)] == ["a", "b", "args", "c", "d", "more"]


def test_kinds_defaults_and_annotations(made):
    surface = made({"m": FUNCTION})
    entry = surface.function("m:f")
    assert entry["parameters"] == [
        ["a", "POSITIONAL_ONLY", None],
        ["b", "POSITIONAL_OR_KEYWORD", None],
        ["args", "VAR_POSITIONAL", None],
        ["c", "KEYWORD_ONLY", "1"],
        ["d", "KEYWORD_ONLY", "2"],
        ["more", "VAR_KEYWORD", None],
    ]
    assert (entry["annotations"], entry["returns"], entry["line"]) == ({"d": "int"}, "int", 1)


def test_private_names_are_apart(made):
    surface = made(
        {"m": "def _f(a): ...\ndef g(): ...\nfrom ._b import h as h", "m._b": "def h(): ...\ndef i(): ..."}
    )
    document = surface.to_json()
    assert set(document["paths"]) == {"m.g", "m.h"}
    assert surface.qualname("m._f") == "m:_f"
    assert set(surface.to_json(private=True)["functions"]) == {"m:_f", "m:g", "m._b:h", "m._b:i"}


def test_type_checking_imports_are_not_there(made):
    source = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .a import f\nelse:\n    from .a import g"
    surface = made({"m": source, "m.a": "def f(): ...\ndef g(): ..."})
    assert surface.qualname("m.f") is None
    assert surface.qualname("m.g") == "m.a:g"


def test_function_named_as_its_module(made):
    surface = made({"m": "from .xqa import xqa as xqa", "m.xqa": "def xqa(q): ..."})
    assert surface.qualname("m.xqa") == "m.xqa:xqa"


def test_conditions_name_the_package(made):
    surface = made(
        {
            "m": "import contextlib\nimport torch\nwith contextlib.suppress(ImportError):\n    from .a import f\n"
            "from .c import available\nif available():\n    def k(): ...",
            "m.a": "from .b import f as f",
            "m.b": "import cutlass.cute\nimport torch\ndef f(): ...",
            "m.c": "from importlib.util import find_spec\ndef available():\n    return bool(find_spec('cutlass'))",
        }
    )
    assert surface.modules["m.a"]["needs"] == ["cutlass"]
    assert surface.modules["m"]["requires"] == ["torch"]
    condition = surface.conditional("m.f")
    assert condition["needs"] == ["cutlass"]
    assert condition["line"] == 3
    assert surface.conditional("m.k")["needs"] == ["cutlass"]
    assert surface.conditional("m.available") is None


def test_import_that_is_raised_again_is_no_condition(made):
    source = "try:\n    import cuda\nexcept ImportError as e:\n    raise ImportError('no cuda') from e\ndef f(): ..."
    surface = made({"m": "", "m.a": source})
    assert surface.modules["m.a"]["needs"] == ["cuda"]


def test_name_with_a_fallback_is_always_there(made):
    source = "try:\n    from .a import f\nexcept ImportError:\n    def f(x): ..."
    surface = made({"m": source, "m.a": "import cutlass\ndef f(a): ..."})
    assert surface.qualname("m.f") == "m.a:f"
    assert surface.conditional("m.f") is None


def test_enums(made):
    source = (
        "import enum\nfrom enum import Enum, IntEnum, auto\nBASE = 4\n"
        "class A(IntEnum):\n    X = (0,)\n    Y = BASE\n    Z = Y + 1\n    def f(self): ...\n"
        "class B(enum.Flag):\n    P = auto()\n    Q = auto()\n    R = P | Q\n"
        "class C(str, Enum):\n    S = 'text'\n"
        "class D(Enum):\n    T = object()\n    U = 1\n"
        "class E(IntEnum):\n    V = 1, 2\n    def __new__(cls, a, b): ...\n"
        "F = Enum('F', ['one', 'two'], start=0)\n"
        "class G(A): ...\n"
        "def f(x=A.Y, y=A.Z.value, z=BASE): ...\n"
    )
    surface = made({"m": source})
    assert surface.enum("m:A") == {"X": 0, "Y": 4, "Z": 5}
    assert surface.enum("m:B") == {"P": 1, "Q": 2, "R": 3}
    assert surface.enum("m:C") == {"S": "text"}
    assert surface.enum("m:D") == {"T": None, "U": 1}
    assert surface.enum("m:E") == {"V": None}
    assert surface.enum("m:F") == {"one": 0, "two": 1}
    assert surface.cls("m:A")["lines"] == {"X": 5, "Y": 6, "Z": 7}
    assert surface.function("m:f")["resolved"] == {"x": "4", "y": "5", "z": "4"}


def test_constructors(made):
    source = (
        "from dataclasses import dataclass, field, KW_ONLY\nfrom typing import ClassVar, NamedTuple\n"
        "@dataclass\nclass A:\n    a: int\n    skip: ClassVar[int] = 1\n    b: list = field(default_factory=list)\n"
        "    c: int = field(default=3, kw_only=True)\n    d: int = field(init=False, default=4)\n"
        "@dataclass(kw_only=True)\nclass B(A):\n    e: int = 5\n"
        "class C(NamedTuple):\n    x: int\n    y: int = 2\n"
        "class D(B):\n    def __new__(cls, z): ...\n"
        "class E:\n    def run(self): ...\n    forward = run\n    alias = staticmethod(A.made)\n"
    )
    surface = made({"m": source.replace("    a: int\n", "    def made(q): ...\n    a: int\n")})

    def made_by(name):
        return [row[0] for row in surface.function(surface.constructor(f"m:{name}"))["parameters"]]

    assert made_by("A") == ["self", "a", "b", "c"]
    assert made_by("B") == ["self", "a", "b", "c", "e"]
    assert made_by("C") == ["cls", "x", "y"]
    assert made_by("D") == ["cls", "z"]
    assert surface.qualname("m.E.forward") == "m:E.run"
    assert surface.qualname("m.E.alias") == "m:A.made"


def test_file_that_is_no_python_is_said(made):
    surface = made({"m": "", "m.broken": "def f(:\n"})
    assert surface.modules["m.broken"]["error"].startswith("SyntaxError")


def test_overloads_are_not_the_function(made):
    source = "from typing import overload\n@overload\ndef f(a: int): ...\ndef f(a, b=None): ..."
    assert [row[0] for row in made({"m": source}).function("m:f")["parameters"]] == ["a", "b"]
