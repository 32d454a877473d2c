"""`kernel-matrix kernels` with what comes with the package, without any index."""

import json
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from matrix.cli import main
from matrix.cubins import answers, sources
from matrix.errors import Exit
from matrix.releases.index import Index

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/reference/kernels.schema.json").read_text())
RELU2 = (
    "Bmm_Bfloat16_Bfloat16Bfloat16_Fp32_t128x8x128u2_s5_et128x8_m128x8x16_cga1x1x1_16dp256b_rM_BN_transOut_schedS"
    "_bN_relu2_ldgsts_rgTma_clmp_dynB_sm100f"
)


pytestmark = pytest.mark.usefixtures("no_index")


def document(capsys, *arguments):
    status = main(["kernels", *arguments, "--json"])
    told = json.loads(capsys.readouterr().out)
    jsonschema.validate(told, SCHEMA)
    return status, told


def test_a_release_as_lines(capsys):
    assert main(["kernels", "0.6.8.post1"]) == Exit.AS_EXPECTED
    told = capsys.readouterr().out
    assert "FlashInfer 0.6.8.post1: 10560 kernels (flashinfer_cubin-0.6.8.post1" in told
    assert "0 names that do not parse" in told
    assert "`kernel-matrix kernels 0.6.8.post1 --select`" in told
    assert "Unsupported eltwise activation type  Silu" in told
    assert "sglang-0.5.11: too narrow; refuses relu2-nongated" in told


def test_a_release_for_machines(capsys):
    status, told = document(capsys, "0.6.8.post1")
    assert status == Exit.AS_EXPECTED
    (release,) = told["releases"]
    assert release["bf16_moe"] == {"none": 36, "relu2": 36, "swiGlu": 36}
    assert release["families"]["moe"] == 1405
    assert release["disagreements"] == []
    assert release["selection"]["tokens"] == [1, 4, 64, 1024, 8192]


def test_the_difference_of_two(capsys):
    status, told = document(capsys, "0.6.8.post1", "--against", "0.6.7.post3")
    assert status == Exit.AS_EXPECTED
    (change,) = told["difference"]
    assert (change["kind"]["activation"], change["old"], change["new"]) == ("relu2", 0, 36)


def test_history(capsys):
    status, told = document(capsys, "--history")
    assert status == Exit.AS_EXPECTED
    bf16 = {
        kind["activation"]: kind
        for kind in told["history"]["kinds"]
        if {kind["a"], kind["b"], kind["out"]} == {"Bfloat16"}
    }
    assert bf16["relu2"]["since"] == "0.6.8"
    assert [span["count"] for span in bf16["relu2"]["spans"]] == [0, 36, 72]
    assert [span["count"] for span in bf16["swiGlu"]["spans"]] == [0, 52, 36, 72]
    assert main(["kernels", "--history"]) == Exit.AS_EXPECTED
    assert "relu2: since 0.6.8 (" in capsys.readouterr().out


