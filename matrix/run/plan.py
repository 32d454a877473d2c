"""The plan: which cells run in which environments. Pure data, made before anything is installed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matrix import __version__, toml
from matrix.cells import covering, selection
from matrix.cells.cell import Cell
from matrix.engines import contracts, policies
from matrix.environments.build import THIS_PYTHON, Environment
from matrix.environments.recipes import NO_RELEASE
from matrix.errors import InputError
from matrix.verdicts import Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matrix.cells.axes import Axes
    from matrix.environments.recipes import Recipes
    from matrix.releases.window import Release

SCHEMA = "kernel-matrix/plan/1"
STAGES = (Stage.IMPORT, Stage.BIND, Stage.SELECT, Stage.LAYOUT, Stage.NUMERICS)
PATHS = Path(__file__).parents[1] / "checks" / "paths.toml"


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a user asks for, before it becomes a plan.

    Args:
        releases: those of the window or of `--releases`.
        recipes: names of environments; empty for the default of this machine and the faulty ones.
        pythons: versions of Python.
        torch: requirement for torch, or empty for the recipes' own.
        selection: selection expression.
        strength: 2, 3 or all.
        engine: engine release whose calls are held against each release.
        gpu: whether this machine has a GPU.
    """

    releases: Sequence[Release]
    recipes: Sequence[str] = ()
    pythons: Sequence[str] = (THIS_PYTHON,)
    torch: str = ""
    selection: str = ""
    strength: str = "2"
    engine: str = contracts.DEFAULT
    gpu: bool = False


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Cells, the environments that answer them, and everything a worker needs to do so."""

    environments: tuple[Environment, ...]
    cells: tuple[Cell, ...]
    document: dict[str, Any]

    def cells_of(self, environment: Environment) -> list[Cell]:
        """The cells of one environment, in plan order."""
        return [cell for cell in self.cells if cell.environment_id == environment.id]


def make(question: Question, axes: Axes, recipes: Recipes, command: Sequence[str] = ()) -> Plan:
    """Lay the points over releases and environments.

    Raises:
        InputError: an unknown environment, axis or value, or a selection that no cell matches.
    """
    environments = _environments(question, recipes)
    points = covering.cover(axes, question.strength)
    known = {
        **axes.values,
        "release": [environment.release for environment in environments],
        "environment": [environment.name for environment in environments],
    }
    selected = selection.parse(question.selection, known)
    cells = []
    for environment in environments:
        for point in axes.must if environment.recipe.faulty else points:
            cell = Cell(
                release=environment.release,
                environment=environment.name,
                point=point,
                must=point in axes.must,
            )
            if selected(cell):
                cells.append(cell)
    if not cells:
        raise InputError(
            f"selection '{question.selection}' matches no cell.",
            "List the cells with `kernel-matrix cells`; --strength 3 or all makes more of them.",
        )
    used = {cell.environment_id for cell in cells}
    kept = tuple(environment for environment in environments if environment.id in used)
    coverage = asdict(covering.measure(points, axes, question.strength)) | {"cells": len(cells)}
    document = _document(question, kept, cells, axes) | {"coverage": coverage}
    document["hash"] = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:16]
    document["created"] = datetime.now(timezone.utc).isoformat(timespec="seconds")
    document["command"] = list(command)
    return Plan(environments=kept, cells=tuple(cells), document=document)


def _environments(question: Question, recipes: Recipes) -> list[Environment]:
    """One environment a release, recipe and Python; a faulty recipe brings the releases that it is about."""
    if question.recipes:
        chosen = [recipes.named(name) for name in question.recipes]
    else:
        chosen = [recipes.default(gpu=question.gpu), *recipes.faulty()]
    asked = [release.version for release in question.releases]
    return [
        Environment(release=release, recipe=recipe, python=python, torch=question.torch or recipes.torch)
        for recipe in chosen
        for python in question.pythons
        for release in (recipe.releases if recipe.fixed or not question.recipes else ()) or asked
    ]


def _document(
    question: Question, environments: Sequence[Environment], cells: Sequence[Cell], axes: Axes
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "tool_version": __version__,
        "selection": question.selection,
        "strength": question.strength,
        "stages": [stage.value for stage in STAGES],
        "releases": [asdict(release) for release in question.releases],
        "environments": [
            {
                "id": environment.id,
                "release": None if environment.release == NO_RELEASE else environment.release,
                "name": environment.name,
                "recipe": environment.recipe.name,
                "python": environment.python,
                "torch": environment.torch,
                "faulty": environment.recipe.faulty,
                "why": environment.recipe.why,
            }
            for environment in environments
        ],
        "cells": [cell.to_json() for cell in cells],
        "profiles": {name: profile.to_json() for name, profile in axes.profiles.items()},
        "engine": contracts.load(question.engine),
        "policies": {name: asdict(policy) for name, policy in policies.load().items()},
        "paths": toml.load(PATHS),
    }
