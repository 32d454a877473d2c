"""What the probe keeps of an import, in processes of their own.

The faults stand in tests/planted: no release exits, panics or hangs as it is imported. What releases really raise is in
tests/test_window_facts.py.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
SETUP = """
import json, sys
sys.path[:0] = {paths!r}
from matrix.kernels.moe.probe import probe, KERNELS, ENUMS
"""
REPORT = """
found = probe()
assert probe() is found
print(json.dumps({
    "release": found.release,
    "kernels": sorted(found.kernels),
    "signatures": {name: list(signature.parameters) for name, signature in found.signatures.items()},
    "enums": found.enums,
    "failures": {name: vars(failure) | {"said": str(failure)} for name, failure in found.failures.items()},
    "seconds": found.import_seconds,
    "modules": sorted({name.partition(".")[0] for name in sys.modules}),
}))
"""
KERNELS = ["trtllm_bf16", "trtllm_bf16_routed"]
ENUMS = ["ActivationType", "RoutingMethodType", "WeightLayout"]


def probed(before="", *, planted=True, faults=None, after=REPORT):
    """What `probe` says in a bare process: no site-packages, no torch, nothing but the standard library."""
    paths = [str(TESTS.parent), *([str(TESTS / "planted")] if planted else [])]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", SETUP.format(paths=paths) + before + after],
        env={"PLANTED": json.dumps(faults or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_everything_that_is_there():
    found = probed()
    assert found["release"] == "9.9.9"
    assert found["failures"] == {}
    assert found["kernels"] == KERNELS
    assert "activation_type" in found["signatures"]["trtllm_bf16"]
    assert found["enums"]["ActivationType"]["Relu2"] == 6
    assert sorted(found["enums"]) == ENUMS
    assert found["seconds"] > 0


def test_nothing_but_the_standard_library_is_imported():
    found = probed(planted=False)
    assert set(found["modules"]) - set(sys.stdlib_module_names) <= {"__main__", "matrix"}


def test_no_torch_at_module_level():
    script = (
        f"import sys; sys.path.insert(0, {str(TESTS.parent)!r})\n"
        "from matrix.kernels.moe import dispatch, policy, probe\n"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules, sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-I", "-c", script], check=True)


def test_absent():
    found = probed(planted=False)
    assert found["release"] is None
    assert sorted(found["failures"]) == sorted(["flashinfer", *KERNELS, *ENUMS])
    for failure in found["failures"].values():
        assert failure["type"] == "ModuleNotFoundError"
        assert failure["text"] == "No module named 'flashinfer'"
        assert failure["moment"] == "import flashinfer"


@pytest.mark.parametrize("kind", ["RuntimeError", "SystemExit", "Panic"])
def test_whatever_an_import_raises_is_kept_with_its_frame(kind):
    found = probed(faults={"import": f"fail {kind}"})
    assert found["release"] is None
    assert sorted(found["failures"]) == sorted(["flashinfer", *KERNELS, *ENUMS])
    failure = found["failures"]["trtllm_bf16"]
    assert failure["type"] == kind
    assert failure["text"] == "planted"
    assert failure["frame"].startswith("flashinfer/faults.py:")
    assert failure["frame"].endswith(" in fail")
    assert failure["said"].startswith(f"import flashinfer raised {kind}: planted (flashinfer/faults.py:")


def test_ctrl_c_goes_through():
    after = """
try:
    probe()
except KeyboardInterrupt:
    print('"went through"')
"""
    assert probed(faults={"import": "kill SIGINT"}, after=after) == "went through"


COUNT = """
class Count:
    seen = 0
    def find_spec(self, name, path=None, target=None):
        Count.seen += name == "flashinfer"
sys.meta_path.insert(0, Count())
"""


@pytest.mark.parametrize("faults", [{}, {"import": "fail RuntimeError"}])
def test_the_package_is_imported_once(faults):
    after = "probe(); probe(); print(Count.seen)"
    assert probed(COUNT, faults=faults, after=after) == 1


def test_symbols_fail_one_by_one():
    found = probed("import flashinfer.fused_moe as f; del f.trtllm_bf16_routed_moe\n")
    assert found["kernels"] == ["trtllm_bf16"]
    failure = found["failures"].pop("trtllm_bf16_routed")
    assert failure["type"] == "ImportError"
    assert failure["text"] == "cannot import name 'trtllm_bf16_routed_moe' from 'flashinfer.fused_moe'"
    assert failure["moment"] == "from flashinfer.fused_moe import trtllm_bf16_routed_moe"
    assert failure["frame"] == "flashinfer/fused_moe/__init__.py"
    assert found["failures"] == {}


def test_a_symbol_that_raises_as_it_is_looked_up():
    found = probed(
        "import flashinfer.fused_moe as f; del f.WeightLayout\n"
        "def lazy(name): raise RuntimeError(f'{name} wants a GPU')\n"
        "f.__getattr__ = lazy\n"
    )
    assert found["failures"]["WeightLayout"]["type"] == "RuntimeError"
    assert found["failures"]["WeightLayout"]["text"] == "WeightLayout wants a GPU"
    assert found["kernels"] == KERNELS


def test_a_submodule_that_is_gone():
    found = probed(
        "import flashinfer.fused_moe\nsys.modules['flashinfer.fused_moe.core'] = None\ndel flashinfer.fused_moe.core\n"
    )
    assert found["failures"]["ActivationType"]["type"] == "ModuleNotFoundError"
    assert list(found["failures"]) == ["ActivationType"]


@pytest.mark.parametrize(
    ("change", "name", "kind"),
    [
        ("f.trtllm_bf16_moe = 3", "trtllm_bf16", "TypeError"),
        ("f.core.ActivationType = object", "ActivationType", "AttributeError"),
        (
            "import enum; f.core.ActivationType = enum.Enum('A', {'Relu2': 'six'})",
            "ActivationType",
            "ValueError",
        ),
    ],
)
def test_a_symbol_of_another_kind_is_a_failure_of_its_own(change, name, kind):
    found = probed(f"import flashinfer.fused_moe as f\n{change}\n")
    assert list(found["failures"]) == [name]
    assert found["failures"][name]["type"] == kind
    assert name not in found["kernels"]
    assert name not in found["enums"]


def test_an_alias_of_a_member_is_a_name_too():
    found = probed(
        "import enum, flashinfer.fused_moe as f\n"
        "f.core.ActivationType = enum.IntEnum('A', {'ReluSquared': 6, 'Relu2': 6, 'Swiglu': 3})\n"
    )
    assert found["enums"]["ActivationType"] == {"ReluSquared": 6, "Relu2": 6, "Swiglu": 3}