def test_kernels_of_a_path_and_a_disagreement(capsys, tmp_path):
    """A cubin package of which nothing but one kernel is left: the committed answers contradict it."""
    path = tmp_path / "flashinfer_cubin-0.6.8.post1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"flashinfer_cubin/cubins/x/{RELU2}.cubin", b"")
        archive.writestr("flashinfer_cubin/cubins/x/Bmm_of_a_new_form.cubin", b"")
        archive.writestr("flashinfer_cubin-0.6.8.post1.dist-info/METADATA", "")
        archive.writestr("flashinfer_cubin-0.6.8.post1.dist-info/RECORD", "")
    status, told = document(capsys, "0.6.8.post1", "--cubins", str(path))
    assert status == Exit.UNEXPECTED
    (release,) = told["releases"]
    assert release["inventory"]["unparsed"] == ["Bmm_of_a_new_form"]
    assert release["disagreements"] == [
        "silu-gated: no kernel by name, and the selection code finds up to 356 configurations"
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no release was named"),
        (("--select", "--history"), "no release was named"),
        (("0.6.99",), "unknown release '0.6.99'"),
        (("0.6.8.post1", "--against", "0.6.99"), "unknown release '0.6.99'"),
        (("0.6.8.post1", "--against", "window"), "--against names"),
        (("0.6.8.post1", "--cubins", "nowhere"), "nowhere is not there"),
        (("0.6.8.post1", "--cubins", "/etc/passwd"), "neither a wheel nor a folder"),
        (("0.6.8.post1", "--arch", "banana"), "unknown architecture 'banana'.*\n.*10.0a, 10.3a"),
        (("0.6.8.post1", "--arch", "10.0"), "unknown architecture '10.0'.*\n.*Did you mean 10.0a"),
        (("0.6.8.post1", "--write", "x"), "Add --select"),
        (("0.6.8.post1", "0.6.8", "--select", "--package", "x"), "lays out one release, not 2"),
        (("",), "no release was named.*\n.*kernel-matrix kernels 0.6.8.post1"),
        (("0.6.8.post1", " , ", "--history"), "no release was named"),
        (("0.6.8.post1", "--against", ""), "--against names no release"),
        (("0.6.8.post1", "--select", "--write", "/proc/x"), "--write: nothing can be written in /proc/x"),
        (("0.6.8.post1", "--select", "--package", "/etc/passwd"), "--package: nothing can be written"),
    ],
)
def test_bad_input_is_one_message(arguments, message, capsys):
    import re

    assert main(["kernels", *arguments]) == Exit.BAD_INPUT
    error = capsys.readouterr().err
    assert re.search(message, error)
    assert "Traceback" not in error
    assert len(error.splitlines()) <= 2


def test_an_empty_path(capsys):
    with pytest.raises(SystemExit) as left:
        main(["kernels", "0.6.8.post1", "--cubins", ""])
    assert left.value.code == Exit.BAD_INPUT
    assert "--cubins: the path is empty" in capsys.readouterr().err


def test_no_jobs(capsys):
    with pytest.raises(SystemExit) as left:
        main(["kernels", "0.6.8.post1", "--jobs", "0"])
    assert left.value.code == Exit.BAD_INPUT
    assert "--jobs: 0 is not a number above 0" in capsys.readouterr().err


def test_what_could_not_be_asked_or_read_ends_with_three(capsys):
    status, told = document(capsys, "0.4.0")  # its answers hold an INSTALL_ERROR
    assert status == Exit.INCOMPLETE
    assert told["releases"][0]["problem"]["verdict"] == "INSTALL_ERROR"
    status, told = document(capsys, "0.6.14", "0.6.8.post1", "--against", "0.6.7.post3")
    assert status == Exit.INCOMPLETE
    known, unknown = told["releases"]
    assert known["bf16_moe"]["relu2"] == 36
    assert unknown["problem"]["verdict"] == "NOT_RUN"
    assert [row["release"] for row in told["difference"]] == ["0.6.8.post1"]


def test_an_index_that_nobody_answers_for_is_tried_once(kernel_matrix, offline):
    """Each try waits between its four attempts; both projects, both releases and the history share one."""
    told = [
        (time.monotonic(), kernel_matrix("kernels", *arguments, env=offline), time.monotonic())
        for arguments in (("0.6.8.post1",), ("0.6.8", "0.6.8.post1", "--against", "0.6.7.post1", "--history"))
    ]
    (alone, one), (whole, several) = ((end - start, done) for start, done, end in told)
    assert one.code == several.code == Exit.AS_EXPECTED, several
    assert several.out.count("the index could not be read") == 1
    assert whole < alone + 2, "the index was tried anew"


