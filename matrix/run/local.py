"""The plan for the FlashInfer of this very interpreter, for `pytest tests/gpu` by hand."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from matrix.cells import axes
from matrix.environments import recipes
from matrix.releases.window import Release
from matrix.run.plan import Question, make


def local_plan() -> dict[str, Any]:
    """Must-cells for the release that is installed here, or for its absence."""
    try:
        release = version("flashinfer-python")
    except PackageNotFoundError:
        release, recipe = "none", "absent"
    else:
        recipe = "inherit"
    question = Question(releases=[Release(version=release, reason="installed here")], recipes=[recipe])
    plan = make(question, axes.load(), recipes.load())
    plan.document["cells"] = [cell.to_json() for cell in plan.cells if cell.must]
    return plan.document
