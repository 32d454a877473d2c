import inspect

import pytest

from matrix.engines.binding import bind, shifted


def parameters(source):
    signature = inspect.signature(eval(f"lambda {source}: None"))
    return [
        (p.name, p.kind.name, None if p.default is p.empty else repr(p.default))
        for p in signature.parameters.values()
    ]


SIGNATURES = ["a, b=1", "a, /, b, *, c", "*args, k=1", "a, b, **more", "", "a, b=1, /, *rest, c=2, **more"]
CALLS = [(count, names) for count in range(4) for names in ([], ["a"], ["b"], ["c"], ["a", "b"], ["k", "z"])]


@pytest.mark.parametrize("source", SIGNATURES)
def test_agrees_with_python(source):
    function = eval(f"lambda {source}: None")
    for count, names in CALLS:
        try:
            function(*[0] * count, **dict.fromkeys(names, 0))
            fits = True
        except TypeError:
            fits = False
        found = bind(parameters(source), count, names, maybe=[], partly=False)
        assert (not found) == fits, (source, count, names, found)


def test_what_cannot_be_seen_may_be_the_required_argument():
    assert not bind(parameters("a, b"), 1, [], maybe=[], partly=True)
    assert bind(parameters("a, b"), 1, [], maybe=[], partly=False)
    assert not bind(parameters("a, b"), 1, [], maybe=["b"], partly=False)


@pytest.mark.parametrize(
    ("before", "after", "positional", "expected"),
    [
        ("a, b, c", "a, n, b, c", 3, [(1, "b", "n"), (2, "c", "b")]),
        ("a, b, c", "a, n, b, c", 1, []),
        ("a, b", "a, renamed", 2, []),
        ("a, b, c", "a, c", 2, [(1, "b", "c")]),
        ("a, b", "b, a", 2, [(0, "a", "b"), (1, "b", "a")]),
    ],
)
def test_shifts(before, after, positional, expected):
    assert shifted(parameters(before), parameters(after), positional) == expected
