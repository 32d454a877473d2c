from __future__ import annotations

import pytest

from matrix.engines import config
from matrix.engines.replay import recipe
from matrix.engines.replay.recipe import Subject
from matrix.environments.recipes import Recipe
from matrix.errors import InputError

PUBLISHED = ["0.5.9", "0.5.10", "0.5.11", "0.5.12", "0.5.12.post1", "0.5.13", "0.5.22", "0.5.23"]
REQUIRES = [
    "transformers==5.6.0",
    "torch==2.11.0",
    'transformers==9; extra == "odd"',
    "flashinfer_python==0.6.11.post1",
]


def releases(*terms):
    return [subject.release for subject in recipe.subjects(terms, lambda _: PUBLISHED)]


def test_an_engine_alone_means_its_default_releases_and_the_newest():
    assert releases("sglang") == ["0.5.11", "0.5.12", "0.5.13", "0.5.23"]


def test_a_range_starts_at_the_first_release_that_has_the_code():
    assert releases("sglang>=0.5.9,<0.5.13") == ["0.5.11", "0.5.12", "0.5.12.post1"]
    assert releases("SGLang==0.5.12", "sglang==0.5.12") == ["0.5.12"]


@pytest.mark.parametrize(
    ("term", "message"),
    [
        ("sglang==", "names no engine release"),
        ("sglnag", "unknown engine 'sglnag'.\n  Did you mean sglang"),
        ("sglang==0.5.14", "sglang has no release 0.5.14.\n  Next to it are 0.5.13 and 0.5.22."),
        ("sglang==9.9.9", "sglang has no release 9.9.9.\n  The newest is 0.5.23."),
        ("trtllm==1.0", "'trtllm' cannot be replayed.\n  Those that can: sglang, vllm."),
        ("sglang==0.5.10", "sglang==0.5.10: replay of sglang starts at 0.5.11; older releases are laid out"),
        ("sglang<0.5.11", "Name 0.5.11 or a later one."),
        ("sglang==0.1", "sglang has no release 0.1.\n  Next to it are 0.5.9."),
    ],
)
def test_what_names_no_release_is_one_clear_error(term, message):
    with pytest.raises(InputError) as caught:
        releases(term)
    assert message in str(caught.value)


def test_only_the_engines_own_pins_are_taken_from_its_metadata():
    made = recipe.recipe(Subject(engine="sglang", release="0.5.12"), REQUIRES)
    assert made.layer_requires == ("transformers==5.6.0",)
    assert made.layer == ("sglang==0.5.12",)
    assert made.exact == ("flashinfer-python=={release}",)
    assert made.base[0] == "{torch}"
    assert not any("flashinfer" in item for item in made.base)
    assert made.engine == "sglang==0.5.12"


def test_a_recipe_survives_the_plan():
    from dataclasses import asdict
    from json import dumps, loads

    made = recipe.recipe(Subject(engine="sglang", release="0.5.12"), REQUIRES)
    assert Recipe.from_json(loads(dumps(asdict(made)))) == made


@pytest.mark.parametrize("engine", recipe.engines())
def test_every_package_has_a_reason_and_torchvision_belongs_to_torch(engine):
    setting = recipe.load(engine)
    assert all(package.reason for package in (*setting.pins, *setting.packages))
    versions = {
        package.name.partition("==")[0]: package.name.partition("==")[2] for package in setting.packages
    }
    assert versions["torchvision"], "a torchvision that floats breaks with the next torch"
    assert "==" in setting.torch


def test_a_package_without_a_reason_is_refused(tmp_path):
    path = tmp_path / "environment.toml"
    text = (config.HERE / "sglang" / "environment.toml").read_text(encoding="utf-8")
    path.write_text(text + '\n[[package]]\nname = "x"\n', encoding="utf-8")
    with pytest.raises(InputError, match="Give each a name and a reason"):
        recipe.load("sglang", path)
