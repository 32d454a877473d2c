from __future__ import annotations

import json
import math
import re
from xml.etree import ElementTree as ET

import jsonschema
import pytest

import matrix.report
from matrix.errors import Exit, InputError
from matrix.report import RENDERERS, write

HOSTILE = (
    "<script>alert(1)</script> & \"q\" 'a' | `tick` ``two`` @someone #12 "
    "\x00\x1b[31m ]]> </details> \u2028 -->"
)


@pytest.fixture(scope="session")
def schema():
    from pathlib import Path

    path = Path(matrix.report.__file__).with_name("report.schema.json")
    found = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(found)
    return found


def document(folder, schema):
    text = (folder / "report.json").read_text(encoding="utf-8")
    found = json.loads(text, parse_constant=pytest.fail)
    jsonschema.validate(found, schema, cls=jsonschema.Draft202012Validator)
    return found


def test_a_run_as_expected(run_folder, schema):
    folder = run_folder.write()
    report = write(folder)
    assert report.exit_code is Exit.AS_EXPECTED
    assert all((folder / name).stat().st_size for name in RENDERERS)
    assert not list(folder.glob(".*"))
    found = document(folder, schema)
    assert found["exit_code"] == 0
    assert found["counts"]["cells"] == len(found["cells"]) == 216
    assert [(span["standing"], span["first"]) for span in found["spans"][:2]] == [
        ("unsafe", "0.5.3"),
        ("binds", "0.6.8.post1"),
    ]


def test_the_same_run_gives_the_same_bytes(run_folder):
    folder = run_folder.write()
    write(folder)
    before = {name: (folder / name).read_bytes() for name in RENDERERS}
    write(folder)
    assert {name: (folder / name).read_bytes() for name in RENDERERS} == before


def test_an_unexpected_verdict_fails(run_folder, records, schema):
    cell = run_folder.cell("0.6.14")
    run_folder.answer(cell, records.end(cell, "numerics", "FAIL_NUMERIC", "relative error 0.9"))
    folder = run_folder.write()
    report = write(folder)
    assert report.exit_code is Exit.UNEXPECTED
    found = document(folder, schema)
    assert [each["example"] for each in found["unexpected"]] == [cell["id"]]
    failures = ET.parse(folder / "junit.xml").findall(".//failure")
    assert [failure.get("message") for failure in failures] == [
        "UNEXPECTED: FAIL_NUMERIC numerics: relative error 0.9"
    ]
    assert "## Unexpected" in (folder / "report.md").read_text(encoding="utf-8")
    assert json.loads((folder / "badge.json").read_text())["color"] == "red"


def test_a_cell_that_got_better_fails(run_folder, records):
    cell = run_folder.cell("0.6.7.post3")
    run_folder.answer(cell, records.end(cell, "import"), records.end(cell, "bind"))
    report = write(run_folder.write())
    assert report.exit_code is Exit.UNEXPECTED
    assert report.outcomes["XPASS"] == 1
    assert "pass against their expectation" in "\n".join(report.summary_lines())


def test_a_planned_cell_without_a_result_is_incomplete(run_folder, records, schema):
    cell = run_folder.cell("0.6.14")
    run_folder.answer(cell)
    folder = run_folder.write()
    assert write(folder).exit_code is Exit.INCOMPLETE
    (missing,) = (each for each in document(folder, schema)["cells"] if each["outcome"] == "MISSING")
    assert (missing["verdict"], missing["reason"]) == (None, "no result in the journal")
    assert len(ET.parse(folder / "junit.xml").findall(".//error")) == 1
    other = run_folder.cell("0.7.2.post1")
    run_folder.answer(other, records.end(other, "bind", "FAIL_API", "new"))
    assert write(run_folder.write()).exit_code is Exit.UNEXPECTED


