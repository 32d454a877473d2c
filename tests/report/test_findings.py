"""Findings: one line that is true of every cell in it."""

from __future__ import annotations

from matrix.report import RENDERERS, build, embed, reading, words
from matrix.report.findings import masked, spread

UNKNOWN = "the kernels of FlashInfer {} are not known here"
REMEDY = "kernel-matrix kernels {} --cubins PATH --select"
THREE = ("0.6.14", "0.6.18.post1", "0.7.2.post1")


def report_of(run_folder, records, reasons, remedy=REMEDY):
    """A report in which one cell of each of these releases has no kernel known, for a reason of its own."""
    for release, reason in reasons.items():
        cell = run_folder.cell(release)
        told = records.end(cell, "kernel", "NOT_RUN", reason, remedy.format(release))
        run_folder.answer(cell, records.end(cell, "import"), told)
    return build(reading.read(run_folder.write()))


def of_kernels(report):
    return [finding for finding in report.not_run if finding.stage == "kernel"]


def test_a_reason_that_names_the_release_names_all_of_them(run_folder, records):
    reasons = {release: UNKNOWN.format(release) for release in THREE}
    (finding,) = of_kernels(report_of(run_folder, records, reasons))
    assert finding.reason == UNKNOWN.format("0.6.14 … 0.7.2.post1")
    assert finding.releases == "0.6.14 … 0.7.2.post1"


def test_a_release_between_that_is_not_meant_is_not_named(run_folder, records):
    reasons = {release: UNKNOWN.format(release) for release in (THREE[0], THREE[2])}
    (finding,) = of_kernels(report_of(run_folder, records, reasons))
    assert finding.reason == UNKNOWN.format("0.6.14, 0.7.2.post1")


def test_a_reason_of_one_release_stays_as_it_is(run_folder, records):
    (finding,) = of_kernels(report_of(run_folder, records, {"0.6.14": "2 of 3 names of 0.6.14 do not parse"}))
    assert finding.reason == "2 of 3 names of 0.6.14 do not parse"


def test_other_numbers_become_ranges_and_other_versions_are_left_out(run_folder, records):
    reasons = {release: f"{n} of 9 names; 0.6.{n} is asked, not {release}" for n, release in enumerate(THREE)}
    (finding,) = of_kernels(report_of(run_folder, records, reasons))
    assert finding.reason == "0 … 2 of 9 names; … is asked, not 0.6.14 … 0.7.2.post1"


def test_the_cells_of_a_finding_are_found_by_what_they_have_in_common(run_folder, records):
    reasons = {release: UNKNOWN.format(release) for release in THREE}
    report = report_of(run_folder, records, reasons)
    (finding,) = of_kernels(report)
    assert finding.mask == masked(UNKNOWN.format("0.6.14"))
    rows = embed.embed(report, [finding])["cells"]
    assert sum(row[len(embed.COLUMNS)] == 0 for row in rows) == len(THREE)


def test_a_remedy_of_one_release_says_that_there_are_others(run_folder, records):
    reasons = {release: UNKNOWN.format(release) for release in THREE}
    report = report_of(run_folder, records, reasons)
    (finding,) = of_kernels(report)
    assert words.remedy(finding) == f"{REMEDY.format('0.6.14')} (the first of 3)"
    assert any(words.remedy(finding) in span.todo for span in report.spans)
    assert "0.6.14 --cubins PATH --select (the first of 3)" in RENDERERS["report.md"](report)


def test_reasons_without_releases_spread_as_before():
    assert spread(["off by 3", "off by 20"]) == "off by 3 … 20"
    assert spread(["at 0xff", "at 0xfe"]) == "at …"
    assert spread(["all 7"]) == "all 7"
