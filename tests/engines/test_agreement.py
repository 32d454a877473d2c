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


@pytest.mark.parametrize(
    ("mine", "theirs", "agrees"),
    [
        (static("broken at call", REFUSED), replayed("FAIL_API", REFUSED), [True]),
        (static("bound"), replayed("FAIL_API", REFUSED), [False]),
        (static("broken at call", "'enable_pdl'"), replayed("FAIL_API", REFUSED), [False]),
        (static("bound"), replayed("PASS"), [True]),
        (static("broken at call", REFUSED), replayed("PASS"), [False]),
        (static("broken at call", REFUSED), replayed("PASS", backend="cutlass_bf16"), []),
        (static("bound"), replayed("UNSUPPORTED", "AssertionError: only silu"), []),
    ],
)
def test_sides(mine, theirs, agrees):
    assert [side.agrees for side in sides(mine, theirs)] == agrees
