"""What the checks of one worker share: the FlashInfer that is live, the device, and the plan's data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from matrix.checks.numerics import TOKENS
from matrix.cubins.shipped import Shipped
from matrix.kernels.moe import activations
from matrix.kernels.moe.dispatch import MAJORS, SM100, Request
from matrix.kernels.moe.probe import probe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matrix.cells.cell import Cell
    from matrix.engines.replay.replay import Replay
    from matrix.kernels.moe.probe import Capability

GPU_COMMAND = "kernel-matrix run --releases {release} --environment full '{cell}'"


@dataclass(frozen=True, kw_only=True)
class Bench:
    """The workplace of one worker.

    Args:
        plan: the plan document; checks hold things against its profiles, engine calls and expected paths.
        faulty: the environment is one whose import is meant to fail.
        capability: what the live FlashInfer can do.
        device: `cpu` or `cuda`.
        compute_capability: of the GPU, or None.
        stages: those that this environment answers.
        replayed: the engine that stands beside FlashInfer in this environment, or None.
        unreplayable: why it is not, where there should be one.
        cache: answers that several cells share.
    """

    plan: Mapping[str, Any]
    faulty: bool
    capability: Capability
    device: str
    compute_capability: tuple[int, int] | None
    stages: Sequence[str] = ()
    replayed: Replay | None = None
    unreplayable: str = ""
    cache: dict[Any, Any] = field(default_factory=dict)

    @classmethod
    def set_up(cls, plan: Mapping[str, Any], environment: Mapping[str, Any]) -> Bench:
        """Import torch, FlashInfer and the engine, if there is one, once; and see which device there is."""
        import torch

        gpu = torch.cuda.is_available()
        if not gpu:
            torch.set_num_threads(1)  # the shapes of a CPU check are too small to share among cores
        capability = probe()
        compute_capability = torch.cuda.get_device_capability() if gpu else None
        replayed, unreplayable = None, ""
        if "engine" in environment:
            replayed, unreplayable = _engine(environment["engine"], capability, compute_capability)
        return cls(
            plan=plan,
            faulty=environment["faulty"],
            capability=capability,
            device="cuda" if gpu else "cpu",
            compute_capability=compute_capability,
            stages=environment.get("stages", plan["stages"]),
            replayed=replayed,
            unreplayable=unreplayable,
        )

    @property
    def release(self) -> str:
        """The release that is live, for sentences."""
        return self.capability.release or "no FlashInfer"

    def profile(self, cell: Cell) -> Mapping[str, Any]:
        """The MoE shape of a cell."""
        profile: Mapping[str, Any] = self.plan["profiles"][cell.point.profile]
        return profile

    def request(self, cell: Cell, **changes: Any) -> Request:
        """The cell as the dispatcher is asked about it: by default on an SM100, which its kernels are for."""
        profile = self.profile(cell)
        grouped = cell.point.routing == "deepseek_v3"
        fields: dict[str, Any] = {
            "backend": cell.point.backend,
            "activation": cell.point.activation,
            "gated": cell.point.gating == "gated",
            "routing": cell.point.routing,
            "top_k": profile["top_k"],
            "num_experts": profile["experts"],
            "n_group": profile["n_group"] if grouped else None,
            "routed_scaling_factor": profile["routed_scaling_factor"] if grouped else None,
            "role": cell.point.role,
            "compute_capability": SM100,
            "intermediate": profile["intermediate"],
            **self.shipped(cell),
        }
        return Request(**fields | changes)

    def kernels(self) -> Shipped | None:
        """What is known of the live release's GPU kernels, or None."""
        if "kernels" not in self.cache:
            facts = self.plan.get("kernels", {}).get(self.capability.release, {})
            self.cache["kernels"] = Shipped.of(facts) if "kernels" in facts else None
        found: Shipped | None = self.cache["kernels"]
        return found

    def shipped(self, cell: Cell) -> dict[str, Any]:
        """What a request says about the kernels of the live release."""
        known = self.kernels()
        if known is None:
            return {}
        activation = activations.find(cell.point.activation, gated=cell.point.gating == "gated")
        told = known.configurations(cell.point.profile, activation.id, TOKENS[cell.point.role])
        unfit = f"no configuration of its {activation.member} kernels takes the shape" if told == 0 else ""
        return {"shipped": known.members, "unfit": told if isinstance(told, str) else unfit}

    def how_to_run(self, cell: Cell) -> str:
        """The command that would run a cell where its GPU is."""
        return GPU_COMMAND.format(release=cell.release, cell=cell.point.id)


def _engine(
    engine: Mapping[str, str], capability: Capability, compute_capability: tuple[int, int] | None
) -> tuple[Replay | None, str]:
    """The engine of an environment, or why it cannot be replayed."""
    from matrix.engines.replay.replay import NotReplayableError, Replay

    kernel = compute_capability is not None and compute_capability[0] in MAJORS
    try:
        return Replay.start(engine["name"], engine["release"], capability, kernel=kernel), ""
    except NotReplayableError as error:
        return None, str(error)
