"""`run` and `resume` from end to end, interrupted, killed and with a full disk; the release is a planted one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import Counter

import pytest

from matrix.errors import Exit

FILES = ("report.json", "report.md", "report.html", "junit.xml", "journal.jsonl", "plan.json")


def verdicts(folder):
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return {cell["id"]: cell["verdict"] for cell in report["cells"]}


def test_a_run_leaves_every_file_one_document_on_standard_output_and_its_verdicts(planted_run):
    culprit = planted_run.fragile[1]
    told = planted_run.run("--json", faults={culprit: "segfault"})
    assert told.code == Exit.UNEXPECTED, told.err
    assert all((planted_run.folder / name).stat().st_size for name in FILES)
    document = json.loads(told.out)
    assert document == json.loads((planted_run.folder / "report.json").read_text(encoding="utf-8"))
    found = verdicts(planted_run.folder)
    assert found.pop(culprit) == "CRASH"
    assert Counter(found.values()) == {
        "FALLBACK": len(planted_run.fragile) - 1,
        "PASS": len(planted_run.cells) - len(planted_run.fragile),
    }
    assert "the process died of SIGSEGV" in told.err
    assert f"report: {planted_run.folder}/report.html" in told.err

    again = planted_run.run()
    assert again.code == Exit.BAD_INPUT
    assert f"{planted_run.folder} holds a run already" in again.err
    assert f"kernel-matrix resume {planted_run.folder}" in again.err

    starts = len(planted_run.record().starts)
    resumed = planted_run.resume("--json")
    assert resumed.code == Exit.UNEXPECTED
    assert len(planted_run.record().starts) == starts
    assert json.loads(resumed.out)["cells"] == document["cells"]


@pytest.mark.parametrize("send", [os.kill, os.killpg], ids=["the tool", "its group, as a terminal does"])
def test_ctrl_c_leaves_a_journal_and_a_report_and_resume_completes_them(planted_run, send):
    culprit = planted_run.fragile[2]
    with planted_run.running({culprit: "hang"}) as process:
        send(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == Exit.INTERRUPTED, err
    assert "Traceback" not in err
    assert f"interrupted; go on with: kernel-matrix resume {planted_run.folder}" in err
    assert all((planted_run.folder / name).stat().st_size for name in FILES)
    before = verdicts(planted_run.folder)
    assert before[culprit] is None
    done = planted_run.record().finished
    assert 0 < len(done) < len(planted_run.cells)
    assert "without a result" in out
    if send is os.kill:
        return

    told = planted_run.resume()
    assert told.code == Exit.AS_EXPECTED, told.out + told.err
    assert None not in verdicts(planted_run.folder).values()
    starts = Counter(planted_run.record().starts)
    assert [cell for cell, times in starts.items() if times > 1] == [culprit]
    assert {cell for cell in done if starts[cell] != 1} == set()


def test_a_tool_that_was_killed_is_resumed(planted_run):
    culprit = planted_run.fragile[2]
    with planted_run.running({culprit: "hang"}) as process:
        refused = planted_run.resume()
        assert refused.code == Exit.BAD_INPUT
        assert "is being run by another process" in refused.err
        process.kill()
        process.communicate()
    done = planted_run.record().finished
    assert culprit not in done
    with (planted_run.folder / "journal.jsonl").open("a", encoding="utf-8") as journal:
        journal.write('{"kind": "end", "cell": "torn')
    told = planted_run.resume()
    assert told.code == Exit.AS_EXPECTED, told.out + told.err
    starts = Counter(planted_run.record().starts)
    assert [cell for cell, times in starts.items() if times > 1] == [culprit]
    assert planted_run.record().torn == 1
    assert set(verdicts(planted_run.folder)) == set(planted_run.cells)


@pytest.fixture
def disk(tmp_path):
    """A real file system of one MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1024k", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("left", [8 << 10, 160 << 10], ids=["before the plan", "in the middle"])
def test_a_full_disk_is_one_clear_error_and_what_was_measured_is_kept(planted_run, disk, left):
    planted_run.folder = disk / "run"
    filler = disk / "filler"
    filler.write_bytes(b"x" * ((1 << 20) - left))
    told = planted_run.run()
    assert told.code == Exit.BAD_INPUT
    assert "o space left on device" in told.err
    assert str(planted_run.folder) in told.err
    assert len(told.err.splitlines()) <= 6
    filler.unlink()
    if left > 8 << 10:
        kept = planted_run.record()
        assert kept.starts
        told = planted_run.resume()
        assert told.code in {Exit.AS_EXPECTED, Exit.UNEXPECTED}, told.err
        assert None not in verdicts(planted_run.folder).values()
        assert planted_run.record().ends[: len(kept.ends)] == kept.ends


def test_no_network_is_an_error_with_what_to_do(kernel_matrix, offline, tmp_path):
    told = kernel_matrix(
        "run", "--releases", "0.6.14", "--environment", "lean", "--out", tmp_path / "run", env=offline
    )
    assert told.code == Exit.BAD_INPUT
    assert "not one environment could be built" in told.err
    assert "The package index was not reached" in told.err.splitlines()[-1]
    assert set(verdicts(tmp_path / "run").values()) == {"INSTALL_ERROR"}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "kernel-matrix/plan/0"}', "{"])
def test_a_folder_that_holds_no_plan_is_named(kernel_matrix, tmp_path, text):
    (tmp_path / "plan.json").write_text(text, encoding="utf-8")
    told = kernel_matrix("resume", tmp_path)
    assert told.code == Exit.BAD_INPUT
    assert str(tmp_path / "plan.json") in told.err


def test_expectations_that_do_not_hold_are_told_before_anything_runs(planted_run, tmp_path):
    path = tmp_path / "expectations.toml"
    path.write_text("schema = \n", encoding="utf-8")
    told = planted_run.run("--expectations", path)
    assert told.code == Exit.BAD_INPUT
    assert f"{path} is not valid TOML" in told.err
    assert not planted_run.folder.exists()
