"""Random pairs of signatures: what is found is true under real binding, and what real binding shows is found."""

import inspect
import itertools

from hypothesis import example, given, settings
from hypothesis import strategies as st

from matrix.surface.calls import Call, bind, land
from matrix.surface.classes import Severity
from matrix.surface.diff import diff

STEADY = settings(max_examples=400, deadline=None, derandomize=True, database=None)
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
def test_a_call_lands_where_it_really_does(made, old, new):
    before, after = shape(old), shape(new)
    rows = made({"m": f"def f({old}): ..."}).function("m:f")["parameters"]
    for call in itertools.islice(calls(before, after), 40):
        mine, real = land(rows, call), bind(before, call)
        assert mine == real or (isinstance(mine, str) and isinstance(real, str))
