import pytest

from matrix.engines.agreement import sides

CELL = "0.6.7.post3/lean/{}/silu-gated/deepseek_v3/draft/bias-bf16/small"


def static(verdict, reason=""):
    return {
        "uses": [
            {
                "kind": "call",
                "symbol": "flashinfer.fused_moe.trtllm_bf16_moe",
                "verdict": verdict,
                "reason": reason,
                "breaks": verdict.startswith("broken"),
            }
        ]
    }


def replayed(verdict, reason="", backend="trtllm_bf16"):
    return {"findings": [{"verdict": verdict, "reason": reason, "cells": [CELL.format(backend)]}]}


REFUSED = "TypeError: trtllm_bf16_moe() got an unexpected keyword argument 'activation_type'"

MISSES = "TypeError: trtllm_bf16_moe() missing 1 required positional argument: 'top_k'"
ABSENT = "ImportError: cannot import name 'trtllm_bf16_moe' from 'flashinfer.fused_moe'"


@pytest.mark.parametrize(
    ("mine", "theirs", "agrees"),
    [
        (static("broken at call", REFUSED), replayed("FAIL_API", REFUSED), [True]),
        (static("bound"), replayed("FAIL_API", REFUSED), [False]),
        (static("broken at call", "'enable_pdl'"), replayed("FAIL_API", REFUSED), [False]),
        (static("bound"), replayed("PASS"), [True]),
        (static("broken at call", REFUSED), replayed("PASS"), [False]),
        (static("broken at call", REFUSED), replayed("PASS", backend="cutlass_bf16"), []),
        (static("bound"), replayed("FAIL_API", "sglang-1 binds, but top_k=9 of 16 experts"), [True]),
        (static("broken at call", REFUSED), replayed("FAIL_API", "sglang-1 binds, but top_k=9"), [False]),
        (static("broken at call", MISSES), replayed("FAIL_API", MISSES), [True]),
        (static("bound"), replayed("IMPORT_ERROR", ABSENT), [False]),
        (static("broken at import"), replayed("IMPORT_ERROR", ABSENT), [True]),
        (
            static("bound"),
            replayed("FAIL_API", "TypeError: helper() got an unexpected keyword argument 'x'"),
            [],
        ),
        (static("bound"), replayed("UNSUPPORTED", "AssertionError: only silu"), []),
    ],
)
def test_sides(mine, theirs, agrees):
    assert [side.agrees for side in sides(mine, theirs)] == agrees


def test_cells_are_named_as_replay_prints_them():
    replay = {
        "findings": [
            {"verdict": "PASS", "reason": "", "cells": [CELL.format("trtllm_bf16").split("/", 2)[2]]}
        ]
    }
    assert [side.function for side in sides(static("bound"), replay)] == ["trtllm_bf16_moe"]


def test_both_answers_are_named():
    (side,) = sides(static("bound"), replayed("FAIL_API", REFUSED))
    assert str(side) == (
        "trtllm_bf16_moe: its sources say bound; its own code, called here: refused for activation_type: "
        "they disagree"
    )
