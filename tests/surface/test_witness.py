"""Random pairs of signatures: what is found is true under real binding, and what real binding shows is found."""

import enum
import importlib
import inspect
import itertools
import types
from dataclasses import replace

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from matrix.surface.calls import RAISES, Call, bind, land
from matrix.surface.classes import Severity
from matrix.surface.diff import diff
from matrix.surface.proofs import WITNESSES
from matrix.surface.report import block, markdown, text

STEADY = settings(max_examples=800, deadline=None, derandomize=True, database=None)
NAMES = "abcdef"
MORE = "one_more"
BOUND = ("given", "keyword", "positional", "omit")


@st.composite
def signatures(draw):
    """The text of a `def` statement's parameters, three named ones at most."""
    names = draw(st.lists(st.sampled_from(NAMES), max_size=3, unique=True))
    slots = draw(st.integers(0, len(names)))
    only = draw(st.integers(0, slots)) if draw(st.booleans()) else 0
    first_default = draw(st.integers(0, slots))
    words = [
        name if place < first_default else f"{name}={draw(st.integers(1, 2))}"
        for place, name in enumerate(names[:slots])
    ]
    if only:
        words.insert(only, "/")
    star = draw(st.booleans())
    if star or slots < len(names):
        words.append("*rest" if star else "*")
    words += [draw(st.sampled_from([name, f"{name}=1", f"{name}=2"])) for name in names[slots:]]
    return ", ".join([*words, *(["**kw"] if draw(st.booleans()) else [])])


def shape(text):
    scope = {}
    exec(f"def f({text}): ...", scope)
    return inspect.signature(scope["f"])


def calls(before, after):
    """Every call of few positional values and keywords; no keyword that is a positional-only name to either."""
    barred = {
        p.name for side in (before, after) for p in side.parameters.values() if p.kind is p.POSITIONAL_ONLY
    }
    names = [name for name in NAMES if name not in barred and name in {*before.parameters, *after.parameters}]
    slots = [p.name for p in before.parameters.values() if p.kind <= p.POSITIONAL_OR_KEYWORD]
    for count in range(len(slots) + 2):
        args = [*slots, MORE][:count]
        for size in range(len(names) + 1):
            for chosen in itertools.combinations(names, size):
                if not set(chosen) & set(args):
                    yield Call(args=args, kwargs={name: name for name in chosen})


def becomes(before, after, call):
    """What a call that binds does after, told without the code under test."""
    was, now = bind(before, call), bind(after, call)
    if isinstance(was, str):
        return None
    if isinstance(now, str):
        return Severity.BREAKING
    for value, name in was.items():
        there = now[value]
        if name == there or there.startswith("*"):
            continue  # swallowed is a warning
        if name.startswith("*"):
            if name.startswith("**") and there == value:
                continue
            return Severity.SILENT
        if name in after.parameters or there in before.parameters:
            return Severity.SILENT
    return None


def found(made, old, new):
    return diff(made({"m": f"def f({old}): ..."}), made({"m": f"def f({new}): ..."}))


def check(made, old, new):
    before, after = shape(old), shape(new)
    findings = found(made, old, new)
    for one in findings:
        if one.kind.witness in BOUND:
            call = Call(args=one.witness.run["args"], kwargs=one.witness.run["kwargs"])
            assert not isinstance(bind(before, call), str)
            raises = isinstance(bind(after, call), str)
            assert raises == (one.kind.severity is Severity.BREAKING), one
            assert raises or bind(after, call) != bind(before, call)
        elif one.kind.witness == "default":
            call = Call(args=one.witness.run["args"], kwargs=one.witness.run["kwargs"])
            for side in (before, after):
                assert one.name not in bind(side, call).values()
            assert before.parameters[one.name].default != after.parameters[one.name].default
            assert one.kind.severity is Severity.SILENT
    worst = min((one.kind.severity.rank for one in findings), default=Severity.NOTE.rank)
    for call in calls(before, after):
        bad = becomes(before, after, call)
        assert bad is None or worst <= bad.rank, (call.text("f"), bad)


@STEADY
@given(signatures(), signatures())
@example("d, /", "f, /")
@example("f, e, /, d, c", "e, /, d, c")
@example("a, b, /", "b, a, /")
@example("a, *, d=1, **kw", "a, **kw")
@example("b=1, c=1, *, a", "b, c=2, *, a")
@example("a, /, **kw", "a, **kw")
@example("*rest, **kw", "a=1, *rest, **kw")
def test_findings_are_true_and_none_is_missed(made, old, new):
    check(made, old, new)


@STEADY
@given(signatures(), signatures())
def test_a_call_lands_where_it_really_does(made, old, new):
    before, after = shape(old), shape(new)
    rows = made({"m": f"def f({old}): ..."}).function("m:f")["parameters"]
    for call in itertools.islice(calls(before, after), 40):
        mine, real = land(rows, call), bind(before, call)
        assert mine == real or (isinstance(mine, str) and isinstance(real, str))


