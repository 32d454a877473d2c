from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from matrix.environments.fingerprint import Fingerprint, Gpu, asked_by, gpus, look
from matrix.errors import EnvironmentBuildError

FOUND = Fingerprint(python="3.11.7", torch="2.13.0+cpu", cuda=None, packages={"numpy": "2.0"})
SM90 = Gpu(name="NVIDIA H100", compute_capability="9.0", driver="580.1", device="0")


def test_an_interpreter_is_looked_at_without_importing_torch():
    found = look(Path(sys.executable))
    assert found.python == platform.python_version()
    assert found.packages["pytest"] == version("pytest")
    assert found.packages["pytest-xdist"] == version("pytest-xdist")


def test_the_torch_and_its_build():
    torch = pytest.importorskip("torch")
    found = look(Path(sys.executable))
    assert (found.torch, found.cuda) == (str(torch.__version__), torch.version.cuda)


def test_what_a_distribution_asks_for():
    asked = asked_by(Path(sys.executable), ["pytest"])
    assert any(item.startswith("pluggy") for item in asked)
    assert not any("extra" in item for item in asked)
    assert asked_by(Path(sys.executable), []) == []


def test_a_fingerprint_is_that_of_everything_in_it():
    told = FOUND.on([SM90])
    assert told["gpu"] == "NVIDIA H100"
    assert (told["compute_capability"], told["driver"], told["gpus"]) == ("9.0", "580.1", 1)
    assert told["torch_build"] == "CPU"
    hashes = {
        told["hash"],
        FOUND.on([])["hash"],
        FOUND.on([Gpu(**vars(SM90) | {"driver": "590.0"})])["hash"],
        Fingerprint(**vars(FOUND) | {"torch": "2.14.0"}).on([SM90])["hash"],
        Fingerprint(**vars(FOUND) | {"packages": {"numpy": "2.1"}}).on([SM90])["hash"],
    }
    assert len(hashes) == 5
    assert FOUND.on([SM90]) == told


ROWS = [
    "NVIDIA H100, 9.0, 580.1, 0, GPU-aaaa1111",
    "NVIDIA B200, 10.0, 580.1, 1, GPU-bbbb2222",
    "NVIDIA B200, 10.0, 580.1, 2, GPU-cccc3333",
]


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """A program that answers as `nvidia-smi` does on a machine with three GPUs: this one may have none."""

    def install(lines=ROWS, status=0):
        program = tmp_path / "nvidia-smi"
        echoed = "".join(f"echo '{line}'\n" for line in lines)
        program.write_text(f"#!/bin/sh\n{echoed}exit {status}\n", encoding="utf-8")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    return install


@pytest.mark.parametrize(
    ("visible", "devices"),
    [
        (None, ["0", "1", "2"]),
        ("1,2", ["1", "2"]),
        ("2, 0", ["2", "0"]),
        ("", []),
        ("-1", []),
        ("1,7,2", ["1"]),
        ("GPU-cccc", ["GPU-cccc"]),
        ("NoDevFiles", []),
        ("MIG-dddd", ["MIG-dddd"]),
    ],
)
def test_only_the_gpus_that_the_user_left_visible_are_used(driver, monkeypatch, visible, devices):
    driver()
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [gpu.device for gpu in gpus()] == devices


def test_each_is_named_as_the_driver_does(driver, monkeypatch):
    driver()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,0")
    assert [(gpu.name, gpu.compute_capability) for gpu in gpus()] == [
        ("NVIDIA B200", "10.0"),
        ("NVIDIA H100", "9.0"),
    ]


def test_a_driver_that_fails_means_no_gpu(driver, tmp_path, monkeypatch):
    driver(["NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."], status=9)
    assert gpus() == []
    driver(["Failed to initialize NVML: Driver/library version mismatch"])
    assert gpus() == []
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    assert gpus() == []


def test_an_interpreter_that_cannot_tell_is_an_error(tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'SyntaxError: damaged' >&2; exit 1\n", encoding="utf-8")
    python.chmod(0o755)
    with pytest.raises(
        EnvironmentBuildError, match="cannot say which packages it holds: SyntaxError: damaged"
    ):
        look(python)
