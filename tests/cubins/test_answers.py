"""The answers that come with the package."""

import json
import os
from dataclasses import replace

import pytest

from matrix.cubins import agreement, answers, names
from matrix.cubins.inventory import Group
from matrix.errors import InputError
from matrix.releases import window
from matrix.releases.store import Store

RELEASES = answers.known()
ASKED = ["0.5.3", "0.6.7.post3", "0.6.8.post1", "0.6.11.post1", "0.6.12", "0.6.13"]


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("empty"))
    return lambda release: answers.find(release, store)


def test_releases_of_the_window_are_known_as_far_as_their_kernels_are_published(load):
    known = [release.version for release in window.load(window.BUILT_IN).releases if load(release.version)]
    assert known == ["0.5.3", "0.6.7.post3", "0.6.8.post1", "0.6.11.post1"]
    assert len(RELEASES) >= 26
    assert set(ASKED) <= set(RELEASES)


@pytest.mark.parametrize("release", RELEASES)
def test_names_and_selection_agree(release, load):
    known = load(release)
    assert known.inventory.release == release
    assert known.inventory.unparsed == ()
    assert known.made["command"] == f"kernel-matrix kernels {release} --select"
    if release in {"0.4.0", "0.4.1"}:  # sdists that ask for a version of tvm-ffi which is gone
        assert known.selection is None
        assert known.problem["verdict"] == "INSTALL_ERROR"
        return
    told = agreement.disagreements(known)
    if release in {"0.5.0", "0.5.1"}:  # before there was a BF16 MoE
        assert len(told) == 1
        assert told[0].startswith("silu-gated: 52 kernels by name, and the selection code says: RuntimeError")
    else:
        assert told == []


@pytest.mark.parametrize("release", RELEASES)
def test_no_folder_of_a_machine_stands_in_a_file(release):
    text = (answers.FOLDER / f"{release}.json").read_text(encoding="utf-8")
    assert "site-packages" not in text
    assert "/root" not in text
    assert "/home" not in text


def test_known_configurations(load):
    """As they were asked by hand."""
    for release, expected in {
        "0.6.7.post3": [352, None, 8],
        "0.6.11.post1": [352, 352, 8],
    }.items():
        told = [load(release).selection.find("deepseek-v3", "silu-gated", tokens=t) for t in (1, 64, 8192)]
        assert all(wanted in (None, found) for found, wanted in zip(told, expected, strict=True))
    relu2 = load("0.6.11.post1").selection
    assert [relu2.find("nemotron-h", "relu2-nongated", tokens=t) for t in (1, 64, 8192)] == [176, 176, 6]
    assert relu2.find("nemotron-h-nano", "relu2-nongated", tokens=1) == 0  # 1856 is no multiple of 128
    assert relu2.find("nemotron-h-nano+pad", "relu2-nongated", tokens=1) > 0


def test_refusals_word_for_word(load):
    old = load("0.6.7.post3").selection.find("nemotron-h", "relu2-nongated", tokens=1)
    assert old.startswith(
        "RuntimeError: Error in function 'TrtllmGenBatchedGemmRunner' at flashinfer/data/csrc/"
    )
    assert "No kernel found for the given options: mDtypeA: Bfloat16, mDtypeB: Bfloat16" in old
    new = load("0.6.11.post1").selection
    assert "No kernel found for the given options" in new.find("deepseek-v3", "gelu-gated", tokens=1)
    assert "Unsupported eltwise activation type  Silu" in new.find("deepseek-v3", "silu-nongated", tokens=1)


def test_the_oldest_list_is_empty_at_every_shape(load):
    assert load("0.5.3").selection.silent
    assert not load("0.6.8.post1").selection.silent


def test_relu2_taken_out_of_the_names_is_caught(load):
    known = load("0.6.8.post1")
    groups = {kind: group for kind, group in known.inventory.groups.items() if kind.activation != "relu2"}
    told = agreement.disagreements(replace(known, inventory=replace(known.inventory, groups=groups)))
    assert told == [
        "relu2-nongated: no kernel by name, and the selection code finds up to 356 configurations"
    ]


