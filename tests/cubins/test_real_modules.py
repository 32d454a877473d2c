"""Real selection code, compiled here from a release's own sources: minutes, and a cache that keeps it."""

import re
from dataclasses import replace

import pytest

from matrix.cubins import (
    agreement,
    answers,
    compiler,
    gather,
    module,
    questions,
    selection,
    settings,
    sources,
    toolchain,
)
from matrix.cubins.refusals import NoSelectionError
from matrix.environments.installer import Installer
from matrix.kernels.moe import profiles
from matrix.releases.index import Index
from matrix.releases.store import Store
from matrix.verdicts import Verdict

RELEASE = "0.6.11.post1"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def workshop():
    loaded, installer, index = settings.load(), Installer.find(), Index()
    yield module.Workshop(
        settings=loaded,
        toolchain=toolchain.find(loaded, installer),
        installer=installer,
        index=index,
    )
    index.network.close()


def ask(workshop):
    loaded = workshop.settings
    asked = questions.every(profiles.load(), loaded.ask)
    told = selection.ask(module.make(RELEASE, workshop), asked, loaded, workshop.toolchain)
    return selection.arrange(asked, told, loaded)


@pytest.fixture
def cubins(workshop, tmp_path, monkeypatch):
    """The headers of the release's kernels as FlashInfer's cache holds them, to be changed by a test."""
    monkeypatch.setenv(compiler.UNCHECKED, "1")
    for name, data in sources.headers(RELEASE, None, workshop.index).items():
        path = tmp_path / "cubins" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "cubins"


def metainfo(cubins):
    (path,) = cubins.glob("*/batched_gemm*/include/flashinferMetaInfo.h")
    return path


def test_the_committed_answers_come_out_again(workshop, tmp_path):
    known = answers.find(RELEASE, Store(tmp_path))
    assert ask(workshop) == known.selection


def without_relu2(text):
    """The list of kernels without those of BF16 relu2, and how many were taken out."""
    first, *kernels = re.split(r"(?m)^(?=\{nullptr)", text)
    kept = [kernel for kernel in kernels if not re.search(r"_Bfloat16_Bfloat16Bfloat16_.*_relu2_", kernel)]
    length = f"ListLen = {len(kernels)};"
    assert length in first
    return "".join([first.replace(length, f"ListLen = {len(kept)};"), *kept]), len(kernels) - len(kept)


def test_relu2_taken_out_of_the_header_is_caught(workshop, cubins):
    path = metainfo(cubins)
    text, taken = without_relu2(path.read_text(encoding="utf-8"))
    assert taken == 36
    path.write_text(text, encoding="utf-8")
    changed = ask(replace(workshop, cubins=cubins))
    assert "No kernel found" in changed.find("nemotron-h", "relu2-nongated", tokens=64)
    assert changed.find("deepseek-v3", "silu-gated", tokens=64) == 352
    known = replace(answers.find(RELEASE), selection=changed)
    (told,) = agreement.disagreements(known)
    assert told.startswith("relu2-nongated: 36 kernels by name, and the selection code says: RuntimeError")


def test_a_header_of_another_form_is_a_build_error(workshop, cubins):
    path = metainfo(cubins)
    path.write_text(path.read_text(encoding="utf-8")[:100_000], encoding="utf-8")
    with pytest.raises(NoSelectionError, match="failed") as raised:
        module.make(RELEASE, replace(workshop, cubins=cubins))
    assert raised.value.verdict is Verdict.BUILD_ERROR
    assert "error" in raised.value.what


def test_a_header_that_is_not_the_releases_is_refused_by_it(workshop, cubins, monkeypatch):
    monkeypatch.delenv(compiler.UNCHECKED)
    path = metainfo(cubins)
    path.write_text(f"{path.read_text(encoding='utf-8')}\n", encoding="utf-8")
    with pytest.raises(NoSelectionError, match="flashinferMetaInfo") as raised:
        module.make(RELEASE, replace(workshop, cubins=cubins))
    assert raised.value.verdict is Verdict.BUILD_ERROR


def test_a_release_whose_kernels_are_not_to_be_had(workshop):
    with pytest.raises(NoSelectionError, match=r"offers flashinfer-cubin 0\.6\.14") as raised:
        module.make("0.6.14", workshop)
    assert raised.value.verdict is Verdict.NOT_RUN


def test_an_architecture_that_the_release_does_not_take(workshop):
    with pytest.raises(NoSelectionError, match="No supported CUDA architectures") as raised:
        module.make(RELEASE, replace(workshop, arch="9.0a"))
    assert raised.value.verdict is Verdict.UNSUPPORTED


def test_memory_that_is_too_small_for_a_compiler(workshop):
    code = workshop.settings.code | {"memory_gib": 10**6, "optimization": "-O1 "}
    found = gather.Finding(release=RELEASE, known=answers.find(RELEASE), problem={})
    small = replace(workshop, settings=replace(workshop.settings, code=code))
    told = gather.ask(found, small, ["x"], workshop.arch)
    assert told.problem["verdict"] == "OUT_OF_MEMORY"
    assert told.known == found.known
