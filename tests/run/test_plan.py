from __future__ import annotations

import json
import subprocess
import sys

import pytest

from matrix.cells import axes
from matrix.environments import recipes
from matrix.environments.build import THIS_PYTHON
from matrix.errors import InputError
from matrix.releases.window import Release
from matrix.run.plan import STAGES, Question, make

RELEASES = [Release(version=version, reason="test") for version in ("0.6.14", "0.7.2.post1")]
AXES = axes.load()


def plan(**changes):
    return make(Question(**{"releases": RELEASES} | changes), AXES, recipes.load(), ["kernel-matrix", "plan"])


def ids(made):
    return [environment.id for environment in made.environments]


def test_the_default_is_lean_with_the_environments_that_fail():
    made = plan()
    assert ids(made) == ["0.6.14/lean", "0.7.2.post1/lean", "none/absent", "0.5.2/lacking", "0.6.14/skewed"]
    assert ids(plan(gpu=True))[0] == "0.6.14/full"
    counts = {environment.id: len(made.cells_of(environment)) for environment in made.environments}
    assert counts["0.6.14/lean"] == counts["0.7.2.post1/lean"] > 100
    assert counts["none/absent"] == counts["0.6.14/skewed"] == len(AXES.must)


def test_a_faulty_recipe_asked_for_by_name_is_tried_on_the_releases_asked_for():
    assert ids(plan(recipes=["skewed"])) == ["0.6.14/skewed", "0.7.2.post1/skewed"]
    assert ids(plan(recipes=["absent", "lacking"])) == ["none/absent", "0.5.2/lacking"]


def test_nothing_is_asked_twice_that_is_named_twice():
    once = plan(recipes=["lean"])
    twice = plan(recipes=["lean", "lean"], pythons=[THIS_PYTHON, THIS_PYTHON], releases=RELEASES * 2)
    assert ids(twice) == ids(once)
    assert [cell.id for cell in twice.cells] == [cell.id for cell in once.cells]
    assert len({cell.id for cell in once.cells}) == len(once.cells)


def test_the_python_is_part_of_the_environment():
    other = "3.13" if THIS_PYTHON != "3.13" else "3.12"
    made = plan(recipes=["lean"], pythons=[THIS_PYTHON, other], releases=RELEASES[:1])
    assert ids(made) == ["0.6.14/lean", f"0.6.14/lean@{other}"]
    only = plan(recipes=["lean"], pythons=[THIS_PYTHON, other], selection=f"environment=lean@{other}")
    assert ids(only) == [f"0.6.14/lean@{other}", f"0.7.2.post1/lean@{other}"]


def test_must_cells_come_first_in_every_environment():
    made = plan()
    for environment in made.environments:
        cells = made.cells_of(environment)
        assert [cell.point for cell in cells[: len(AXES.must)]] == list(AXES.must)
        assert [cell.must for cell in cells] == [cell.point in AXES.must for cell in cells]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipes": ["leen"]}, "unknown environment 'leen'.\n  Did you mean lean"),
        ({"pythons": ["three"]}, "--python 'three' is no version of Python"),
        ({"pythons": ["3"]}, "--python '3' is no version of Python"),
        ({"pythons": ["3.9"]}, "--python 3.9: the checks need 3.10 or later"),
        ({"recipes": ["inherit"], "pythons": ["3.99"]}, "stands on the Python that runs the tool"),
        ({"torch": "torch=="}, "--torch 'torch=='"),
        ({"torch": "numpy"}, "asks for numpy"),
        ({"engine": "sglang-0.5.10"}, "unknown engine 'sglang-0.5.10'.\n  Did you mean sglang-0.5"),
        ({"strength": "4"}, "--strength 4 does not exist"),
        ({"selection": "activation=relu2 and activation=silu"}, "matches no cell"),
        ({"selection": "activation=rellu2"}, "Did you mean relu2"),
        ({"selection": "release=0.6.13"}, "unknown value of axis release '0.6.13'.\n  Did you mean 0.6.14"),
        ({"selection": "environment=full"}, "selection 'environment=full' matches no cell"),
    ],
)
def test_what_does_not_exist_is_one_clear_error(changes, message):
    with pytest.raises(InputError) as caught:
        plan(**changes)
    assert message in str(caught.value)


def test_environments_without_a_cell_are_not_built():
    assert ids(plan(selection="release=0.6.14 and environment=lean and backend=torch")) == ["0.6.14/lean"]


def test_a_plan_is_data_that_a_worker_needs_and_nothing_else():
    made = plan(torch="torch==2.13.0")
    document = json.loads(json.dumps(made.document))
    assert document["stages"][: len(STAGES)] == [stage.value for stage in STAGES]
    assert document["command"] == ["kernel-matrix", "plan"]
    assert {entry["torch"] for entry in document["environments"]} == {"torch==2.13.0"}
    assert document["coverage"]["cells"] == len(document["cells"]) == len(made.cells)
    assert {cell["environment_id"] for cell in document["cells"]} == set(ids(made))
    absent = next(entry for entry in document["environments"] if entry["recipe"] == "absent")
    assert absent["release"] is None
    assert absent["faulty"]


PRINT_HASH = """
from matrix.cells import axes
from matrix.environments import recipes
from matrix.releases.window import Release
from matrix.run.plan import Question, make
question = Question(releases=[Release(version="0.6.14", reason="test")])
document = make(question, axes.load(), recipes.load()).document
print(document["hash"], [cell["id"] for cell in document["cells"]][-1])
"""


def test_the_hash_is_that_of_the_question_in_every_process():
    told = {
        subprocess.run(
            [sys.executable, "-c", PRINT_HASH],
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(told) == 1, told
    assert plan().document["hash"] != plan(selection="role=draft").document["hash"]
    assert plan().document["hash"] == plan().document["hash"]
