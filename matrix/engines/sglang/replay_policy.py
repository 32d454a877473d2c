"""SGLang's own choice of MoE backends: its resolution of server arguments, step by step, without a server."""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.util
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matrix.engines.replay.policy import Answer, Point
from matrix.engines.replay.standins import StandIn, standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STEPS = (
    "handle_model_specific_adjustments",
    "handle_moe_kernel_config",
    "handle_a2a_moe",
)
"""The steps that decide the target's backend, by the name that they have with or without a leading underscore."""

DRAFT_STEP = "handle_speculative_decoding"
HOOKS = ("model_hook", "moe_hook", "speculative_hook", "overrides")
GIVEN = {
    "device": "cuda",
    "page_size": 1,
    "max_running_requests": 64,
    "disable_radix_cache": True,
    "speculative_num_steps": 3,
    "speculative_eagle_topk": 1,
    "speculative_num_draft_tokens": 4,
}
"""Arguments that have nothing to do with the MoE backend and would be asked of the machine or the model."""

MEMORY = 180 << 30
ALIAS = "NEXTN"
"""A name of EAGLE that the command line takes and the enum does not have."""


def registered(models: Path) -> list[str]:
    """The model classes of an engine's registry: `EntryClass` of each module, read without importing any."""
    found = set()
    for path in sorted(models.rglob("*.py")):
        source = path.read_bytes()
        if b"EntryClass" not in source:
            continue
        for node in ast.parse(source).body:
            if isinstance(node, ast.Assign) and "EntryClass" in {
                target.id for target in node.targets if isinstance(target, ast.Name)
            }:
                found |= {name.id for name in ast.walk(node.value) if isinstance(name, ast.Name)}
    return sorted(found)


class _Config:
    """A configuration of which only what was set has a value."""

    def __init__(self, **known: Any) -> None:
        self.__dict__.update(known)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return None


class Chooser:
    """SGLang's resolution of server arguments in this process."""

    def __init__(self) -> None:
        self.arguments = importlib.import_module("sglang.srt.server_args").ServerArgs
        self.hooks = []
        for name in HOOKS:
            with contextlib.suppress(ImportError):
                self.hooks.append(importlib.import_module(f"sglang.srt.arg_groups.{name}"))
        self.architectures = registered(Path(self._source("sglang.srt.models")))
        members = importlib.import_module("sglang.srt.speculative.spec_info").SpeculativeAlgorithm.__members__
        self.algorithms = [*(name for name in members if name != "NONE"), ALIAS]
        self.unimportable: dict[str, str] = {}
        self.steps = [self._step(name) for name in STEPS]
        self.draft_step = self._step(DRAFT_STEP)

    @staticmethod
    def _source(package: str) -> str:
        """The folder of a package, found without importing it."""
        parent, _, name = package.rpartition(".")
        return str(Path(importlib.import_module(parent).__path__[0]) / name)

    def _step(self, name: str) -> Callable[[Any], None]:
        method = getattr(self.arguments, f"_{name}", None)
        if method is not None:
            return method  # type: ignore[no-any-return]
        for hook in self.hooks:
            if hasattr(hook, name):
                return getattr(hook, name)  # type: ignore[no-any-return]
        raise AttributeError(f"ServerArgs and its hooks have no step {name}")

    @contextlib.contextmanager
    def on(self, capability: tuple[int, int] | None) -> Iterator[None]:
        """Within it, the machine seems to have a GPU of that compute capability."""
        cuda = {
            "is_available": lambda: capability is not None,
            "device_count": lambda: int(capability is not None),
            "get_device_capability": lambda *_: capability,
            "get_device_name": lambda *_: "",
            "mem_get_info": lambda *_: (MEMORY, MEMORY),
        }
        standins = [
            StandIn(module="torch.cuda", name=name, value=value, why="") for name, value in cuda.items()
        ]
        with standing(standins):
            self._forget()
            try:
                yield
            finally:
                for name in self.unimportable:
                    sys.modules.pop(name, None)
        self._forget()

    def _forget(self) -> None:
        """Have the engine ask for the GPU again: its answers are cached functions and one cached object."""
        for name, module in list(sys.modules.items()):
            if name.startswith("sglang.srt"):
                for attribute, value in list(vars(module).items()):
                    if attribute.startswith(("is_", "get_device")) and hasattr(value, "cache_clear"):
                        value.cache_clear()
        context = sys.modules.get("sglang.srt.runtime_context")
        platform = getattr(context, "_PLATFORM", None)
        if platform is not None:
            for attribute in ("_facts", "_cache"):
                if isinstance(getattr(platform, attribute, None), dict):
                    getattr(platform, attribute).clear()

    def choose(self, point: Point) -> Answer:
        """Target and draft backend of one point; within `on` of its compute capability."""
        arguments = self._arguments(point)
        try:
            for step in self.steps:
                step(arguments)
        except (AssertionError, ValueError) as error:
            return Answer(target=None, draft=None, error=f"{type(error).__name__}: {error}")
        target = self._resolved(arguments, "moe_runner_backend")
        beyond = ""
        try:
            self.draft_step(arguments)
        except AssertionError as error:
            return Answer(target=target, draft=None, error=f"AssertionError: {error}")
        except (ValueError, ImportError) as error:
            # The step goes on to what only a real model or server has; the backend is chosen before.
            if self._resolved(arguments, "speculative_moe_runner_backend") == "None":
                raise
            beyond = f"{type(error).__name__}: {self._failing(error)}"
        draft = self._resolved(arguments, "speculative_moe_runner_backend")
        return Answer(target=target, draft=draft, beyond=beyond)

    def _failing(self, error: Exception) -> str:
        """What failed; a module of the engine that does not import is not tried again within `on`."""
        if not isinstance(error, ImportError):
            return str(error)
        if error.name in self.unimportable:
            return self.unimportable[error.name]
        frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
        module = next((one.f_globals["__name__"] for one in frames if one.f_code.co_name == "<module>"), None)
        if module is not None:
            self.unimportable[module] = str(error)
            sys.modules[module] = None  # type: ignore[assignment]  # how Python refuses an import
        return str(error)

    def _arguments(self, point: Point) -> Any:
        quantization = None if point.quantization == "none" else point.quantization
        arguments = self.arguments(model_path="none")
        described = {"quant_method": quantization} if quantization else None
        model = _Config(
            architectures=[point.architecture],
            quantization_config=described,
            mlp_hidden_act="relu2",
            num_hidden_layers=4,
            layer_types=(),
        )
        config = _Config(
            hf_config=model, hf_text_config=model, quantization=quantization, is_hybrid_swa=False
        )
        wanted = {
            **GIVEN,
            "model_path": "/nowhere",
            "quantization": quantization,
            "moe_runner_backend": point.requested,
            "speculative_algorithm": point.algorithm,
            "speculative_moe_runner_backend": point.draft_requested,
            "model_config": config,
            "_model_config": config,
            "_quantization_explicitly_unset": quantization is None,
            "_resolved_overrides": [],
            "cuda_graph_config": _Config(prefill=_Config(), decode=_Config()),
        }
        for name, value in wanted.items():
            setattr(arguments, name, value)
        return arguments

    def _resolved(self, arguments: Any, name: str) -> str:
        for hook in self.hooks:
            if hasattr(hook, "resolved_view"):
                return str(getattr(hook.resolved_view(arguments), name))
        return str(getattr(arguments, name))
