"""The release's real module on a GPU that it must refuse.

`kernel-matrix kernels R --select --package DIR` lays it out on any machine; here KERNEL_MATRIX_PACKAGE names DIR, and
FlashInfer R is installed beside a torch for this GPU.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = os.environ.get("KERNEL_MATRIX_PACKAGE", "")
HERE = Path(__file__).parent

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not PACKAGE, reason="KERNEL_MATRIX_PACKAGE names no package"),
]


def test_the_kernels_own_check_refuses_another_gpu():
    import torch

    major, minor = torch.cuda.get_device_capability()
    if major == 10:
        pytest.skip("this GPU runs the kernel")
    variables = {
        "PYTHONPATH": os.pathsep.join([PACKAGE, str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")]),
        "FLASHINFER_CUBIN_DIR": str(Path(PACKAGE) / "cubins"),
        "FLASHINFER_CUDA_ARCH_LIST": "10.0a",  # read when FlashInfer is imported
    }
    done = subprocess.run(
        [sys.executable, HERE / "refuse.py"],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.strip().splitlines()[-1])
    for answer in told.values():
        assert answer["verdict"] == "UNSUPPORTED", answer
        assert "the kernel's own check refuses the GPU" in answer["reason"]
        assert f"Current device has SM {major}{minor}" in answer["evidence"]["text"]
