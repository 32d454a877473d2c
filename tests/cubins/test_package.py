"""The module of a release as a package that FlashInfer loads."""

import runpy
from pathlib import Path

from matrix.cubins import package
from matrix.cubins.compiler import ASKED, PLAIN
from matrix.cubins.module import Module


def test_flashinfer_finds_the_module_and_its_headers(tmp_path):
    made = tmp_path / "made"
    made.mkdir()
    (made / ASKED).write_bytes(b"with a device in place of a GPU")
    (made / PLAIN).write_bytes(b"plain")
    module = Module(
        path=made / ASKED,
        python=Path("python"),
        parameters=(),
        enums={},
        name="fused_moe_trtllm_sm100",
        source_hash="",
        seconds=0.0,
        cached=True,
    )
    package.write(tmp_path / "out", "0.6.11.post1", module, {"a/b/checksums.txt": b"0 x"}, "10.0a")
    told = runpy.run_path(str(tmp_path / "out" / package.CACHE_PACKAGE / "__init__.py"))
    assert told["__version__"] == "0.6.11.post1"
    (provider,) = told["get_jit_cache_providers"]()
    assert provider.cuda_architectures == ["sm100a"]
    folder = Path(told["get_jit_cache_dir"]())
    assert (folder / provider.modules[0] / f"{provider.modules[0]}.so").read_bytes() == b"plain"
    assert (tmp_path / "out" / package.CUBINS / "a/b/checksums.txt").read_bytes() == b"0 x"
