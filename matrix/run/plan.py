"""The plan: which cells run in which environments. Pure data, made before anything is installed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement

from matrix import __version__, toml
from matrix.cells import covering, selection
from matrix.cells.cell import Cell
from matrix.cubins import answers
from matrix.engines import contracts, policies
from matrix.environments.build import THIS_PYTHON, Environment
from matrix.environments.recipes import HOST, NO_RELEASE
from matrix.errors import EmptySelectionError, InputError
from matrix.verdicts import Stage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matrix.cells.axes import Axes
    from matrix.cells.cell import Point
    from matrix.environments.recipes import Recipe, Recipes
    from matrix.releases.window import Release

SCHEMA = "kernel-matrix/plan/1"
STAGES = (Stage.IMPORT, Stage.BIND, Stage.SELECT, Stage.KERNEL, Stage.LAYOUT, Stage.NUMERICS)
OLDEST_PYTHON = (3, 10)
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
        replayed: recipes of engine releases whose own code is called on each release, and with which torch.
        pinned: by name of such a recipe, a release of FlashInfer beside which it is replayed as well.
        replay_only: nothing but those, for every activation, gating, routing and role.
        gpu: whether this machine has a GPU.
        window: releases of the window: a selection may name one that this plan does not hold.
    """

    releases: Sequence[Release]
    recipes: Sequence[str] = ()
    pythons: Sequence[str] = (THIS_PYTHON,)
    torch: str = ""
    selection: str = ""
    strength: str = "2"
    engine: str = contracts.DEFAULT
    replayed: Sequence[tuple[Recipe, str]] = ()
    pinned: Mapping[str, str] = field(default_factory=dict)
    replay_only: bool = False
    gpu: bool = False
    window: Sequence[str] = ()


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
    points = (
        covering.product_of(axes, contracts.BACKENDS)
        if question.replay_only
        else covering.cover(axes, question.strength)
    )
    known = {
        **axes.values,
        "release": [*(environment.release for environment in environments), *question.window],
        "environment": [*(environment.name for environment in environments), *recipes.by_name],
    }
    selected = selection.parse(question.selection, known)
    cells = []
    for environment in environments:
        for point in _points(environment, axes, points):
            cell = Cell(
                release=environment.release,
                environment=environment.name,
                point=point,
                must=point in axes.must,
            )
            if selected(cell):
                cells.append(cell)
    if not cells:
        raise EmptySelectionError(
            f"selection '{question.selection}' matches no cell.",
            "--releases and --environment say which environments there are; --strength 3 or all makes more cells.",
        )
    used = {cell.environment_id for cell in cells}
    kept = tuple(environment for environment in environments if environment.id in used)
    coverage = asdict(covering.measure(points, axes, question.strength)) | {"cells": len(cells)}
    document = _document(question, kept, cells, axes) | {"coverage": coverage}
    document["hash"] = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:16]
    document["created"] = datetime.now(timezone.utc).isoformat(timespec="seconds")
    document["command"] = list(command)
    return Plan(environments=kept, cells=tuple(cells), document=document)


def _points(environment: Environment, axes: Axes, points: Sequence[Point]) -> Sequence[Point]:
    """What an environment is asked: where the import fails the must-cells, an engine only for its backends."""
    if environment.recipe.engine:
        return [point for point in points if point.backend in contracts.BACKENDS]
    return axes.must if environment.recipe.faulty else points


def _environments(question: Question, recipes: Recipes) -> list[Environment]:
    """One environment a release, recipe and Python; a faulty recipe brings the releases that it is about."""
    torch = _torch(question.torch) or recipes.torch
    for python in question.pythons:
        _check_python(python)
    asked = [release.version for release in question.releases]
    replayed = [
        Environment(release=release, recipe=recipe, python=python, torch=_torch(question.torch) or its_torch)
        for recipe, its_torch in question.replayed
        for python in question.pythons
        for release in dict.fromkeys([*asked, *filter(None, [question.pinned.get(recipe.name)])])
    ]
    if question.replay_only:
        return replayed
    if question.recipes:
        chosen = [recipes.named(name) for name in question.recipes]
    else:
        chosen = [recipes.default(gpu=question.gpu), *recipes.faulty()]
    for recipe in chosen:
        if recipe.base == HOST and {*question.pythons} != {THIS_PYTHON}:
            raise InputError(
                f"environment '{recipe.name}' stands on the Python that runs the tool, {THIS_PYTHON}.",
                "Leave --python out, or run the tool with that Python.",
            )
    environments = [
        Environment(release=release, recipe=recipe, python=python, torch=torch)
        for recipe in chosen
        for python in question.pythons
        for release in (recipe.releases if recipe.fixed or not question.recipes else ()) or asked
    ]
    return list({environment.id: environment for environment in [*environments, *replayed]}.values())


def _torch(requirement: str) -> str:
    try:
        wanted = requirement and Requirement(requirement).name
    except InvalidRequirement as error:
        raise InputError(f"--torch '{requirement}': {error}.", "Write one as in torch==2.13.0.") from error
    if wanted not in {"", "torch"}:
        raise InputError(f"--torch '{requirement}' asks for {wanted}.", "Write one as in torch==2.13.0.")
    return requirement


def _check_python(version: str) -> None:
    major, _, minor = version.partition(".")
    if not (major.isdecimal() and minor.isdecimal()):
        raise InputError(f"--python '{version}' is no version of Python.", "Write one as in 3.12.")
    if (int(major), int(minor)) < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        raise InputError(f"--python {version}: the checks need {oldest} or later.", "Name a newer Python.")


def _engine(environment: Environment, environments: Sequence[Environment]) -> dict[str, Any]:
    """What a plan says of an engine's environment: its recipe is in no file, so the plan holds it whole.

    The engine's choice of backends does not depend on FlashInfer: the first of its environments tells it.
    """
    if not environment.recipe.engine:
        return {}
    engine, _, release = environment.recipe.engine.partition("==")
    return {
        "engine": {"name": engine, "release": release},
        "stages": [Stage.REPLAY.value],
        "policy": next(one for one in environments if one.recipe == environment.recipe) == environment,
        "definition": asdict(environment.recipe),
    }


def _kernels(release: str) -> dict[str, Any]:
    """What a worker needs to know of a release's GPU kernels, or why it is not known."""
    known = answers.find(release)
    return known.for_worker() if known else {"problem": answers.missing(release)}


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
                **_engine(environment, environments),
            }
            for environment in environments
        ],
        "cells": [cell.to_json() for cell in cells],
        "profiles": {name: profile.to_json() for name, profile in axes.profiles.items()},
        "engine": contracts.load(question.engine),
        "policies": {name: asdict(policy) for name, policy in policies.load().items()},
        "paths": toml.load(PATHS),
        "kernels": {
            release: _kernels(release)
            for release in dict.fromkeys(environment.release for environment in environments)
            if release != NO_RELEASE
        },
    }
