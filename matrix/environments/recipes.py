"""Recipes: how a release is installed, read from TOML and made concrete."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matrix import toml
from matrix.errors import InputError, unknown

BUILT_IN = Path(__file__).with_name("recipes.toml")
SCHEMA = 1
NO_RELEASE = "none"
HOST = "host"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One way to install a release; see recipes.toml for what each key means.

    Set by replay alone: `engine`, the engine release that stands beside FlashInfer, as in `sglang==0.5.12`, and
    what makes a layer between base and overlay that the environments of an engine share, so that it is compiled
    once: `layer` is installed without dependencies, `layer_requires` with them.
    """

    name: str
    why: str
    base: tuple[str, ...] | str
    requires: tuple[str, ...] = ()
    exact: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    stub: dict[str, str] = field(default_factory=dict)
    cpu_torch: bool = False
    faulty: bool = False
    optional: bool = False
    releases: tuple[str, ...] = ()
    fixed: bool = False
    engine: str = ""
    layer: tuple[str, ...] = ()
    layer_requires: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Recipe:
        """Read back what `dataclasses.asdict` gave, lists of JSON as tuples."""
        fields: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in data.items()
        }
        return cls(**fields)


@dataclass(frozen=True, kw_only=True)
class Recipes:
    """All recipes of one file, with the torch that they ask for."""

    torch: str
    by_name: dict[str, Recipe]

    def named(self, name: str) -> Recipe:
        """The recipe of that name.

        Raises:
            InputError: no such recipe; names the nearest.
        """
        if name not in self.by_name:
            raise unknown("environment", name, self.by_name)
        return self.by_name[name]

    def default(self, *, gpu: bool) -> Recipe:
        """What a run uses when the user names no recipe: `full` with a GPU, `lean` without one."""
        return self.named("full" if gpu else "lean")

    def faulty(self) -> list[Recipe]:
        """Recipes whose import is meant to fail and that every default run includes."""
        return [recipe for recipe in self.by_name.values() if recipe.faulty and not recipe.optional]


def load(path: Path = BUILT_IN) -> Recipes:
    """Read a recipe file.

    Raises:
        InputError: not TOML, or a key that does not exist; names the file, the recipe and the nearest key.
    """
    data = toml.load(path)
    if data.get("schema") != SCHEMA:
        raise InputError(
            f"{path}: schema is {data.get('schema')!r}, not {SCHEMA}.", f"Set schema = {SCHEMA}."
        )
    lists = {"needs": data.get("needs", []), "harness": data.get("harness", [])}
    recipes = {
        name: _recipe(name, table, lists, f"{path}, [recipe.{name}]")
        for name, table in data.get("recipe", {}).items()
    }
    if not isinstance(data.get("torch"), str):
        raise InputError(
            f"{path}: 'torch' is missing.", 'Write a requirement such as torch = "torch==2.13.0".'
        )
    return Recipes(torch=data["torch"], by_name=recipes)


def _recipe(name: str, table: dict[str, Any], lists: dict[str, list[str]], where: str) -> Recipe:
    known = set(Recipe.__dataclass_fields__) - {"name", "engine", "layer", "layer_requires"}
    for key in table.keys() - known:
        raise unknown("key", key, known, where)
    for key in {"why", "base"} - table.keys():
        raise InputError(
            f"{where}: '{key}' is missing.", "Every recipe says why it exists and what it stands on."
        )

    fields: dict[str, Any] = {
        key: tuple(entry for item in value for entry in lists.get(item.strip("{}"), [item]))
        if isinstance(value, list)
        else value
        for key, value in table.items()
    }
    return Recipe(name=name, **fields)
