"""Cubin packages with real names of kernels, small enough to write in a test."""

import zipfile

import pytest

from matrix.cubins import inventory
from matrix.releases.index import Index
from matrix.releases.net import Network
from matrix.releases.settings import Settings
from matrix.releases.store import Store

BMM = "39a9d28268f43475a757d5700af135e1e58c9849/batched_gemm-5ee61af-2b9855b"
BF16 = (
    "Bmm_Bfloat16_Bfloat16Bfloat16_Fp32_t128x{tile}x128u2_s5_et128x8_m128x8x16_cga1x1x1_16dp256b_rM_BN_transOut"
    "_schedS_bN_{word}ldgsts_rgTma_clmp_dynB_sm100f"
)
NAMES = {
    "plain": BF16.format(tile=8, word=""),
    "swiglu": BF16.format(tile=16, word="swiGlu_"),
    "relu2": BF16.format(tile=32, word="relu2_"),
    "attention": "fmhaSm100fKernel_QkvE4m3OBfloat16HQk576HV512PagedKvDenseP64VarSeqSkipsSoftmaxQ32Kv64Persistent"
    "SwapsAbForGen",
}


@pytest.fixture(scope="session")
def kernel_names():
    """Real names, by what they compute."""
    return NAMES


@pytest.fixture(scope="session")
def artifact():
    """The folder of an artifact, as releases name it."""
    return BMM


@pytest.fixture(scope="session")
def shelf():
    """An inventory of some of these kernels."""

    def take(release, *kernels):
        return inventory.take(release, "a test", [NAMES[kernel] for kernel in kernels])

    return take


@pytest.fixture
def package(tmp_path):
    """Write a cubin package as a wheel; returns its path."""

    def write(release="0.6.8", checksums=""):
        dist = f"flashinfer_cubin-{release}.dist-info"
        path = tmp_path / f"flashinfer_cubin-{release}-py3-none-any.whl"
        files = {f"flashinfer_cubin/cubins/{BMM}/{name}.cubin": b"" for name in NAMES.values()}
        files |= {
            f"flashinfer_cubin/cubins/{BMM}/checksums.txt": checksums.encode(),
            f"flashinfer_cubin/cubins/{BMM}/include/flashinferMetaInfo.h": b"#pragma once\n",
            f"{dist}/METADATA": f"Name: flashinfer-cubin\nVersion: {release}\n".encode(),
            f"{dist}/RECORD": b"",
        }
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return path

    return write


@pytest.fixture
def library(tmp_path):
    """Write a FlashInfer wheel that only names its artifacts."""

    def write(release="0.6.8"):
        path = tmp_path / f"flashinfer_python-{release}-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("flashinfer/artifacts.py", f'TRTLLM_GEN_BMM: str = (\n    "{BMM}/"\n)\n')
            archive.writestr(f"flashinfer_python-{release}.dist-info/RECORD", "")
        return path

    return write


@pytest.fixture
def index(tmp_path):
    """An index that offers the wheels written here, with a store of its own."""
    settings = Settings(indexes=(), find_links=(str(tmp_path),), offline=True)
    return Index(Network(settings), Store(tmp_path / "store"), refresh=True)


@pytest.fixture
def online(tmp_path):
    """The real index, with an empty store."""
    index = Index(store=Store(tmp_path / "store"))
    yield index
    index.network.close()