def test_a_kernel_by_name_that_no_code_finds_is_caught(load):
    known = load("0.6.7.post3")
    swiglu = next(
        kind
        for kind in known.inventory.groups
        if kind[:5] == (names.MOE, "Bfloat16", "Bfloat16", "Bfloat16", "swiGlu")
    )
    groups = known.inventory.groups | {swiglu._replace(activation="relu2"): Group(count=36)}
    (told,) = agreement.disagreements(replace(known, inventory=replace(known.inventory, groups=groups)))
    assert told.startswith("relu2-nongated: 36 kernels by name, and the selection code says: RuntimeError")


def test_assertions_of_engines(load):
    table = {each.engine: each for each in agreement.assertions(load("0.6.8.post1"))}
    assert agreement.runnable(load("0.6.8.post1")) == {"silu-gated", "relu2-nongated"}
    assert (table["sglang-0.5.11"].fit, table["sglang-0.5.11"].refused) == ("too narrow", ("relu2-nongated",))
    assert table["sglang-0.5.12"].fit == "too wide"
    assert table["sglang-0.5.12"].unserved == ("silu-nongated",)
    old = {each.engine: each.fit for each in agreement.assertions(load("0.6.7.post3"))}
    assert old["sglang-0.5.11"] == "equal"


def test_an_unknown_release_says_what_would_help(load):
    assert load("0.6.14") is None
    problem = answers.missing("0.6.14")
    assert problem["verdict"] == "NOT_RUN"
    assert "0.6.14" in problem["reason"]
    assert "kernel-matrix kernels 0.6.14 --cubins PATH --select" in problem["remedy"]
    assert "releases after 0.6.13 are published by FlashInfer itself" in problem["remedy"]
    assert "There is no flashinfer-cubin before 0.4.0" in answers.missing("0.3.0")["remedy"]


def test_what_was_asked_here_goes_first(load, tmp_path):
    store = Store(tmp_path)
    known = replace(load("0.6.8.post1"), made=HERE)
    answers.write(known, None, store)
    assert answers.find("0.6.8.post1", store) == known


def test_answers_of_a_local_package_never_stand_for_the_releases_own(load, tmp_path):
    store, own = Store(tmp_path), load("0.6.8.post1")
    local = replace(own, made=HERE | {"cubins": "0123", "origin": "a folder"})
    path = answers.write(local, None, store)
    assert answers.find("0.6.8.post1", store) == own
    assert answers.find("0.6.8.post1", store, cubins="4567") == own
    assert answers.find("0.6.8.post1", store, cubins="0123") == local
    assert (own.local, local.local, local.origin) == (False, True, "a folder")
    path.write_bytes(b"{")
    assert answers.find("0.6.8.post1", store, cubins="0123") == own
    for release, digest in (("0.6.14", "a"), ("0.6.14", "b")):  # nothing else is known of it
        told = replace(
            local, inventory=replace(own.inventory, release=release), made=local.made | {"cubins": digest}
        )
        os.utime(answers.write(told, None, store), (1, 1) if digest == "a" else None)
    assert answers.find("0.6.14", store).made["cubins"] == "b"
    kept = replace(told, selection=None, problem=answers.not_asked("0.6.14"), made={})
    answers.write(kept, None, store)
    assert answers.find("0.6.14", store) == kept


HERE = {"command": "here", "arch": answers.ARCH, "cuda": "13.0"}
FAILURES = [("NOT_RUN", "no compiler"), ("OUT_OF_MEMORY", "0 GiB are free"), ("BUILD_ERROR", "error: x")]


@pytest.mark.parametrize(("verdict", "reason"), FAILURES)
def test_a_failure_hides_and_replaces_no_answer(load, tmp_path, verdict, reason):
    store, good = Store(tmp_path), load("0.6.8.post1")
    failed = replace(good, selection=None, problem={"verdict": verdict, "reason": reason, "remedy": ""})
    answers.write(failed, None, store)
    assert answers.find("0.6.8.post1", store) == good  # of the package
    here = replace(good, made=HERE)
    answers.write(here, None, store)
    answers.write(failed, None, store)
    assert answers.find("0.6.8.post1", store) == here  # of the cache
    for known in (here, failed):
        answers.write(known, tmp_path / "written")
    assert answers.find("0.6.8.post1", Store(tmp_path / "none"), tmp_path / "written") == here


