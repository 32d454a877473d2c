import subprocess
import sys

import pytest
import torch

from matrix.errors import InputError
from matrix.kernels.moe import backends, compare
from matrix.kernels.moe.backends import refusals, torch_fallback, trtllm, trtllm_bf16_routed


@pytest.mark.parametrize("name", backends.MODULES)
def test_each_backend_offers_both_functions(name):
    module = backends.find(name)
    assert callable(module.prepare)
    assert callable(module.call)


def test_an_unknown_backend_names_the_nearest():
    with pytest.raises(InputError, match=r"unknown backend 'trtlm_bf16'.*\n.*trtllm_bf16"):
        backends.find("trtlm_bf16")


def test_the_torch_backend_is_right(layer):
    one = layer()
    prepared = torch_fallback.prepare(one.problem, one.made.gemm1, one.made.gemm2)
    output = torch_fallback.call(one.problem, prepared, one.made, path="fallback")
    assert compare.compare(output, one.answer()).right


@pytest.mark.parametrize("weight", [0.5, -0.5, 0.0, 1.0, -3.0])
def test_packing_keeps_ids_and_weights_even_negative_ones(weight):
    ids = torch.tensor([[0, 5, 511]])
    packed = trtllm_bf16_routed.pack(ids, torch.full((1, 3), weight))
    assert packed.dtype == torch.int32
    assert torch.equal(packed >> 16, ids.int())
    halves = (packed & 0xFFFF).to(torch.int16).view(torch.bfloat16)
    assert torch.equal(halves, torch.full((1, 3), weight, dtype=torch.bfloat16))


def kernel_of_today(*, routed_scaling_factor, x):
    return [x, routed_scaling_factor]


def kernel_of_0_5_3(*, x):
    return x


def test_a_list_and_a_tensor_are_both_an_output():
    assert trtllm.run(kernel_of_today, {"routed_scaling_factor": 2.5, "x": 7}) == 7
    assert trtllm.run(kernel_of_0_5_3, {"routed_scaling_factor": 1.0, "x": 7}) == 7


def test_a_scaling_factor_that_cannot_be_passed_is_refused():
    with pytest.raises(refusals.RefusedError, match=r"2\.5"):
        trtllm.run(kernel_of_0_5_3, {"routed_scaling_factor": 2.5, "x": 7})


def test_an_unknown_path_is_refused(layer):
    one = layer()
    with pytest.raises(refusals.RefusedError, match="not 'fallback'"):
        trtllm.keywords(one.problem, None, None, path="fallback", routing="TopK")


def test_what_engines_may_vendor_and_the_host_reads_imports_no_torch():
    modules = ["activations", "routings", "problem", "profiles", "backends", "backends.refusals"]
    code = "import sys; sys.modules['torch'] = None\n" + "\n".join(
        f"import matrix.kernels.moe.{name}" for name in modules
    )
    subprocess.run([sys.executable, "-c", code], check=True)
