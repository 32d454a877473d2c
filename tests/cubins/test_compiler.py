"""What stands between a release and its answers: compilers, memory, disk."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from matrix.cubins import answers, compiler, gather, settings, toolchain
from matrix.cubins.answers import Known
from matrix.cubins.refusals import NoSelectionError
from matrix.environments.installer import Installer
from matrix.errors import InputError
from matrix.releases.store import Store
from matrix.verdicts import Verdict


def test_no_compiler_is_one_clear_verdict(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NoSelectionError, match=r"no C\+\+ compiler") as raised:
        toolchain.find(settings.load(), Installer(uv=None))
    assert raised.value.verdict is Verdict.NOT_RUN


def test_a_release_without_a_toolchain_keeps_its_kernels_and_the_reason(shelf):
    known = Known(inventory=shelf("0.6.8", "relu2"), selection=None, problem={}, made={})
    found = gather.Finding(release="0.6.8", known=known, problem={})
    refused = NoSelectionError(Verdict.NOT_RUN, "no compiler", "install one")
    told = gather.ask(found, refused, ["kernel-matrix", "kernels", "0.6.8", "--select"], "10.0a")
    assert told.known.inventory == known.inventory
    assert told.known.problem == {"verdict": "NOT_RUN", "reason": "no compiler", "remedy": "install one"}
    assert told.problem == told.known.problem
    assert told.known.failed


def test_a_failure_takes_no_answers_away(tmp_path):
    known = answers.find("0.6.8.post1", Store(tmp_path))
    found = gather.Finding(release="0.6.8.post1", known=known, problem={})
    refused = NoSelectionError(Verdict.NOT_RUN, "no compiler", "install one")
    told = gather.ask(found, refused, ["x"], "10.0a")
    assert told.known == known
    assert told.problem["reason"] == "no compiler"


def test_a_disk_that_is_full_is_one_clear_verdict(monkeypatch, tmp_path):
    """The folder that modules are built in cannot be made, whatever stands in the way."""
    from matrix.cubins import module

    (tmp_path / "cache").touch()
    monkeypatch.setenv("KERNEL_MATRIX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("matrix.cubins.sources.headers", lambda *_: {})
    workshop = module.Workshop(
        settings=settings.load(), toolchain=None, installer=Installer.find(), index=None, cubins=None
    )
    known = answers.find("0.6.8.post1", Store(tmp_path / "store"))
    found = gather.Finding(release="0.6.8.post1", known=known, problem={})
    told = gather.ask(found, workshop, ["x"], "10.0a")
    assert told.known == known
    assert told.problem["verdict"] == "NOT_RUN"
    assert "cannot make the cache folder" in told.problem["reason"]


def test_a_system_toolkit_that_is_not_whole_is_passed_over(tmp_path, monkeypatch):
    (tmp_path / "include").mkdir()
    (tmp_path / "include" / "cuda_runtime.h").touch()
    assert toolchain._look(tmp_path, "system", settings.load()) is None
    for header in settings.load().toolchain["headers"]:
        (tmp_path / "include" / header).touch()
    (tmp_path / "lib64").mkdir()
    (tmp_path / "lib64" / "libcudart.so.13").touch()
    assert toolchain._look(tmp_path, "system", settings.load()) is None  # no nvcc
    nvcc = tmp_path / "bin" / "nvcc"
    nvcc.parent.mkdir()
    nvcc.write_text("#!/bin/sh\necho 'Cuda compilation tools, release 12.9, V12.9.86'\n")
    nvcc.chmod(0o755)
    found = toolchain._look(tmp_path, "system", settings.load())
    assert (found.version, found.origin) == ("12.9", "system")
    assert found.variables()["CUDA_HOME"] == str(tmp_path)


def test_packages_that_cannot_be_installed(monkeypatch, tmp_path):
    monkeypatch.setenv("KERNEL_MATRIX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(toolchain, "_system_homes", lambda: iter(()))
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / "nothing-1-py3-none-any.whl").touch()
    with pytest.raises(NoSelectionError, match="none can be installed") as raised:
        toolchain.find(settings.load(), Installer.find(tmp_path / "wheels"))
    assert raised.value.verdict is Verdict.NOT_RUN
    assert "set CUDA_HOME" in raised.value.remedy
    assert list((tmp_path / "cache" / "toolchains").iterdir()) == []


def test_memory_and_disk_are_looked_at_first():
    with pytest.raises(NoSelectionError, match="GiB of memory are free") as raised:
        compiler.fitting_jobs(10**6, 1, Path.cwd(), 2)
    assert raised.value.verdict is Verdict.OUT_OF_MEMORY
    with pytest.raises(NoSelectionError, match="GiB of disk are free") as raised:
        compiler.fitting_jobs(0.001, 10**6, Path.cwd(), 2)
    assert raised.value.verdict is Verdict.NOT_RUN
    assert compiler.fitting_jobs(0.001, 0, Path.cwd(), 1) == 1


@pytest.fixture
def here(tmp_path):
    """A compiler whose release's Python is whatever program a test puts there."""
    from matrix.cubins.toolchain import Toolchain
    from matrix.environments.build import Built, Environment
    from matrix.environments.fingerprint import look
    from matrix.environments.recipes import load

    known = load()
    environment = Environment(release="0.6.8", recipe=known.named("lean"), torch=known.torch)
    return compiler.Compiler(
        settings=settings.load(),
        toolchain=Toolchain(home=tmp_path, version="13.0", origin="system", cudart=tmp_path / "libcudart.so"),
        built=Built(
            environment=environment,
            prefix=tmp_path / "environment",
            programs=(),
            fingerprint=look(Path(sys.executable)),
            seconds=0.0,
            reused=True,
            installer="uv",
        ),
        folder=tmp_path,
        arch="10.0a",
        jobs=1,
    )


