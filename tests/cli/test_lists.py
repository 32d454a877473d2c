"""`releases`, `cells` and `plan`: what would run, for people and for machines."""

from __future__ import annotations

import json

import pytest

from matrix.errors import Exit
from matrix.releases import window

WINDOW = [release.version for release in window.load(window.BUILT_IN).releases]


def test_releases(kernel_matrix):
    told = kernel_matrix("releases")
    assert told.code == 0
    assert [line.split()[0] for line in told.out.splitlines()] == WINDOW
    assert told.err == ""


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (["releases"], "releases"),
        (["cells", "role=draft"], "cells"),
        (["cells", "--axes"], "axes"),
        (["plan"], "environments"),
    ],
)
def test_json_is_one_document_and_nothing_else(kernel_matrix, arguments, key):
    told = kernel_matrix(*arguments, "--json")
    assert told.code == 0
    assert key in json.loads(told.out)
    assert told.err == ""


def test_cells_are_listed_one_a_line_and_counted_on_the_side(kernel_matrix):
    told = kernel_matrix("cells", "activation=relu2 and role=draft and environment=lean and release=0.6.14")
    lines = told.out.splitlines()
    assert lines
    assert all(line.startswith("0.6.14/lean/") and "/relu2-nongated/" in line for line in lines)
    assert told.err.startswith(f"{len(lines)} cells in 1 environments; ")
    counted = kernel_matrix("cells", "--count", "release=0.6.14 and environment=lean")
    assert counted.out.startswith(
        "109 cells in 1 environments; 109 points cover 544 of 544 combinations of 2 axes"
    )


def test_a_listed_cell_selects_itself(kernel_matrix):
    cell = kernel_matrix("cells", "release=0.6.14").out.splitlines()[17]
    assert kernel_matrix("cells", cell).out == cell + "\n"


def test_axes_and_rules(kernel_matrix):
    told = kernel_matrix("cells", "--axes").out
    assert "routing x bias: the routing method takes no bias" in told
    assert told.startswith("backend     trtllm_bf16, trtllm_bf16_routed, torch\n")


def test_a_plan_for_people(kernel_matrix):
    told = kernel_matrix("plan").out.splitlines()
    assert [line.split()[0] for line in told[:-1]][: len(WINDOW)] == [f"{version}/lean" for version in WINDOW]
    assert "cells in 10 environments, plan " in told[-1]


def test_a_plan_for_a_workflow(kernel_matrix):
    told = kernel_matrix("plan", "--environment", "full", "--github")
    include = json.loads(told.out)["include"]
    assert [job["release"] for job in include] == WINDOW
    assert include[0]["slug"] == "0.5.3-full"
    assert all(job["cells"] > 0 for job in include)
    assert len(told.out.splitlines()) == 1


def test_the_same_question_has_the_same_hash(kernel_matrix):
    first, second = (kernel_matrix("plan", "--json").json() for _ in range(2))
    assert first["hash"] == second["hash"]
    assert (
        kernel_matrix("plan", "--json", "--strength", "3", "release=0.6.14").json()["hash"] != first["hash"]
    )


def test_a_release_outside_the_window_needs_the_index_and_says_so(kernel_matrix, offline):
    told = kernel_matrix("run", "--releases", "0.6.15", env=offline)
    assert told.code == Exit.BAD_INPUT
    assert told.out == ""
    assert "kernel-matrix: cannot read http://127.0.0.1:9/simple/flashinfer-python/" in told.err
    assert "Check the network" in told.err


def test_what_the_window_holds_needs_none(kernel_matrix, offline):
    assert kernel_matrix("releases", "--releases", "window,0.6.14", env=offline).code == 0
    assert kernel_matrix("plan", env=offline).code == 0


@pytest.mark.wheels
@pytest.mark.parametrize(
    ("terms", "message"),
    [
        (["0.6.99"], "unknown release '0.6.99'.\n  Nearest published releases: "),
        ([">=99"], "no release matches '>=99'"),
        (["lates"], "Did you mean latest"),
    ],
)
def test_unknown_releases_against_the_real_index(kernel_matrix, terms, message):
    told = kernel_matrix("releases", *[word for term in terms for word in ("--releases", term)])
    assert told.code == Exit.BAD_INPUT
    assert message in told.err


@pytest.mark.wheels
def test_published_releases(kernel_matrix):
    told = kernel_matrix("releases", "--releases", ">=0.6.8,<0.7", "--json").json()
    versions = [release["version"] for release in told["releases"]]
    assert {"0.6.8", "0.6.8.post1", "0.6.14", "0.6.18.post1"} <= set(versions)
    assert not any("rc" in version for version in versions)
    assert set(WINDOW) <= {
        r["version"] for r in kernel_matrix("releases", "--releases=all", "--json").json()["releases"]
    }
