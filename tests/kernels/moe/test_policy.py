from __future__ import annotations

import pytest

from matrix.kernels.moe.policy import Family, Policy

FAMILY = Family(name="Qwen", architectures=("QwenMoe",), quantizations=("fp8", "none"), otherwise="cutlass")
FREE = Family(name="Llama", architectures=("Llama",), quantizations=("fp8",), any_a2a=True)
AFTER = Policy(engine="e-2", majors=(10,), draft="same_as_target", families=(FAMILY, FREE))
BEFORE = Policy(engine="e-1", majors=(10,), draft="avoid_trtllm", families=(FAMILY, FREE))
SM100 = (10, 0)


@pytest.mark.parametrize(
    ("arguments", "options", "backend", "reason"),
    [
        (("QwenMoe", SM100), {}, "flashinfer_trtllm", "e-2 selects it for Qwen, quantization none"),
        (("QwenMoe", (10, 3)), {}, "flashinfer_trtllm", "e-2 selects it for Qwen"),
        (("QwenMoe", SM100), {"requested": "triton"}, "triton", "asked for explicitly: triton"),
        (("Other", SM100), {}, "auto", "e-2 has no rule for Other"),
        (
            ("QwenMoe", SM100),
            {"quantization": "fp4"},
            "auto",
            "has a rule for Qwen with fp8, none, not with fp4",
        ),
        (("QwenMoe", (9, 0)), {}, "cutlass", "the automatic choice asks for SM100"),
        (("QwenMoe", (12, 0)), {}, "cutlass", "the automatic choice asks for SM100"),
        (("QwenMoe", None), {}, "cutlass", "the automatic choice asks for SM100"),
        (("QwenMoe", SM100), {"a2a": "deepep"}, "cutlass", "all-to-all backend deepep"),
        (("Llama", SM100), {"a2a": "deepep", "quantization": "fp8"}, "flashinfer_trtllm", "for Llama"),
        (("Llama", SM100), {}, "auto", "with fp8, not with none"),
    ],
)
def test_the_target(arguments, options, backend, reason):
    choice = AFTER.target(*arguments, **options)
    assert choice.backend == backend
    assert reason in choice.reason


@pytest.mark.parametrize("target", ["flashinfer_trtllm", "flashinfer_trtllm_routed"])
def test_before_the_change_drafts_avoid_trtllm_and_after_it_they_do_not(target):
    assert BEFORE.drafted(target).backend == "auto"
    assert "steers drafts away" in BEFORE.drafted(target).reason
    assert AFTER.drafted(target).backend == target


def test_a_draft_inherits_everything_else():
    for policy in (BEFORE, AFTER):
        assert policy.drafted("flashinfer_cutlass").backend == "flashinfer_cutlass"
        assert policy.drafted("flashinfer_trtllm", "triton").backend == "triton"


def test_before_the_change_asking_for_trtllm_is_the_engines_own_error():
    choice = BEFORE.drafted("auto", "flashinfer_trtllm")
    assert choice.backend is None
    assert "asserts" in choice.reason
    assert AFTER.drafted("auto", "flashinfer_trtllm").backend == "flashinfer_trtllm"


def test_what_a_draft_gets_instead():
    policy = Policy(
        engine="e-3",
        majors=(10,),
        draft="same_as_target",
        families=(),
        draft_instead={"megamoe": "flashinfer_trtllm", "lora_*": "auto"},
    )
    assert policy.drafted("megamoe").backend == "flashinfer_trtllm"
    assert policy.drafted("lora_x").backend == "auto"
    assert policy.drafted("flashinfer_trtllm").backend == "flashinfer_trtllm"
