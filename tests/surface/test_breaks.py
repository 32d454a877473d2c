"""Every break class against its own example pair, and the file that defines them against spoilt copies."""

import textwrap
from pathlib import Path

import pytest

from matrix.errors import InputError
from matrix.surface.classes import BUILT_IN, Severity, break_classes, read
from matrix.surface.diff import diff
from matrix.surface.proofs import WITNESSES
from matrix.surface.subjects import FACTS

CLASSES = {one.id: one for one in break_classes()}


@pytest.mark.parametrize("name", CLASSES)
def test_example_pair_shows_the_class(made, name):
    one = CLASSES[name]
    found = diff(made(one.before), made(one.after))
    assert name in {finding.kind.id for finding in found}
    finding = next(finding for finding in found if finding.kind.id == name)
    assert (finding.witness is None) == (one.witness == "none")
    assert "{" not in finding.message


@pytest.mark.parametrize("name", CLASSES)
def test_nothing_is_found_where_nothing_changed(made, name):
    one = CLASSES[name]
    assert diff(made(one.before), made(one.before)) == []
    assert diff(made(one.after), made(one.after)) == []


@pytest.mark.parametrize("name", [name for name, one in CLASSES.items() if one.severity is not Severity.NOTE])
def test_without_the_class_its_example_shows_less(made, name):
    one = CLASSES[name]
    rest = [other for other in break_classes() if other.id != name]
    assert name not in {finding.kind.id for finding in diff(made(one.before), made(one.after), classes=rest)}


def test_a_class_is_one_entry(made, tmp_path):
    """A new class over facts that exist needs nothing but its entry."""
    path = tmp_path / "breaks.toml"
    path.write_text(
        '[[class]]\nid = "lost-the-stream"\nsubject = "parameter"\nseverity = "note"\nwhen = ["removed"]\n'
        'witness = "given"\nmessage = "no {name}"\nmeaning = "m"\nremedy = "r"\nbefore = {}\nafter = {}\n'
    )
    found = diff(made({"m": "def f(a, stream=0): ..."}), made({"m": "def f(a): ..."}), classes=read(path))
    assert [(one.kind.id, one.message) for one in found] == [("lost-the-stream", "no stream")]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('subject = "module"', 'subject = "modul"', "Did you mean module"),
        ('when = ["gone"]', 'when = ["gon"]', "unknown fact 'gon'"),
        ('severity = "silent"', 'severity = "quiet"', "unknown severity 'quiet'"),
        ('witness = "import"', 'witness = "imports"', "Did you mean import"),
        ('remedy = "Pass them by keyword."', "", "'remedy' is missing"),
        ('id = "removed-symbol"', 'id = "module-gone"', "stands there twice"),
        ('remedy = "Pass them by keyword."', 'remedi = "x"', "Did you mean remedy"),
    ],
)
def test_spoilt_file_is_refused_with_the_nearest_name(tmp_path, old, new, says):
    path = tmp_path / "breaks.toml"
    text = BUILT_IN.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=r"breaks\.toml") as refused:
        read(path)
    assert says in str(refused.value)


def test_the_how_to_names_every_fact_and_its_entry_works(made, tmp_path):
    text = (Path(__file__).parents[2] / "docs" / "how-to" / "add-a-break-class.md").read_text()
    for subject, facts in FACTS.items():
        row = next(line for line in text.splitlines() if line.strip().startswith(f"| `{subject}` |"))
        assert {f"`{fact}`" for fact in facts} <= set(row.replace(",", " ").split())
    for witness in WITNESSES:
        assert f"`{witness}`" in text
    path = tmp_path / "breaks.toml"
    path.write_text(textwrap.dedent(text.partition("```toml\n")[2].partition("   ```")[0]))
    (one,) = read(path)
    found = diff(made(one.before), made(one.after), classes=[one])
    assert [finding.message for finding in found] == [
        "parameter 'b' was keyword-only and is positional or keyword"
    ]


def test_the_reference_names_every_class():
    text = (Path(__file__).parents[2] / "docs" / "reference" / "surface.md").read_text()
    assert [name for name in CLASSES if f"`{name}`" not in text] == []
