"""A workplace without a worker: the planted release's signatures, enums and layout, and the plan that `run` makes."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from matrix.cells import axes as axes_module
from matrix.cells.cell import Cell
from matrix.checks.bench import Bench
from matrix.engines import contracts
from matrix.environments import recipes
from matrix.kernels.moe.probe import Capability
from matrix.releases.window import Release
from matrix.run.plan import Question, make

RELEASE = "0.7.2"
AXES = axes_module.load()


@pytest.fixture(scope="session")
def core():
    """`flashinfer.fused_moe.core` of tests/planted, under another name than the real one's."""
    folder = Path(__file__).parents[1] / "planted" / "flashinfer"
    spec = importlib.util.spec_from_file_location(
        "planted_flashinfer", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    sys.modules["planted_flashinfer"] = package = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)
    return importlib.import_module("planted_flashinfer.fused_moe.core")


@pytest.fixture(scope="session")
def capability(core):
    """What the probe finds in the planted release, with the version of the release that it copies."""
    functions = {"trtllm_bf16": core.trtllm_bf16_moe, "trtllm_bf16_routed": core.trtllm_bf16_routed_moe}
    enums = (core.ActivationType, core.RoutingMethodType, core.WeightLayout)
    return Capability(
        release=RELEASE,
        kernels=functions,
        signatures={name: inspect.signature(function) for name, function in functions.items()},
        enums={enum.__name__: {member.name: int(member) for member in enum} for enum in enums},
    )


@pytest.fixture(scope="session")
def plan():
    question = Question(releases=[Release(version=RELEASE, reason="test")], recipes=["lean"])
    return make(question, AXES, recipes.load()).document


@pytest.fixture
def bench(plan, capability):
    return Bench(
        plan=plan,
        faulty=False,
        capability=capability,
        device="cpu",
        compute_capability=None,
        stages=plan["stages"],
    )


@pytest.fixture
def change(bench):
    """The workplace with some of its capability, contract or plan changed."""

    def changed(*, engine=None, faulty=False, plan=None, **capability):
        document = {**bench.plan, **(plan or {})}
        if engine:
            document["engine"] = contracts.load(engine)
        return replace(
            bench,
            plan=document,
            faulty=faulty,
            capability=replace(bench.capability, **capability),
            cache={},
        )

    return changed


@pytest.fixture
def named():
    """A cell by the axis part of its id."""

    def cell(text):
        return Cell(release=RELEASE, environment="lean", point=AXES.point(text), must=True)

    return cell


@pytest.fixture(scope="session")
def must_cells():
    return [Cell(release=RELEASE, environment="lean", point=point, must=True) for point in AXES.must]


@pytest.fixture
def signature(bench):
    """The signatures with one parameter of both functions replaced, removed or added."""

    def mutated(name, **changes):
        told = {}
        for backend, found in bench.capability.signatures.items():
            parameters = dict(found.parameters)
            if changes.get("remove"):
                parameters.pop(name, None)
            elif name in parameters:
                parameters[name] = parameters[name].replace(**changes)
            else:
                parameters[name] = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, **changes)
            told[backend] = found.replace(parameters=sorted(parameters.values(), key=lambda p: p.kind))
        return told

    return mutated
