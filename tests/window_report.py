"""Run inside a release's environment by test_window_facts.py: what is live there, as one JSON document."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from enum import Enum
from pathlib import Path

from matrix.cells.cell import Cell
from matrix.checks import binding, layout, selecting
from matrix.checks.bench import Bench
from matrix.kernels.moe import layout as weight_layout

NONGATED = "/trtllm_bf16/relu2-nongated/deepseek_v3/draft/bias-fp32/nemotron-h"


def plain(value):
    return value.name if isinstance(value, Enum) else value


def answered(check, cell, bench):
    answer = check(cell, bench)
    return answer and [answer.verdict.value, answer.reason]


def mistaken(bench, cell):
    """The layout check with SGLang 0.5.12's mistake: `is_gated_act_gemm` keeps its default of True."""
    right = weight_layout.Functions.live()

    def first(cache, weight, tile, is_gated_act_gemm=None):
        return right.first(cache, weight, tile)

    live = weight_layout.Functions.live
    weight_layout.Functions.live = lambda: replace(right, first=first)
    try:
        return answered(layout.check, cell, replace(bench, cache={}))
    finally:
        weight_layout.Functions.live = live


def without(bench, name):
    """The workplace with one keyword less in every live signature."""
    signatures = {
        backend: found.replace(parameters=[p for p in found.parameters.values() if p.name != name])
        for backend, found in bench.capability.signatures.items()
    }
    return replace(bench, capability=replace(bench.capability, signatures=signatures))


def main(plan_path):
    plan = json.loads(Path(plan_path).read_text(encoding="utf-8"))
    bench = Bench.set_up(plan, plan["environments"][0])
    found = bench.capability
    cells = [Cell.from_json(data) for data in plan["cells"]]
    nongated = next(cell for cell in cells if cell.id.endswith(NONGATED))
    report = {
        "release": found.release,
        "failures": {name: str(failure) for name, failure in found.failures.items()},
        "parameters": {name: len(signature.parameters) for name, signature in found.signatures.items()},
        "defaults": {
            name: plain(parameter.default)
            for name, parameter in found.signatures["trtllm_bf16"].parameters.items()
            if parameter.default is not parameter.empty
        },
        "enums": found.enums,
        "binds": {
            engine: {
                backend: binding.unbound(
                    signature,
                    contract["call"][backend]["keywords"],
                    function=contract["call"][backend]["function"],
                    engine=engine,
                )
                or binding.changed_default(signature, contract["relies_on"], found.enums)
                for backend, signature in found.signatures.items()
            }
            for engine, contract in plan["contracts"].items()
        },
        "bind": {cell.id: answered(binding.check, cell, bench) for cell in cells},
        "bind_without_activation_type": answered(binding.check, nongated, without(bench, "activation_type")),
        "select": {cell.id: answered(selecting.check, cell, bench) for cell in cells},
        "layout": answered(layout.check, nongated, bench),
        "layout_mistaken": mistaken(bench, nongated),
    }
    json.dump(report, sys.stdout)


main(sys.argv[1])
