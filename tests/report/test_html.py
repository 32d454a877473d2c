from __future__ import annotations

import base64
import hashlib
import json
import math
import re
import shutil
import subprocess
from html.parser import HTMLParser
from time import process_time

import pytest

from matrix.report import RENDERERS, build, embed, reading, write

VOID = {"meta", "link", "br", "input", "hr"}
HOSTILE = '<script>alert(1)</script></details>" onclick="x" \'a\' & \x00 \u2028 {{ 7 * 7 }} <!-- ]]>'


class Page(HTMLParser):
    """What a browser would see: nesting checked, text and attributes kept."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.words: dict[str, str] = {}
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        place = self.open[-1] if self.open else ""
        self.words[place] = self.words.get(place, "") + data


@pytest.fixture
def page(run_folder):
    def written(**options):
        folder = run_folder.write()
        write(folder, **options)
        return (folder / "report.html").read_text(encoding="utf-8")

    return written


def embedded(text):
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    return json.loads(found)


def test_the_answer_comes_first(page):
    text = page()
    first_screen = text[: text.index('id="not-run"')]
    for words in (
        "All verdicts as expected",
        "lean: unsafe 0.5.3 … 0.6.7.post3; binds from 0.6.8.post1 on",
        "unexpected keyword argument &#39;activation_type&#39;",
        "Use 0.7.2.post1 (binds in this environment).",
        "kernel-matrix run --stages numerics",
    ):
        assert words in first_screen


def test_the_page_is_whole_and_its_links_lead_somewhere(page):
    found = Page(page())
    assert len(found.ids) == len(set(found.ids))
    inner = {value[1:] for tag, name, value in found.attributes if name == "href" and value.startswith("#")}
    assert inner <= set(found.ids)


def test_nothing_comes_from_a_network(page):
    found = Page(page())
    loading = [each for each in found.attributes if each[1] in {"src", "srcset", "data", "action", "style"}]
    assert loading == []
    assert "link" not in {tag for tag, _, _ in found.attributes}
    outer = {value for tag, name, value in found.attributes if name == "href" and not value.startswith("#")}
    assert outer == {"https://example.org/2864"}
    assert "url(" not in found.words["style"]
    assert "import" not in found.words["style"]


def test_the_policy_admits_this_script_and_style_only(page):
    text = page()
    found = Page(text)
    (policy,) = (
        value for tag, name, value in found.attributes if name == "content" and "default-src" in value
    )
    for tag in ("style", "script"):
        (body,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        pin = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{pin}'" in policy
    assert policy.startswith("default-src 'none';")


def test_hostile_text_stays_text(page, run_folder, records, expectations):
    cell = run_folder.cell("0.6.14")
    evidence = {"trace": HOSTILE, "error": math.nan}
    bad = records.end(cell, "numerics", "FAIL_NUMERIC", HOSTILE, HOSTILE, evidence=evidence)
    run_folder.answer(cell, bad)
    run_folder.environments[0]["fingerprint"]["gpu"] = HOSTILE
    expectations.write_text(expectations.read_text().replace("https://example.org", "javascript:alert(1)//"))
    text = page()
    found = Page(text)
    assert "onclick" not in {name for _, name, _ in found.attributes}
    assert not any(value.startswith("javascript") for _, _, value in found.attributes)
    assert text.count("<script") == 2
    data = embedded(text)
    (row,) = (each for each in data["results"] if each["verdict"] == "FAIL_NUMERIC")
    assert row["reason"] == HOSTILE
    assert json.loads(row["evidence"]) == {"trace": HOSTILE, "error": "nan"}


def test_every_cell_with_every_stage_is_in_the_page(page, run_folder):
    data = embedded(page())
    columns = {name: number for number, name in enumerate(data["columns"])}
    width = len(columns)
    ids = set()
    for cell in data["cells"]:
        values = [data["values"][column][cell[column]] for column in range(width)]
        release, environment, backend, activation, gating, routing, role, bias, profile = values[:9]
        ids.add(
            f"{release}/{environment}/{backend}/{activation}-{gating}/{routing}/{role}/bias-{bias}/{profile}"
        )
        finding, _, decisive, results, seconds = cell[width:]
        assert len(results) == len(seconds)
        assert (
            data["results"][decisive]["verdict"]
            == data["values"][columns["verdict"]][cell[columns["verdict"]]]
        )
        assert (finding == -1) is (data["results"][decisive]["verdict"] == "PASS")
    assert ids == {cell["id"] for cell in run_folder.plan["cells"]}


def test_evidence_and_cells_past_the_limit_are_left_out_and_said_so(page, monkeypatch):
    monkeypatch.setattr(embed, "EVIDENCE_BYTES", 10)
    monkeypatch.setattr(embed, "MOST_CELLS", 150)
    text = page()
    data = embedded(text)
    assert len(data["cells"]) == 150
    assert "66 more, most of which passed" in text
    verdict = data["columns"].index("verdict")
    shown = [data["values"][verdict][cell[verdict]] for cell in data["cells"]]
    assert {"FAIL_API", "IMPORT_ERROR", "NOT_RUN"} <= set(shown)
    assert "PASS" not in shown[:100]
    assert None in {result["evidence"] for result in data["results"]}


def test_a_comparison_is_shown(page, run_folder, records, tmp_path):
    page()
    earlier = run_folder.path
    run_folder.path = tmp_path / "later"
    cell = run_folder.cell("0.6.14")
    run_folder.answer(cell, records.end(cell, "bind", "FAIL_API", "renamed"))
    text = page(against=earlier)
    assert "▼ worse" in text
    assert "NOT_RUN numerics → FAIL_API bind" in text


def test_many_results_render_in_little_time(run_folder, records):
    """20,000 results in a fifth of the two seconds that 100,000 may take, on a machine that others share."""
    plan, ends = [], []
    for number in range(24):
        for cell in run_folder.plan["cells"]:
            many = cell | {"id": f"{cell['id']}-{number}", "profile": f"nemotron-h-{number}"}
            plan.append(many)
            error = {"relative_l2": number / 7, "worst_at": [number, 165]}
            ends += [records.end(many, stage) for stage in ("import", "bind", "select")]
            ends.append(records.end(many, "numerics", reason=f"off by {number}", evidence=error))
    run_folder.plan["cells"], run_folder.ends = plan, ends
    report = build(reading.read(run_folder.write()))
    for render in RENDERERS.values():
        render(report)
    started = process_time()
    for render in RENDERERS.values():
        render(report)
    assert len(ends) > 20_000
    assert process_time() - started < 0.8


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
def test_a_browser_lists_the_cells(page, run_folder, tmp_path):
    page()
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    command += ["--no-first-run", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
    shown = subprocess.run(
        [*command, f"file://{run_folder.path / 'report.html'}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    assert "216 of 216 cells, 60 shown" in shown
    assert shown.count('class="row"') == 60
