"""Ask stage `numerics` for two cells of the release that is live here, and print the answers as one JSON line."""

import json
import sys

from matrix.cells import axes
from matrix.cells.cell import Cell
from matrix.checks import numerics
from matrix.checks.bench import Bench

CELLS = (
    "trtllm_bf16/silu-gated/deepseek_v3/target/bias-fp32/deepseek-v3",
    "trtllm_bf16/relu2-nongated/deepseek_v3/draft/bias-fp32/nemotron-h",
)
known = axes.load()
plan = {"profiles": {name: profile.to_json() for name, profile in known.profiles.items()}, "stages": []}
bench = Bench.set_up(plan, {"faulty": False})
told = {}
for text in CELLS:
    answer = numerics.check(
        Cell(release=bench.release, environment="inherit", point=known.point(text)), bench
    )
    told[text] = {"verdict": answer.verdict.value, "reason": answer.reason, "evidence": answer.evidence}
sys.stdout.write(f"\n{json.dumps(told)}\n")