def test_a_failed_selection_hides_no_answers(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", "")  # no compiler
    status, told = document(capsys, "0.6.8.post1", "--select")
    assert status == Exit.INCOMPLETE
    (release,) = told["releases"]
    assert "no C++ compiler" in release["not_asked_anew"]["reason"]
    assert release["selection"]["tokens"] == [1, 4, 64, 1024, 8192]
    status, told = document(capsys, "0.6.8.post1")
    assert status == Exit.AS_EXPECTED
    assert told["releases"][0]["selection"] == release["selection"]
    assert not (tmp_path / "cache" / answers.KIND).exists()  # nothing new to keep
    assert main(["kernels", "0.6.8.post1", "--select"]) == Exit.INCOMPLETE
    lines = capsys.readouterr().out.splitlines()
    place = lines.index("Not asked anew: NOT_RUN, there is no C++ compiler (c++) on this machine.")
    assert lines[place + 1 : place + 3] == ["  Install g++ or clang.", "The answers of before are shown."]


def test_a_local_package_is_told_from_the_releases_own(capsys, monkeypatch, tmp_path):
    """What was asked of it stands under its own name, and nowhere else."""
    path = tmp_path / "flashinfer_cubin-0.6.8.post1-py3-none-any.whl"
    wheel(path, RELU2, header=True)
    own = answers.find("0.6.8.post1")
    digest = sources.fingerprint("0.6.8.post1", path, Index())
    made = {"command": "x --cubins y", "arch": "10.0a", "cuda": "1.2", "origin": "y", "cubins": digest}
    answers.write(replace(own, made=made), None)
    assert main(["kernels", "0.6.8.post1"]) == Exit.AS_EXPECTED
    told = capsys.readouterr().out
    assert "`kernel-matrix kernels 0.6.8.post1 --select`" in told
    assert f"and the headers of {own.inventory.origin}:" in told
    assert main(["kernels", "0.6.8.post1", "--cubins", str(path)]) == Exit.UNEXPECTED
    told = capsys.readouterr().out
    assert "with CUDA 1.2 (`x --cubins y`)\nand the headers of y:" in told
    wheel(path, RELU2)  # other headers: none
    assert main(["kernels", "0.6.8.post1", "--cubins", str(path)]) == Exit.UNEXPECTED
    assert f"and the headers of {own.inventory.origin}:" in capsys.readouterr().out


def test_a_release_that_only_a_local_package_tells_of(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", "")  # no compiler
    path = tmp_path / "a folder" / "flashinfer_cubin-0.6.14-py3-none-any.whl"
    path.parent.mkdir()
    wheel(path, RELU2, header=True, release="0.6.14")
    status, told = document(capsys, "0.6.14", "--select", "--cubins", str(path))
    assert status == Exit.INCOMPLETE
    (release,) = told["releases"]
    assert release["made"]["command"] == f"kernel-matrix kernels 0.6.14 --select --cubins '{path}'"
    assert str(path) in release["made"]["origin"]
    status, told = document(capsys, "0.6.14")
    assert status == Exit.AS_EXPECTED
    assert str(path) in told["releases"][0]["inventory"]["origin"]


def test_engines_assert_for_one_architecture(capsys):
    assert main(["kernels", "0.6.8.post1", "--arch", "10.3a"]) == Exit.AS_EXPECTED
    assert "Activations that engines" not in capsys.readouterr().out
    assert document(capsys, "0.6.8.post1", "--arch", "10.3a")[1]["releases"][0]["engines"] == []


def test_history_where_nothing_can_be_noted_down(capsys, monkeypatch, tmp_path):
    """As on a full disk: an index is there, and its listing cannot be kept."""
    (tmp_path / "file").touch()
    (tmp_path / "wheels").mkdir()
    wheel(tmp_path / "wheels" / "flashinfer_cubin-0.6.8.post1-py3-none-any.whl", RELU2)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.delenv("UV_OFFLINE")
    monkeypatch.setenv("KERNEL_MATRIX_CACHE", str(tmp_path / "file"))
    assert main(["kernels", "--history"]) == Exit.AS_EXPECTED
    told = capsys.readouterr()
    assert "relu2: since 0.6.8 (" in told.out
    assert "The releases that come with this tool are shown." in told.err
    assert "resume" not in told.err


def test_history_with_a_wheel_that_cannot_be_read(capsys, monkeypatch, tmp_path):
    folder = tmp_path / "wheels"
    folder.mkdir()
    for release in ("0.6.8", "0.6.8.post1", "0.6.14"):
        path = folder / f"flashinfer_cubin-{release}-py3-none-any.whl"
        wheel(path, RELU2, release=release)
        if release != "0.6.8":
            path.write_bytes(path.read_bytes()[:-100])
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.delenv("UV_OFFLINE")
    status, told = document(capsys, "--history")
    assert status == Exit.INCOMPLETE
    relu2 = next(
        kind
        for kind in told["history"]["kinds"]
        if (kind["activation"], kind["a"], kind["b"]) == ("relu2", "Bfloat16", "Bfloat16")
    )
    assert [(span["first"], span["count"]) for span in relu2["spans"]] == [("0.6.8", 1), ("0.6.8.post1", 36)]
    assert list(told["history"]["not_read"]) == ["0.6.14"]


def test_a_cache_folder_that_cannot_be_written_takes_nothing_away(capsys, monkeypatch, tmp_path):
    """Full disks and files in the way alike; an index is there, whose listing cannot be noted down."""
    (tmp_path / "file").touch()
    (tmp_path / "wheels").mkdir()
    wheel(tmp_path / "wheels" / "flashinfer_cubin-0.6.8.post1-py3-none-any.whl", RELU2)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.delenv("UV_OFFLINE")
    monkeypatch.setenv("KERNEL_MATRIX_CACHE", str(tmp_path / "file"))
    status, told = document(capsys, "0.6.8.post1", "0.6.14", "--select")
    assert status == Exit.INCOMPLETE
    known, unknown = told["releases"]
    assert known["bf16_moe"] == {"none": 36, "relu2": 36, "swiGlu": 36}
    assert known["note"].startswith("kept names are shown: names cannot be read here: Not a directory")
    assert known["not_asked_anew"]["verdict"] == "NOT_RUN"
    assert unknown["problem"]["verdict"] == "NOT_RUN"


def wheel(path, *kernels, metadata=True, header=False, release="0.6.8.post1"):
    with zipfile.ZipFile(path, "w") as archive:
        for kernel in kernels:
            archive.writestr(f"flashinfer_cubin/cubins/x/{kernel}.cubin", b"")
        if metadata:
            archive.writestr(f"flashinfer_cubin-{release}.dist-info/METADATA", "")
        archive.writestr(f"flashinfer_cubin-{release}.dist-info/RECORD", "")
        if header:
            archive.writestr("flashinfer_cubin/cubins/x/include/flashinferMetaInfo.h", "")


def test_a_bad_wheel_is_one_verdict_a_release(capsys, tmp_path):
    """Named by a relative path; whatever is wrong with it, every release has its line."""
    path = tmp_path / "flashinfer_cubin-0.6.8.post1-py3-none-any.whl"
    for write, reason in [
        (lambda: wheel(path, RELU2, metadata=False), "it has no METADATA"),
        (lambda: path.write_bytes(path.read_bytes()[:-100]), "not a whole wheel"),
    ]:
        write()
        assert main(["kernels", "0.6.8.post1", "--cubins", path.name]) == Exit.INCOMPLETE
        told = capsys.readouterr().out
        assert told.startswith("FlashInfer 0.6.8.post1: NOT_RUN, ")
        assert reason in told
    wheel(path, RELU2)
    status, told = document(capsys, "0.6.8.post1", "0.6.8", "--cubins", path.name)
    assert status == Exit.UNEXPECTED  # the answers know more kernels than this one
    other, known = told["releases"]
    assert "holds flashinfer-cubin 0.6.8.post1, not 0.6.8" in other["problem"]["reason"]
    assert known["bf16_moe"] == {"relu2": 1}


def test_no_name_parses(capsys, tmp_path):
    path = tmp_path / "flashinfer_cubin-0.6.8.post1-py3-none-any.whl"
    wheel(path, "Bmm_of_a_new_form", "another")
    assert main(["kernels", "0.6.8.post1", "--cubins", path.name]) == Exit.INCOMPLETE
    told = capsys.readouterr().out
    assert "No name parses, so nothing can be said of them; the first of 2:" in told
    assert "    Bmm_of_a_new_form" in told
    assert "Activations that engines" not in told
