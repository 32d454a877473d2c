"""What a wheel declares, in the form of what an import finds."""

import inspect

from matrix.kernels.moe.probe import ENUMS, KERNELS
from matrix.releases.store import Store
from matrix.run.declared import capability
from matrix.surface.library import Library

CORE = """
from enum import IntEnum

class ActivationType(IntEnum):
    Swiglu = 3
    Relu2 = 6

class WeightLayout(IntEnum):
    BlockMajorK = 2

def trtllm_bf16_moe(routing_logits, weight_layout: int = WeightLayout.BlockMajorK, *, tune=8192, which=unknown()):
    pass
"""


def test_functions_enums_and_what_is_not_there(tmp_path):
    package = tmp_path / "flashinfer" / "fused_moe"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "core.py").write_text(CORE)
    (package / "__init__.py").write_text("from .core import WeightLayout, trtllm_bf16_moe\n")
    found = capability(Library(store=Store(tmp_path / "store")).get(str(tmp_path)))
    parameters = found.signatures["trtllm_bf16"].parameters
    assert list(parameters) == ["routing_logits", "weight_layout", "tune", "which"]
    assert parameters["routing_logits"].default is inspect.Parameter.empty
    assert parameters["weight_layout"].default == 2
    assert parameters["tune"].kind is inspect.Parameter.KEYWORD_ONLY
    assert parameters["tune"].default == 8192
    assert parameters["which"].default == "unknown()"
    assert found.enums["ActivationType"] == {"Swiglu": 3, "Relu2": 6}
    assert set(found.failures) == {"trtllm_bf16_routed", "RoutingMethodType"}
    assert str(found.failures["trtllm_bf16_routed"]).startswith(
        "from flashinfer.fused_moe import trtllm_bf16_routed_moe raised ImportError: cannot import name"
    )
    assert {*found.signatures, *found.enums, *found.failures} == {*KERNELS, *ENUMS}
