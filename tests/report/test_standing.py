from __future__ import annotations

import pytest

from matrix.report import build, reading
from matrix.report.model import Standing


def spans(folder, environment="lean"):
    report = build(reading.read(folder.write()))
    return [
        (span.standing.value, span.releases[0], span.releases[-1])
        for span in report.spans
        if span.environment == environment
    ]


def test_ranges_of_the_window_on_a_machine_without_a_gpu(run_folder):
    assert spans(run_folder) == [
        ("unsafe", "0.5.3", "0.6.7.post3"),
        ("binds", "0.6.8.post1", "0.7.2.post1"),
    ]


def test_safe_needs_every_kernel_measured(run_folder, records):
    for cell in list(run_folder.plan["cells"]):
        if cell["release"] == "0.6.14" and cell["environment"] == "lean":
            run_folder.answer(cell, records.end(cell, "import"), records.end(cell, "numerics"))
    assert ("safe", "0.6.14", "0.6.14") in spans(run_folder)
    cell = run_folder.cell("0.6.14")
    run_folder.answer(cell, records.end(cell, "import"), records.end(cell, "numerics", "NOT_RUN", "no GPU"))
    assert ("safe", "0.6.14", "0.6.14") not in spans(run_folder)


@pytest.mark.parametrize(
    ("verdict", "standing"),
    [
        ("FAIL_NUMERIC", "unsafe"),
        ("CRASH", "unsafe"),
        ("GPU_POISONED", "unsafe"),
        ("TIMEOUT", "unsafe"),
        ("INSTALL_ERROR", "unknown"),
        ("OUT_OF_MEMORY", "unknown"),
        ("UNSUPPORTED", "binds"),
    ],
)
def test_one_cell_decides(run_folder, records, verdict, standing):
    cell = run_folder.cell("0.7.2.post1")
    run_folder.answer(cell, records.end(cell, "numerics", verdict, "why"))
    assert spans(run_folder)[-1][0] == standing


def test_one_cell_without_a_result_makes_the_release_unknown(run_folder):
    run_folder.answer(run_folder.cell("0.7.2.post1"))
    assert spans(run_folder)[-1] == ("unknown", "0.7.2.post1", "0.7.2.post1")


def test_a_gpu_that_refuses_every_kernel_falls_back(run_folder, records):
    for cell in run_folder.plan["cells"]:
        if cell["release"] == "0.7.2.post1" and cell["backend"] != "torch":
            run_folder.answer(
                cell, records.end(cell, "bind"), records.end(cell, "numerics", "UNSUPPORTED", "SM90")
            )
    assert spans(run_folder)[-1] == ("falls back", "0.7.2.post1", "0.7.2.post1")


def test_an_environment_that_is_meant_to_fail_falls_back_only_where_the_fallback_answered(
    run_folder, records
):
    assert spans(run_folder, "absent") == [("falls back", "none", "none")]
    cell = next(cell for cell in run_folder.plan["cells"] if cell["environment"] == "absent")
    broken = records.end(cell, "import", "IMPORT_ERROR", "ModuleNotFoundError")
    run_folder.answer(cell, broken)
    assert spans(run_folder, "absent") == [("unsafe", "none", "none")]
    run_folder.answer(cell, broken, records.end(cell, "numerics", "FALLBACK", "the fallback is right"))
    assert spans(run_folder, "absent") == [("falls back", "none", "none")]


def test_an_environment_that_was_not_built_answers_for_its_cells(run_folder):
    run_folder.ends = [each for each in run_folder.ends if not each["cell"].startswith("0.6.14/lean/")]
    for record in run_folder.environments:
        if record["id"] == "0.6.14/lean":
            record |= {"verdict": "INSTALL_ERROR", "reason": "no such wheel", "fingerprint": None}
    report = build(reading.read(run_folder.write()))
    (span,) = (span for span in report.spans if span.releases == ("0.6.14",) and not span.faulty)
    assert span.standing is Standing.UNKNOWN
    assert span.why[0].reason == "no such wheel"
    assert "MISSING" not in report.outcomes
    assert report.outcomes["UNEXPECTED"] == 24


def test_an_unsafe_span_says_which_release_to_take_and_the_remedy(run_folder):
    report = build(reading.read(run_folder.write()))
    todo = report.spans[0].todo
    assert todo == (
        "Use 0.7.2.post1 (binds in this environment).",
        "Take 0.6.8 or later.",
        "Take 0.6.5 or later.",
    )


def test_a_finding_names_only_the_axes_that_tell_its_cells_apart(run_folder):
    report = build(reading.read(run_folder.write()))
    finding = next(each for each in report.findings if each.verdict == "FALLBACK" and "draft" in each.reason)
    assert finding.releases == "0.6.8.post1 … 0.7.2.post1"
    assert dict(finding.axes) == {
        "backend": ("trtllm_bf16", "trtllm_bf16_routed"),
        "activation": ("relu2",),
        "gating": ("nongated",),
        "routing": ("renormalize",),
        "role": ("draft",),
    }


def test_reasons_that_differ_in_numbers_are_one_finding(run_folder, records):
    for number, release in enumerate(("0.6.14", "0.7.2.post1")):
        cell = run_folder.cell(release)
        reason = f"relative error 0.3{number} at 0xdead{number} in {release}"
        run_folder.answer(cell, records.end(cell, "numerics", "FAIL_NUMERIC", reason))
    report = build(reading.read(run_folder.write()))
    (finding,) = (each for each in report.findings if each.verdict == "FAIL_NUMERIC")
    assert finding.cells == 2
    assert finding.reason == "relative error 0.30 … 0.31 at … in 0.6.14, 0.7.2.post1"