CLASS = "class B:\n    def i(self): ...\n{}    def k(self): ...\n"
ENUM = "from enum import IntEnum\nclass E(IntEnum):\n    V = {}\n    def __new__(cls, a, b): ...\n"
TRIED = "try:\n    import cutlass\n    def f(a): ...\nexcept ImportError:\n    def f(a{}): ...\n"
CASES = {
    "a method of a class with a base": (
        CLASS.format("class C(B):\n    def gone(self): ...\n"),
        CLASS.format("class C(B):\n"),
        ("breaking", "m.C.gone", "AttributeError: no attribute 'gone'"),
    ),
    "a property of an exception": (
        "class C(ValueError):\n    @property\n    def gone(self): ...",
        "class C(ValueError): ...",
        ("breaking", "m.C.gone", "AttributeError: no attribute 'gone'"),
    ),
    "a method that an outside base may have": (
        "import torch\nclass C(torch.nn.Module):\n    def forward(self): ...",
        "import torch\nclass C(torch.nn.Module): ...",
        (
            "warning",
            "m.C.forward",
            "AttributeError: no attribute 'forward', unless torch.nn.Module brings it",
        ),
    ),
    "a parameter of a method": (
        "class X:\n    def run(self, q, kv=1): ...",
        "class X:\n    def run(self, q): ...",
        ("breaking", "m.X(...).run(kv=kv, q=q)", "TypeError: got an unexpected keyword argument 'kv'"),
    ),
    "a call of an instance": (
        "class X:\n    def __call__(self, q, kv=1): ...",
        "class X:\n    def __call__(self, q): ...",
        ("breaking", "m.X(...)(kv=kv, q=q)", "TypeError: got an unexpected keyword argument 'kv'"),
    ),
    "a static method that wants an instance": (
        "class X:\n    @staticmethod\n    def s(a): ...",
        "class X:\n    def s(self, a): ...",
        ("breaking", "m.X.s(a)", "TypeError: missing a required argument: 'a'"),
    ),
    "a method made a property": (
        "class X:\n    def p(self): ...",
        "class X:\n    @property\n    def p(self): ...",
        ("silent", "callable(m.X.p)", "False"),
    ),
    "a method of a class in a class": (
        "class A:\n    class B:\n        def f(self, a, b=1): ...",
        "class A:\n    class B:\n        def f(self, a): ...",
        ("breaking", "m.A.B(...).f(b=b, a=a)", "TypeError: got an unexpected keyword argument 'b'"),
    ),
    "a class in a class": (
        "class A:\n    class B: ...",
        "class A: ...",
        ("breaking", "m.A.B", "AttributeError: no attribute 'B'"),
    ),
    "a base": (
        "class D: ...\nclass E(D): ...",
        "class D: ...\nclass E: ...",
        ("silent", "issubclass(m.E, m.D)", "False"),
    ),
    "a function made a number": (
        "def f(a): ...",
        "f = 3",
        ("breaking", "m.f(a)", "TypeError: 'int' object is not callable"),
    ),
    "a function made a class of the same call": (
        "def f(a): ...",
        "class f:\n    def __init__(self, a): ...",
        ("silent", "inspect.isclass(m.f)", "True"),
    ),
    "a function made a class of another call": (
        "def f(a): ...",
        "class f:\n    def __init__(self): ...",
        ("breaking", "m.f(a)", "TypeError: too many positional arguments"),
    ),
    "a function made a partial": (
        "def f(a): ...",
        "from functools import partial\nf = partial(g, 1)",
        ("silent", "inspect.isfunction(m.f)", "False"),
    ),
    "an enum made a class": (
        "from enum import Enum\nclass E(Enum):\n    A = 1",
        "class E:\n    A = 1",
        ("breaking", "list(m.E)", "TypeError: 'type' object is not iterable"),
    ),
    "a lambda": (
        "f = lambda a, b: a",
        "f = lambda a: a",
        ("breaking", "m.f(b=b, a=a)", "TypeError: got an unexpected keyword argument 'b'"),
    ),
    "a member whose value the class works out": (
        ENUM.format("1, 2"),
        ENUM.format("1, 3"),
        ("silent", "m.E.V.value", "made of (1, 3)"),
    ),
    "a function for the case that a package is missing": (
        TRIED.format(""),
        TRIED.format(", b"),
        ("breaking", "m.f(a=a)", "TypeError: missing a required argument: 'b'"),
    ),
    "several new required parameters": (
        "def f(a): ...",
        "def f(a, *, b): ...\ndef g(c): ...",
        ("breaking", "m.f(a=a)", "TypeError: missing a required argument: 'b'"),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_change_is_shown_by_what_callers_do(made, name):
    old, new, expected = CASES[name]
    findings = [one for one in diff(made({"m": old}), made({"m": new})) if one.witness]
    shown = [(one.kind.severity.value, one.witness.text, one.witness.after) for one in findings]
    assert shown == [expected]


KINDS = {
    "function": "def f(a=0): ...",
    "class": "class f:\n    def __init__(self, a=0): ...",
    "enum": "import enum\nclass f(enum.Enum):\n    A = 0",
    "constant": "f = 3",
    "partial": "import functools\nf = functools.partial(print, 1)",
}


@pytest.mark.parametrize(
    ("old", "new"),
    [pair for pair in itertools.permutations(KINDS, 2) if pair[0] in ("function", "class", "enum")],
)
def test_what_is_said_of_another_kind_is_so(made, old, new):
    findings = diff(made({"m": KINDS[old]}), made({"m": KINDS[new]}))
    one = next(one for one in findings if one.kind.id == "symbol-kind-changed")
    answers = []
    for kind in (old, new):
        module = types.ModuleType("m")
        exec(KINDS[kind], vars(module))
        try:
            answers.append(
                str(eval(one.witness.text, {"m": module, "inspect": inspect, "enum": enum, "a": 0}))
            )
        except TypeError as error:
            answers.append(f"TypeError: {error}")
    assert not answers[0].startswith("TypeError")
    assert answers[1].startswith("TypeError") == (one.kind.severity is Severity.BREAKING)
    assert answers[0] != answers[1]
    if one.witness.before in {"True", "False"}:
        assert answers[0] == one.witness.before
    assert answers[1].partition(" arg ")[0] == one.witness.after.partition(" arg ")[0]


def test_a_module_that_is_gone_is_not_found(made):
    findings = diff(made({"m": "", "m.a": "", "m.a.b": "def f(a): ..."}), made({"m": ""}))
    assert {one.witness.text: one.witness.after for one in findings} == {
        "import m.a": "ModuleNotFoundError: No module named 'm.a'",
        "import m.a.b": "ModuleNotFoundError: No module named 'm.a'",
        "from m.a.b import f": "ModuleNotFoundError: No module named 'm.a'",
    }


def test_what_keywords_swallow_is_a_warning(made):
    one, *others = [one for one in found(made, "a, b=None", "a, *old, **kw") if one.witness]
    assert not others
    assert (one.kind.severity.value, one.message) == (
        "warning",
        "parameter 'b' is gone: **kw takes the value for 'b'",
    )
    assert [one.message for one in found(made, "a", "a, *args")] == [
        "new '*args', which takes further positional arguments"
    ]


def test_nothing_is_breaking_without_a_witness_that_raises(made):
    (one,) = [one for one in found(made, "a, b=1", "a") if one.witness]
    with pytest.raises(ValueError, match="without a witness that raises"):
        replace(one, witness=replace(one.witness, effect="differs"))


def test_a_long_call_keeps_what_matters_in_view(made):
    names = [f"a_long_parameter_name_{number}" for number in range(12)]
    before = made({"m": f"def f({', '.join(names)}, last): ..."})
    after = made({"m": f"def f({', '.join(names)}, new=None, *, last): ..."})
    table = markdown("1", "2", diff(before, after), deep=True, notes=True)
    assert all("last" in line.partition("m.f(")[2] for line in table.splitlines() if "m.f(" in line)
    assert "m.f(a_long_parameter_name_0, " in table
    assert ", ..., " in table


def test_headline_says_how_many_are_shown(made):
    sources = {
        "m": "",
        "m.a": "",
        "m.a.b": "",
        "m.a.b.c": "def f(a): ...\ndef g(a): ...",
        "n": "def f(a): ...",
    }
    findings = diff(made(sources), made({**sources, "m.a.b.c": "", "n": "def f(): ..."}))
    assert text("1", "2", findings, deep=False, notes=False)[0] == "1 -> 2: 1 breaking (of 3 with long paths)"
    assert text("1", "2", findings, deep=True, notes=True)[0] == "1 -> 2: 3 breaking"
    document = block("1", "2", findings)
    assert (document["counts"], document["shown"]) == ({"breaking": 3}, {"breaking": 1})


def run_property(made):
    settings(STEADY, phases=[Phase.explicit, Phase.generate])(
        given(signatures(), signatures())(lambda old, new: check(made, old, new))
    )()


@pytest.mark.parametrize(
    ("where", "name", "spoilt"),
    [
        ("diff", "_missed", lambda *_: []),
        ("witness", "positional", lambda *_: None),
        ("calls", "SWALLOWED", RAISES),
        ("diff", "effect", lambda *_: None),
    ],
)
def test_the_property_sees_a_spoilt_part(made, monkeypatch, where, name, spoilt):
    module = importlib.import_module(f"matrix.surface.{where}")
    monkeypatch.setattr(module, name, spoilt)
    if name == "positional":
        monkeypatch.setitem(WITNESSES, name, spoilt)
        monkeypatch.setattr("matrix.surface.diff._missed", lambda *_: [])
    with pytest.raises((AssertionError, ValueError)):
        run_property(made)
