"""The search, with releases that answer what a table says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matrix.errors import Exit, InputError
from matrix.run import bisect
from matrix.run.bisect import Step
from matrix.verdicts import Verdict

RELEASES = [f"0.6.{number}" for number in range(12)]
LETTERS = {
    "P": Verdict.PASS,
    "F": Verdict.FALLBACK,
    "U": Verdict.UNSUPPORTED,
    "A": Verdict.FAIL_API,
    "I": Verdict.IMPORT_ERROR,
    "N": Verdict.NOT_RUN,
    "X": Verdict.INSTALL_ERROR,
}


def search(word, *, good_first=True):
    releases = RELEASES[: len(word)]
    asked, told = [], []

    def ask(release):
        asked.append(release)
        return Step(
            release=release, verdict=LETTERS[word[releases.index(release)]], stage="bind", reason="so"
        )

    found = bisect.search(releases, releases[0 if good_first else -1], ask, told.append)
    assert len(set(asked)) == len(asked)
    assert [step.release for step in found.steps] == asked
    assert told
    return found.before.release, found.after.release, [step.release for step in found.between], found


@pytest.mark.parametrize(
    ("word", "before", "after"),
    [("PPPPPPAAAAAA", "0.6.5", "0.6.6"), ("PA", "0.6.0", "0.6.1"), ("PFFFA", "0.6.0", "0.6.1")],
)
def test_what_broke(word, before, after):
    found = search(word)
    assert found[:3] == (before, after, [])
    assert found[3].exact
    assert found[3].broke


def test_what_was_mended():
    found = search("AAIAAAPPPPPP", good_first=False)
    assert found[:3] == ("0.6.5", "0.6.6", [])
    assert not found[3].broke


def test_few_are_asked():
    assert len(search("PPPPPPPPPPPA")[3].steps) <= 6


def test_another_failure_counts_as_bad_and_a_better_verdict_as_good():
    assert search("FFPFFFIAAAAA")[:2] == ("0.6.5", "0.6.6")


def test_releases_that_cannot_answer_are_skipped():
    assert search("PNPXPPAANAAA")[:3] == ("0.6.5", "0.6.6", [])
    found = search("PPPPPNNAAAAA")
    assert found[:3] == ("0.6.4", "0.6.7", ["0.6.5", "0.6.6"])
    assert not found[3].exact
    assert search("PNNA")[2] == ["0.6.1", "0.6.2"]


def test_an_installation_that_fails_is_a_verdict_where_the_bad_end_fails_so():
    assert search("PPPXXXXX")[:3] == ("0.6.2", "0.6.3", [])


@given(st.integers(1, 11), st.text("PN", min_size=11, max_size=11), st.booleans())
def test_every_change_is_found(place, noise, good_first):
    """Whatever cannot answer: the two sides are told, nothing answers between them, and no side is missed."""
    letters = ["P" if number < place else "A" for number in range(12)]
    mixed = [letters[0]] + ["N" if n == "N" else c for n, c in zip(noise, letters[1:-1], strict=False)]
    word = "".join([*mixed, "A"])
    if not good_first:
        word = word.replace("A", "x").replace("P", "A").replace("x", "P")
    before, after, between, _ = search(word, good_first=good_first)
    low, high = RELEASES.index(before), RELEASES.index(after)
    assert word[low] != word[high]
    assert set(word[low + 1 : high]) <= {"N"}
    assert between == RELEASES[low + 1 : high]
    assert low < place <= high


@pytest.mark.parametrize(
    ("word", "error", "code", "text"),
    [
        ("APA", InputError, Exit.BAD_INPUT, "--good 0.6.0 is not good: FAIL_API at bind: so"),
        ("PAP", InputError, Exit.BAD_INPUT, "--bad 0.6.2 is as good as --good 0.6.0: PASS"),
        ("FAP", InputError, Exit.BAD_INPUT, "Exchange --good and --bad"),
        ("NPA", bisect.NoAnswerError, Exit.INCOMPLETE, "--good 0.6.0  NOT_RUN at bind: so"),
        ("XPA", bisect.NoAnswerError, Exit.INCOMPLETE, "INSTALL_ERROR"),
        ("PPN", bisect.NoAnswerError, Exit.INCOMPLETE, "--bad 0.6.2  NOT_RUN at bind: so"),
    ],
)
def test_the_ends_are_looked_at_first(word, error, code, text):
    with pytest.raises(error) as raised:
        search(word)
    assert raised.value.exit_code is code
    assert text in str(raised.value)


def test_the_releases_between_two():
    published = ["0.6.9", "0.6.10", "0.6.11", "0.7.0"]
    assert bisect.between(published, "0.7.0", "0.6.9") == published
    assert bisect.between(published, "0.6.10rc1", "0.6.11") == ["0.6.10rc1", "0.6.10", "0.6.11"]
    with pytest.raises(InputError, match=r"both 0\.7\.0"):
        bisect.between(published, "0.7.0", "0.7.0")
