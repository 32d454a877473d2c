"""`kernel-matrix bisect`: what comes with the package without any index, and real releases with one."""

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from matrix.cli import main
from matrix.cubins import answers
from matrix.errors import Exit

NEMOTRON = "trtllm_bf16/relu2-nongated/deepseek_v3/draft/bias-fp32/nemotron-h"
SCHEMA = json.loads(
    (Path(__file__).parents[2] / "docs/reference/bisect.schema.json").read_text(encoding="utf-8")
)


def bisect(capsys, *arguments):
    status = main(["bisect", *arguments, "--json"])
    told = json.loads(capsys.readouterr().out)
    jsonschema.validate(told, SCHEMA)
    return status, told


@pytest.mark.usefixtures("no_index")
class TestWithoutAnIndex:
    """The stage `kernel`, from the answers of the package."""

    def test_the_release_that_brought_relu2(self, capsys):
        status, told = bisect(capsys, NEMOTRON, "--good", "0.6.13", "--bad", "0.5.3", "--stage", "kernel")
        assert status == Exit.AS_EXPECTED
        assert (told["before"]["release"], told["after"]["release"]) == ("0.6.7.post3", "0.6.8")
        assert told["before"]["verdict"] == "UNSUPPORTED"
        assert "No kernel found for the given options" in told["before"]["reason"]
        assert told["after"]["reason"] == "36 BF16 Relu2 kernels by name, 176 configurations for the shape"
        assert told["exact"]
        assert not told["broke"]
        assert len(told["steps"]) <= 7
        assert told["kernels"]["changes"][0] == {"what": "kernels", "subject": "relu2", "old": 0, "new": 36}

    def test_as_lines_and_by_a_selection_and_a_whole_id(self, capsys):
        for cell in (f"*/{NEMOTRON.partition('/')[2]} and backend=trtllm_bf16", f"0.6.14/lean/{NEMOTRON}"):
            assert main(["bisect", cell, "--good", "0.6.8.post1", "--bad", "0.6.7", "--stage", "kernel"]) == 0
            told = capsys.readouterr()
            assert "last bad: 0.6.7.post3  UNSUPPORTED at kernel: no BF16 Relu2 kernel" in told.out
            assert "first good: 0.6.8  PASS at kernel" in told.out
            assert "BF16 relu2 MoE kernels: 0 -> 36" in told.out
            assert "left, about" in told.err

    def test_a_release_that_only_a_local_package_tells_of_says_so(self, capsys):
        own = answers.find("0.6.8")
        made = own.made | {"cubins": "0123", "origin": "flashinfer-cubin 0.6.14 in sp"}
        answers.write(replace(own, inventory=replace(own.inventory, release="0.6.14"), made=made), None)
        _, told = bisect(capsys, NEMOTRON, "--good", "0.6.14", "--bad", "0.6.7", "--stage", "kernel")
        steps = {step["release"]: step["reason"] for step in told["steps"]}
        assert steps["0.6.14"].endswith("(of a local package: flashinfer-cubin 0.6.14 in sp)")
        assert not any("local package" in reason for release, reason in steps.items() if release != "0.6.14")

    @pytest.mark.parametrize(
        ("arguments", "code", "message"),
        [
            ((NEMOTRON, "--good", "0.6.7", "--bad", "0.6.8"), 2, "is as good as|Exchange --good and --bad"),
            ((NEMOTRON, "--good", "0.6.8", "--bad", "0.6.13"), 2, "--bad 0.6.13 is as good as --good 0.6.8"),
            ((NEMOTRON, "--good", "0.6.8", "--bad", "0.6.8"), 2, "are both 0.6.8"),
            ((NEMOTRON, "--good", "0.6.8", "--bad", "9.9"), 2, "unknown release '9.9'"),
            ((NEMOTRON, "--good", "window", "--bad", "0.6.8"), 2, "--good names .* releases"),
            ((NEMOTRON, "--good", "0.6.14", "--bad", "0.6.7"), 3, "--good 0.6.14  NOT_RUN at kernel"),
            (
                (NEMOTRON, "--good", "0.6.14", "--bad", "0.6.7"),
                3,
                "kernels 0.6.14 --cubins PATH --select. Or",
            ),
            ((NEMOTRON[:-1], "--good", "0.6.8", "--bad", "0.6.7"), 2, "Did you mean nemotron-h"),
            (
                ("activation=relu2", "--good", "0.6.8", "--bad", "0.6.7"),
                2,
                "names .* cells, and one is asked",
            ),
            (("release=0.6.8", "--good", "0.6.8", "--bad", "0.6.7"), 2, "unknown axis 'release'"),
            (("gating=gated and gating=nongated", "--good", "0.6.8", "--bad", "0.6.7"), 2, "names no cell"),
            (
                (NEMOTRON.replace("trtllm_bf16", "torch"), "--good", "0.6.8", "--bad", "0.6.7"),
                2,
                "no stage kernel",
            ),
            ((NEMOTRON, "--good", "0.6.8", "--bad", "0.6.7", "--engine", "sglang-9"), 2, "unknown engine"),
        ],
    )
    def test_bad_input_is_one_message(self, arguments, code, message, capsys):
        import re

        assert main(["bisect", *arguments, "--stage", "kernel"]) == code
        told = capsys.readouterr()
        assert told.out == ""
        assert re.search(message, told.err)
        assert "Traceback" not in told.err


@pytest.mark.wheels
def test_the_release_that_took_activation_type_by_its_wheel(capsys):
    """And releases after it whose wheels say the same."""
    status, told = bisect(capsys, NEMOTRON, "--good", "0.6.13", "--bad", "0.5.3", "--stage", "surface")
    assert status == Exit.AS_EXPECTED
    assert (told["before"]["release"], told["after"]["release"]) == ("0.6.7.post3", "0.6.8")
    assert "passes activation_type, which trtllm_bf16_moe does not take" in told["before"]["reason"]


@pytest.mark.wheels
def test_the_release_that_took_activation_type_by_its_live_signature(capsys, tmp_path):
    """Installed and imported; what `surface` says of the same releases."""
    question = (NEMOTRON, "--good", "0.6.8.post1", "--bad", "0.6.7.post2", "--stage", "bind")
    status, told = bisect(capsys, *question, "--out", str(tmp_path / "runs"))
    assert status == Exit.AS_EXPECTED
    assert (told["before"]["release"], told["after"]["release"]) == ("0.6.7.post3", "0.6.8")
    assert told["environment"] == "lean"
    assert told["before"]["verdict"] == "FAIL_API"
    assert "passes activation_type" in told["before"]["reason"]
    for step in told["steps"]:
        assert (tmp_path / "runs" / step["release"] / "journal.jsonl").is_file()
