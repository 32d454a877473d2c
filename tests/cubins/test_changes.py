"""The difference of two releases in a few lines, from the answers that come with the package."""

import pytest

from matrix.cubins import answers, changes
from matrix.releases.store import Store


@pytest.fixture
def between(tmp_path):
    return lambda old, new: changes.between(old, new, Store(tmp_path))


def test_the_release_that_brought_relu2(between):
    told = between("0.6.7.post3", "0.6.8")
    assert told.lines() == [
        "BF16 relu2 MoE kernels: 0 -> 36",
        "selection for nemotron-h: 'No kernel found for the given options' -> 176 configurations",
    ]
    kernels, selection = told.to_json()["changes"]
    assert kernels == {"what": "kernels", "subject": "relu2", "old": 0, "new": 36}
    assert selection["old"].startswith("RuntimeError: Error in function 'TrtllmGenBatchedGemmRunner'")
    assert selection["new"] == 176
    assert between("0.6.8", "0.6.7.post3").lines()[0] == "BF16 relu2 MoE kernels: 36 -> 0"


def test_releases_that_are_alike_have_no_line(between):
    assert between("0.6.8", "0.6.8.post1").lines() == []
    assert between("0.6.3", "0.6.4").lines() == []  # a list that is empty at every shape says nothing


def test_an_enum_without_the_activation_and_a_kernel_without_one(between):
    assert "not askable: this release's GatedActType has no Relu2" in between("0.5.3", "0.6.8").lines()[-1]
    assert between("0.5.2", "0.5.3").lines()[0] == "BF16 MoE kernels: 52 -> 36"


def test_what_is_not_known_is_said(between):
    told = between("0.6.8", "0.6.14")
    assert told.changes == ()
    (line,) = told.lines()
    assert line.startswith("the kernels of FlashInfer 0.6.14 are not known here; ")
    assert "`kernel-matrix kernels 0.6.14 --cubins PATH --select` makes them known" in line
    (untold,) = between("0.4.1", "0.6.8").unknown
    assert untold.startswith("the selection code of FlashInfer 0.4.1 was not asked: ")
    assert "\n" not in untold


@pytest.mark.parametrize("release", answers.known())
def test_every_release_against_itself(between, release):
    assert between(release, release).changes == ()
