import itertools

import pytest

from matrix.engines.conditions import (
    FALSE,
    TRUE,
    accepts,
    asked,
    consistent,
    decide,
    every,
    from_json,
    has,
    implied,
    negate,
    opaque,
    resolve,
    size,
    some,
    unfollowed,
)

A, B = has("flashinfer.a"), opaque("b")


@pytest.mark.parametrize("values", list(itertools.product([True, False, None], repeat=2)))
def test_three_values(values):
    known = dict(zip((A, B), values, strict=True))
    rank = {False: 0, None: 1, True: 2}
    assert rank[decide(every([A, B]), known.get)] == min(rank[value] for value in values)
    assert rank[decide(some([A, B]), known.get)] == max(rank[value] for value in values)
    assert rank[decide(negate(A), known.get)] == 2 - rank[values[0]]


def test_constants_duplicates_and_opposites_are_taken_out():
    assert every([A, TRUE, A]) == A
    assert some([A, negate(A)]) == TRUE
    assert every([A, negate(A)]) == FALSE
    assert negate(negate(A)) == A


def test_consistency_is_by_equal_texts():
    assert not consistent([A, negate(A)])
    assert not consistent([every([A, B]), negate(B)])
    assert not consistent([negate(A), negate(B), some([A, B])])
    assert consistent([A, negate(B), some([A, B])])


def test_own_functions_are_resolved_and_others_stay_open():
    probes = {"m:f": every([A, ("own", "m:g")]), "m:g": accepts("flashinfer.a", "k")}
    assert resolve(("own", "m:f"), probes.get) == every([A, accepts("flashinfer.a", "k")])
    assert resolve(("own", "m:x"), probes.get) == opaque("m:x")
    loop = {"m:f": ("own", "m:f")}
    assert resolve(("own", "m:f"), loop.get) == opaque("m:f")


def test_json_gives_back_the_same():
    import json

    condition = every([negate(A), some([B, accepts("x", "y")])])
    assert from_json(json.loads(json.dumps(condition))) == condition


def test_what_grows_too_large_is_one_part_that_stays_equal_to_itself():
    def grown(text):
        condition = opaque(text)
        for number in range(400):
            condition = every([some([condition, opaque(f"{text}{number}")]), opaque(f"c{number}")])
        return condition

    def about(text):
        return every(
            [has("flashinfer.a"), *(some([has(f"{text}{n}{m}") for m in range(20)]) for n in range(24))]
        )

    assert size(grown("a")) <= 500
    assert grown("a") == grown("a") != grown("b")
    assert about("a") == about("a") != about("b")
    assert unfollowed(about("a"))
    assert not unfollowed(grown("a"))


def test_what_holds_wherever_others_do():
    assert implied(A, [every([A, B])])
    assert implied(some([A, opaque("c")]), [A])
    assert not implied(A, [some([A, B])])
    assert unfollowed(every([B, negate(asked("q"))])) == "q"
