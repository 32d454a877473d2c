import pytest
import torch

from matrix.kernels.moe.backends import refusals
from matrix.kernels.moe.fallback import UnfitError


class BackendSupportedError(Exception):
    """Named as FlashInfer's, which exists in some releases only."""


class AcceleratorError(RuntimeError):
    """As torch raises for a sticky error, which cannot be made without a GPU."""

    error_code = 700


REFUSED = {
    "its kernels are not present": [
        RuntimeError("Artifact not found locally: a/checksums.txt\nFLASHINFER_NO_DOWNLOAD is set - refusing"),
        AssertionError("Failed to get checksums.txt from https://x/y"),
    ],
    "not among those it is built for": [
        RuntimeError("No supported CUDA architectures found for major versions [10]."),
        RuntimeError("No supported CUDA architectures found for major versions [10, 12]."),
        RuntimeError("FlashInfer requires GPUs with sm75 or higher"),
        BackendSupportedError("trtllm_bf16_moe does not support compute capability 90"),
    ],
    "own check refuses the GPU": [
        RuntimeError(
            "Check failed: (major == 10 || major == 12) is false: MoE kernel requires SM 10.x or SM 12.x "
            "architecture. Current device has SM 90"
        ),
        RuntimeError("MoE kernel requires 10.x architecture. Current device has SM 90"),
    ],
    "no compiler": [
        RuntimeError("Could not find nvcc and default cuda_home='/usr/local/cuda' doesn't exist"),
        FileNotFoundError(2, "No such file or directory", "ninja"),
    ],
    "no GPU": [
        AssertionError("Torch not compiled with CUDA enabled"),
        RuntimeError("No CUDA GPUs are available"),
    ],
    "no kernel for the activation": [
        RuntimeError("Unsupported eltwise activation type Silu of enum 2"),
        RuntimeError("Invalid activation type: 12"),
    ],
    "no kernel for the routing": [
        RuntimeError("Unimplemented routing method Default of enum 0"),
        RuntimeError("For DeepSeek routing method, must have topK <= 22"),
        RuntimeError("Routing kernel expects topK experts <= 8, got 22"),
    ],
    "no kernel for the shape": [
        RuntimeError("No kernel found for the given options: mDtypeA: Bfloat16"),
        RuntimeError("the second dimension of weights must be a multiple of 128."),
        ValueError("top_k must be between 1 and num_experts"),
        RuntimeError("intermediate_size has incorrect shape."),
    ],
    "cannot be made": [refusals.RefusedError("this release takes no routed_scaling_factor")],
    "does not know": [UnfitError("hidden states of torch.float64")],
}

NOT_REFUSED = [
    AcceleratorError("CUDA error: an illegal memory access was encountered"),
    AcceleratorError("MoE kernel requires SM 10.x"),  # a sticky error stays one, whatever its text
    RuntimeError("CUDA error: unspecified launch failure"),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
    TypeError("trtllm_bf16_moe() got an unexpected keyword argument 'activation_type'"),
    RuntimeError("Ninja build failed. Ninja output: ..."),
    RuntimeError("Header a.h at /x has wrong checksum"),
    RuntimeError(""),
    KeyboardInterrupt("MoE kernel requires SM 10.x"),
]


@pytest.mark.parametrize("error", NOT_REFUSED, ids=repr)
def test_not_a_refusal(error):
    assert refusals.refusal(error) is None


@pytest.mark.parametrize(
    ("reason", "error"), [(reason, error) for reason, errors in REFUSED.items() for error in errors]
)
def test_a_refusal_says_why_and_with_what_text(reason, error):
    answer = refusals.refusal(error)
    assert reason in answer
    assert answer.endswith(str(error).splitlines()[0])


def test_every_reason_is_tested():
    told = [refusals.refusal(error) for errors in REFUSED.values() for error in errors]
    for reason in refusals.TEXTS:
        assert any(answer.startswith(reason) for answer in told), reason