@pytest.fixture
def run(here):
    """Run a program as a compiler would be."""
    return lambda script: here._run([shutil.which("sh"), "-c", script])


def test_headers_of_a_local_package_are_named_and_not_the_release(here, tmp_path):
    python = here.built.python
    python.parent.mkdir(parents=True, exist_ok=True)
    python.write_text("#!/bin/sh\necho 'RuntimeError: flashinferMetaInfo.h not found' >&2; exit 1\n")
    python.chmod(0o755)
    with pytest.raises(NoSelectionError, match="the release does not say how to compile") as raised:
        here.spec()
    assert "flashinfer/jit" in raised.value.remedy
    local = replace(here, cubins=tmp_path / "sp")
    for fail in (local.spec, lambda: local._run([shutil.which("sh"), "-c", "echo not found; exit 1"])):
        with pytest.raises(NoSelectionError, match="not found") as raised:
            fail()
        assert raised.value.verdict is Verdict.BUILD_ERROR
        assert raised.value.what.startswith(
            f"the headers in {tmp_path / 'sp'} are not those that FlashInfer 0.6.8 compiles with:"
        )
        assert "Give an unchanged flashinfer-cubin 0.6.8" in raised.value.remedy


@pytest.mark.parametrize(
    ("script", "verdict", "text"),
    [
        ("echo one; echo 'error: unknown option' >&2; exit 2", Verdict.BUILD_ERROR, "error: unknown option"),
        (
            "echo 'cc1plus: out of memory allocating 65536 bytes'; exit 1",
            Verdict.OUT_OF_MEMORY,
            "out of memory",
        ),
        (
            "echo 'g++: fatal error: Killed signal terminated program cc1plus'; exit 1",
            Verdict.OUT_OF_MEMORY,
            "Killed",
        ),
        ("seq 100; exit 1", Verdict.BUILD_ERROR, "100"),
    ],
)
def test_a_failed_compiler_keeps_its_last_lines(run, script, verdict, text):
    with pytest.raises(NoSelectionError, match=text) as raised:
        run(script)
    assert raised.value.verdict is verdict
    assert len(raised.value.what.splitlines()) <= compiler.TAIL + 1


def test_settings_of_another_schema(tmp_path):
    path = tmp_path / "selection.toml"
    path.write_text("schema = 2\n")
    with pytest.raises(InputError, match="not of schema 1"):
        settings.load(path)
    path.write_text("schema = 1\n[code]\n[other]\n")
    with pytest.raises(InputError, match="other"):
        settings.load(path)
