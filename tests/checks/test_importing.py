from __future__ import annotations

import pytest

from matrix.checks import importing
from matrix.kernels.moe.probe import Failure
from matrix.verdicts import Verdict

SILU = "trtllm_bf16/silu-gated/deepseek_v3/draft/bias-fp32/deepseek-v3"
ROUTED = "trtllm_bf16_routed/silu-gated/renormalize/target/bias-none/qwen3-moe"
TORCH = "torch/relu2-nongated/deepseek_v3/draft/bias-fp32/nemotron-h"


def failure(kind="RuntimeError", text="no GPU\nand more", moment="import flashinfer"):
    return Failure(moment=moment, type=kind, text=text, frame="flashinfer/utils.py:3 in look")


def test_what_imports_passes(bench, named):
    answer = importing.check(named(SILU), bench)
    assert answer.verdict is Verdict.PASS
    assert answer.reason == "FlashInfer 0.7.2 imports"


def test_the_torch_backend_imports_nothing(change, named):
    assert importing.check(named(TORCH), change(failures={"flashinfer": failure()})) is None


@pytest.mark.parametrize(
    ("raised", "guard", "remedy"),
    [
        (("ModuleNotFoundError", "No module named 'urllib3'"), "", "Install the package named above"),
        (("ImportError", "cannot import name 'x' from 'y'"), "", "Pin a release that has this function"),
        (("ImportError", "libcudart.so.13: cannot open"), "", "Guard the import with `except Exception`"),
        (
            ("AssertionError", "Torch not compiled with CUDA enabled"),
            "no `except ImportError`",
            "CUDA build of torch",
        ),
        (
            ("RuntimeError", "flashinfer-cubin version (0.0.1) does not match flashinfer version (0.6.14)"),
            "no `except ImportError`",
            "of the same version",
        ),
        (("SystemExit", "1"), "no `except ImportError`", "Guard the import with `except Exception`"),
        (("Panic", ""), "no `except ImportError`", "Guard the import"),
    ],
)
def test_a_failure_with_its_type_text_frame_and_remedy(change, named, raised, guard, remedy):
    kind, text = raised
    answer = importing.check(named(SILU), change(failures={"trtllm_bf16": failure(kind, text)}))
    assert answer.verdict is Verdict.IMPORT_ERROR
    assert answer.reason.startswith(f"import flashinfer raises {kind}: {text or 'no message'}")
    assert ("no `except ImportError` catches it" in answer.reason) is bool(guard)
    assert remedy in answer.remedy
    assert answer.evidence["frame"] == "flashinfer/utils.py:3 in look"
    assert answer.evidence["type"] == kind


def test_only_the_first_line_is_the_reason(change, named):
    answer = importing.check(named(SILU), change(failures={"trtllm_bf16": failure()}))
    assert "and more" not in answer.reason
    assert answer.evidence["text"] == "no GPU\nand more"


def test_each_backend_is_asked_for_its_own_function(change, named):
    bench = change(failures={"trtllm_bf16_routed": failure("ImportError", "cannot import name")})
    assert importing.check(named(SILU), bench).verdict is Verdict.PASS
    assert importing.check(named(ROUTED), bench).verdict is Verdict.IMPORT_ERROR


@pytest.mark.parametrize("name", ["ActivationType", "RoutingMethodType"])
def test_an_enum_that_the_call_needs_belongs_to_it(change, named, name):
    moment = f"from flashinfer.fused_moe import {name}"
    bench = change(failures={name: failure("ImportError", f"cannot import name '{name}'", moment)})
    answer = importing.check(named(SILU), bench)
    assert answer.verdict is Verdict.IMPORT_ERROR
    assert answer.reason.startswith(f"{moment} raises ImportError")
    other = change(failures={"WeightLayout": failure()})
    assert importing.check(named(SILU), other).verdict is Verdict.PASS


def test_where_failing_is_what_is_asked_for_it_is_right(change, named):
    answer = importing.check(named(SILU), change(faulty=True, failures={"trtllm_bf16": failure()}))
    assert answer.verdict is Verdict.PASS
    assert answer.reason.startswith("RuntimeError, as this environment is made to raise: no GPU")
    assert answer.evidence["moment"] == "import flashinfer"


def test_where_nothing_fails_that_is_asked_for_it_is_said(change, named):
    """As with a flashinfer-cubin of another version beside 0.7.2, which only warns."""
    answer = importing.check(named(SILU), change(faulty=True))
    assert answer.verdict is Verdict.PASS
    assert answer.reason == "FlashInfer 0.7.2 imports, although this environment is made to fail"
