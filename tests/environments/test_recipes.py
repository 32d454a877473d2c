from __future__ import annotations

import pytest

from matrix.environments import recipes
from matrix.errors import InputError

KNOWN = recipes.load()


def test_the_recipes_are_the_documented_ones():
    assert {"full", "lean", "inherit", "absent", "lacking", "skewed", "full-cpu"} <= set(KNOWN.by_name)
    assert all(recipe.why and recipe.name == name for name, recipe in KNOWN.by_name.items())
    assert KNOWN.torch.startswith("torch==")


def test_the_default_is_lean_without_a_gpu_and_full_with_one():
    assert KNOWN.default(gpu=False).name == "lean"
    assert KNOWN.default(gpu=True).name == "full"


def test_a_default_run_holds_the_ones_that_are_made_to_fail():
    assert [recipe.name for recipe in KNOWN.faulty()] == ["absent", "lacking", "skewed"]
    assert all(recipe.releases for recipe in KNOWN.faulty())


def test_lists_are_filled_in():
    lean = KNOWN.named("lean")
    assert "numpy" in lean.base
    assert any(item.startswith("pytest") for item in lean.base)
    assert not any(item.startswith("{needs") for item in lean.base)


def test_inherit_names_no_torch():
    inherit = KNOWN.named("inherit")
    assert inherit.base == recipes.HOST
    assert not any("torch" in item for item in (*inherit.requires, *inherit.exact, *inherit.missing))


def test_an_unknown_recipe_brings_the_nearest():
    with pytest.raises(InputError, match=r"unknown environment 'leen'\.\n  Did you mean lean"):
        KNOWN.named("leen")


HEAD = 'schema = 1\ntorch = "torch"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("schema = ", "is not valid TOML"),
        ("", "schema is None, not 1"),
        ("schema = 3\n", "schema is 3, not 1"),
        ("schema = 1\n", "'torch' is missing"),
        (HEAD + "[recipe.a]\nwhy = 'w'\n", "[recipe.a]: 'base' is missing"),
        (HEAD + "[recipe.a]\nbase = 'host'\n", "[recipe.a]: 'why' is missing"),
        (
            HEAD + "[recipe.a]\nwhy = 'w'\nbase = []\nrequire = []\n",
            "unknown key 'require'.\n  Did you mean requires",
        ),
    ],
)
def test_a_file_that_does_not_hold_is_named(tmp_path, text, message):
    path = tmp_path / "recipes.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        recipes.load(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