def test_a_failure_of_the_machine_leaves_the_kernels_and_is_forgotten(load, tmp_path):
    """A release that nothing was known of: what its cubins said stays, and the next machine may have a compiler."""
    store, good = Store(tmp_path), load("0.6.8.post1")
    unknown = replace(good, inventory=replace(good.inventory, release="0.6.14"), selection=None)
    answers.write(replace(unknown, problem={"verdict": "NOT_RUN", "reason": "no compiler"}), None, store)
    found = answers.find("0.6.14", store)
    assert found.inventory == unknown.inventory
    assert found.problem == answers.not_asked("0.6.14")
    assert not found.failed
    answers.write(replace(unknown, problem={"verdict": "BUILD_ERROR", "reason": "error: x"}), None, store)
    assert answers.find("0.6.14", store).failed


def test_answers_for_two_architectures_lie_side_by_side(load, tmp_path):
    store, good = Store(tmp_path), load("0.6.8.post1")
    other = replace(good, made=good.made | {"arch": "10.3a"})
    path = answers.write(other, None, store)
    assert path.name == "0.6.8.post1-sm10.3a.json"
    assert answers.find("0.6.8.post1", store) == good
    assert answers.find("0.6.8.post1", store, arch="10.3a") == other
    untold = answers.find("0.6.8", store, arch="10.3a")
    assert untold.selection is None
    assert untold.problem["remedy"] == "kernel-matrix kernels 0.6.8 --select --arch 10.3a"


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ((), 7),
        (("made",), []),
        (("made",), {}),
        (("problem",), 7),
        (("selection",), 7),
        (("selection", "counts"), {"x": 7}),
        (("selection", "counts"), {}),
        (("selection", "counts", "deepseek-v3"), {}),
        (("selection", "counts", "deepseek-v3", "silu-gated"), [0]),
        (("selection", "counts", "deepseek-v3", "silu-gated"), 10**6),
        (("selection", "columns", 0), 7),
        (("selection", "columns", 0), ["a"] * 5),
        (("selection", "columns", 0), [1]),
        (("selection", "columns", 0), [-100] * 5),
        (("selection", "tokens"), None),
        (("selection", "splits"), [7]),
        (("inventory", "groups", 0), 7),
        (("inventory", "groups", 0, 7), "many"),
        (("inventory", "groups", 0, 8), 7),
    ],
)
def test_a_damaged_file_of_the_cache_hides_nothing(load, tmp_path, place, value, caplog):
    good = load("0.6.8.post1")
    store = Store(tmp_path)
    path = answers.write(replace(good, made=HERE), None, store)
    data = {"whole": json.loads(path.read_bytes())}
    inner = data
    for key in (*("whole", *place)[:-1],):
        inner = inner[key]
    inner[("whole", *place)[-1]] = value
    path.write_text(json.dumps(data["whole"]))
    assert answers.find("0.6.8.post1", store) == good
    assert "It is passed over." in caplog.text


def test_names_that_do_not_parse_say_nothing_to_a_worker(load):
    known = load("0.6.8.post1")
    told = replace(known, inventory=replace(known.inventory, groups={}, unparsed=("Bmm_new",)))
    assert agreement.disagreements(told) == []
    assert (
        "no name of a kernel of FlashInfer 0.6.8.post1 can be read" in told.for_worker()["problem"]["reason"]
    )


@pytest.mark.parametrize(
    "text", ["", "{}", '{"schema": "kernel-matrix/kernels/1", "made": {}}', '{"schema": "other"}']
)
def test_a_damaged_file_is_named(text, tmp_path):
    (tmp_path / "0.6.8.json").write_text(text)
    with pytest.raises(InputError, match=r"0\.6\.8\.json is damaged or not of kernel-matrix/kernels/1"):
        answers.find("0.6.8", Store(tmp_path / "store"), tmp_path)


def test_a_worker_gets_plain_data(load):
    from matrix.cubins.shipped import Shipped

    data = json.loads(json.dumps(load("0.6.11.post1").for_worker()))
    known = Shipped.of(data)
    assert known.members == ("Swiglu", "Relu2")
    assert known.configurations("nemotron-h", "relu2-nongated", 64) == 176
    assert known.splits("nemotron-h", "relu2-nongated")["EP1 TP2"] == 0
    assert known.splits("nemotron-h", "relu2-nongated")["EP8 TP1"] > 0
    assert (
        Shipped.of(json.loads(json.dumps(load("0.5.3").for_worker()))).configurations(
            "deepseek-v3", "silu-gated", 1
        )
        is None
    )
