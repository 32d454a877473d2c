from __future__ import annotations

from contextlib import suppress
from fnmatch import fnmatchcase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matrix.cells import axes as axes_module
from matrix.cells import covering, selection
from matrix.cells.cell import Cell
from matrix.errors import InputError

STEADY = settings(max_examples=60, deadline=None, derandomize=True, database=None)
AXES = axes_module.load()
PLACES = [("0.6.14", "lean"), ("0.6.8.post1", "lean@3.12"), ("none", "absent")]
KNOWN = {**AXES.values, "release": [p[0] for p in PLACES], "environment": [p[1] for p in PLACES]}
CELLS = [
    Cell(release=release, environment=environment, point=point)
    for release, environment in PLACES
    for point in covering.cover(AXES)
]


def selected(text):
    chosen = selection.parse(text, KNOWN)
    return [cell for cell in CELLS if chosen(cell)]


def value(cell, axis):
    return cell.to_json()[axis]


# A term, and what it means.
terms = st.sampled_from([(axis, value) for axis, values in KNOWN.items() for value in values]).map(
    lambda pair: (f"{pair[0]}={pair[1]}", lambda cell: value(cell, pair[0]) == pair[1])
) | st.sampled_from(CELLS).map(lambda one: (one.id, lambda cell: cell.id == one.id))


def joined(children):
    def both(word, test):
        return st.lists(children, min_size=2, max_size=3).map(
            lambda parts: (
                f" {word} ".join(f"({text})" for text, _ in parts),
                lambda cell: test(meaning(cell) for _, meaning in parts),
            )
        )

    negated = children.map(lambda part: (f"not ({part[0]})", lambda cell: not part[1](cell)))
    return both("and", all) | both("or", any) | negated


expressions = st.recursive(terms, joined, max_leaves=6)


@STEADY
@given(expressions)
def test_an_expression_selects_what_it_means(expression):
    text, meaning = expression
    assert selected(text) == [cell for cell in CELLS if meaning(cell)]


@STEADY
@given(terms, terms, terms)
def test_and_binds_closer_than_or_and_not_closest(one, two, three):
    assert selected(f"{one[0]} or {two[0]} and not {three[0]}") == [
        cell for cell in CELLS if one[1](cell) or (two[1](cell) and not three[1](cell))
    ]


@settings(STEADY, max_examples=300)
@given(
    st.lists(
        st.sampled_from(
            ["and", "or", "not", "(", ")", "role=draft", "release=none", "*", "0.6.*/lean/*", "x", "a=b"]
        )
        | st.text(max_size=6),
        max_size=8,
    ).map(" ".join)
)
def test_whatever_is_typed_is_a_selection_or_one_clear_error(text):
    with suppress(InputError):
        selection.parse(text, KNOWN)


@STEADY
@given(st.sampled_from(CELLS), st.integers(0, 90), st.integers(1, 20))
def test_a_glob_is_what_fnmatch_says(cell, start, length):
    glob = f"{cell.id[:start]}*{cell.id[start + length :]}"
    expected = [each for each in CELLS if fnmatchcase(each.id, glob) or fnmatchcase(each.point.id, glob)]
    assert selected(glob) == expected
    assert cell in expected


def test_nothing_selects_everything():
    assert selected("") == selected("  ") == CELLS


def test_a_place_need_not_be_named():
    point = AXES.must[0].id
    assert [cell.point.id for cell in selected(point)] == [point] * len(PLACES)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("role=draft and not role=draft", 0),
        ("profile=nemotron-*", sum(cell.point.profile.startswith("nemotron-") for cell in CELLS)),
        ("release=0.6.*", 2 * len(CELLS) // 3),
        ("environment=lean*", 2 * len(CELLS) // 3),
        ("[!0]*", len(CELLS)),  # every point's id starts with its backend
        ("none/*", len(CELLS) // 3),
    ],
)
def test_how_many(text, count):
    assert len(selected(text)) == count


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("activaton=relu2", "unknown axis 'activaton'.\n  Did you mean activation?"),
        ("activation=rellu2", "Did you mean relu2"),
        ("activation=", "unknown value of axis activation ''"),
        ("=relu2", "unknown axis ''"),
        ("activation=xyz*", "unknown value of axis activation 'xyz*'"),
        ("release=0.6.15", "Did you mean 0.6.14"),
        ("environment=len", "Did you mean lean"),
        ("relu2", "'relu2' is neither axis=value nor a cell id"),
        ("and", "a term is missing before 'and'"),
        ("role=draft and", "a term is missing at its end"),
        ("not", "a term is missing at its end"),
        ("role=draft or or role=target", "a term is missing before 'or'"),
        ("(role=draft", "a ')' is missing"),
        ("role=draft)", "')' is one word too many"),
        ("()", "a term is missing before ')'"),
        ("role=draft role=target", "'role=target' is one word too many"),
        ("a/b", "'a/b' is not a cell"),
        (CELLS[0].id.replace("fp32", "fp33"), "unknown value of axis bias 'fp33'.\n  Did you mean fp32"),
        (
            CELLS[0].id.replace("0.6.14", "0.6.15"),
            "unknown value of axis release '0.6.15'.\n  Did you mean 0.6.14",
        ),
        (
            CELLS[0].id.replace("lean", "leen"),
            "unknown value of axis environment 'leen'.\n  Did you mean lean",
        ),
    ],
)
def test_a_mistake_is_one_clear_error(text, message):
    with pytest.raises(InputError) as caught:
        selection.parse(text, KNOWN)
    assert message in str(caught.value)
    assert f"'{text}'" in str(caught.value)