def test_what_was_not_run_is_told_with_its_command_and_never_passes(run_folder, schema):
    folder = run_folder.write()
    write(folder)
    (group,) = document(folder, schema)["not_run"]
    assert group["cells"] == 70
    assert group["remedy"].startswith("kernel-matrix run --stages numerics")
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert "## What was not run" in text
    skipped = ET.parse(folder / "junit.xml").findall(".//skipped")
    assert sum("NOT_RUN" in each.get("message") for each in skipped) == 70


def test_a_run_that_never_started_has_a_usable_report(run_folder, schema):
    folder = run_folder.write()
    (folder / "journal.jsonl").unlink()
    report = write(folder)
    assert report.exit_code is Exit.INCOMPLETE
    assert {span["standing"] for span in document(folder, schema)["spans"]} == {"unknown"}


def test_a_cell_that_was_cut_short_has_no_result(run_folder, schema):
    cell = run_folder.cell("0.6.14")
    run_folder.unfinished = {cell["id"]}
    folder = run_folder.write()
    assert write(folder).exit_code is Exit.INCOMPLETE
    (cut,) = (each for each in document(folder, schema)["cells"] if each["id"] == cell["id"])
    assert cut["verdict"] is None


def test_a_torn_journal_and_a_stranger_are_warnings(run_folder, records):
    run_folder.ends.append(records.end("0.6.14/lean/of/another/plan", "bind"))
    folder = run_folder.write()
    with (folder / "journal.jsonl").open("a") as journal:
        journal.write('{"kind": "news", "what": "ignored"}\n{"kind": "end", "cell": "0.6')
    report = write(folder)
    assert report.exit_code is Exit.AS_EXPECTED
    assert len(report.warnings) == 2
    assert "of/another/plan" in " ".join(report.warnings)


def test_hostile_text_breaks_no_format(run_folder, records, schema):
    cell = run_folder.cell("0.6.14")
    evidence = {"trace": HOSTILE, "error": math.nan, "peak": [math.inf]}
    run_folder.answer(
        cell, records.end(cell, "numerics", "FAIL_NUMERIC", HOSTILE, HOSTILE, evidence=evidence)
    )
    folder = run_folder.write()
    write(folder)
    found = document(folder, schema)
    (bad,) = (each for each in found["cells"] if each["verdict"] == "FAIL_NUMERIC")
    assert bad["reason"] == HOSTILE
    assert bad["results"][0]["evidence"] == {"trace": HOSTILE, "error": "nan", "peak": ["inf"]}
    (failure,) = ET.parse(folder / "junit.xml").findall(".//failure")
    assert "<script>alert(1)</script>" in failure.get("message")
    text = (folder / "report.md").read_text(encoding="utf-8")
    outside_code = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", text)
    assert "<script" not in outside_code
    assert "@someone" not in outside_code
    rows = [line for line in text.splitlines() if "alert(1)" in line]
    assert all(len(re.findall(r"(?<!\\)\|", row)) in {6, 7} for row in rows)


def test_markdown_stays_below_the_size_of_a_comment(run_folder, records):
    for number, cell in enumerate(run_folder.plan["cells"]):
        reason = "".join(chr(ord("a") + int(digit)) for digit in str(number)) + " é" * 900
        run_folder.answer(cell, records.end(cell, "numerics", "FAIL_NUMERIC", reason, "do " * 100))
    folder = run_folder.write()
    write(folder)
    text = (folder / "report.md").read_bytes()
    assert len(text) < 60_000
    assert "Left out for length" in text.decode()


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("plan.json", None, "cannot read"),
        ("plan.json", "{", "cannot read"),
        ("plan.json", '{"schema": "kernel-matrix/plan/9"}', "kernel-matrix/plan/9"),
        ("plan.json", "[]", "schema is None"),
        ("journal.jsonl", '{"kind": "header", "schema": "x"}\n', "no journal of"),
    ],
)
def test_a_folder_that_is_no_run_is_named(run_folder, name, text, says):
    folder = run_folder.write()
    if text is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(text)
    with pytest.raises(InputError, match=says) as error:
        write(folder)
    assert str(folder) in str(error.value)
