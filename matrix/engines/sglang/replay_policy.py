"""SGLang's own choice of MoE backends: its resolution of server arguments, step by step, without a server."""

from __future__ import annotations

import contextlib
import importlib
import sys
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
    "page_size": 64,
    "max_running_requests": 64,
    "disable_radix_cache": True,
    "speculative_num_steps": 3,
    "speculative_eagle_topk": 1,
    "speculative_num_draft_tokens": 4,
}
"""Arguments that have nothing to do with the MoE backend and would be asked of the machine or the model."""

MEMORY = 180 << 30


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
        self.steps = [self._step(name) for name in STEPS]
        self.draft_step = self._step(DRAFT_STEP)

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
            yield
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
        try:
            self.draft_step(arguments)
        except (AssertionError, ValueError) as error:
            return Answer(target=target, draft=None, error=f"{type(error).__name__}: {error}")
        return Answer(target=target, draft=self._resolved(arguments, "speculative_moe_runner_backend"))

    def _arguments(self, point: Point) -> Any:
        quantization = None if point.quantization == "none" else point.quantization
        arguments = self.arguments(model_path="none")
        described = {"quant_method": quantization} if quantization else None
        model = _Config(
            architectures=[point.architecture],
            quantization_config=described,
            mlp_hidden_act="relu2",
            num_hidden_layers=4,
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
