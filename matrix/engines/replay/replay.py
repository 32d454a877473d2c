"""One engine beside one FlashInfer release, in one process: cells asked of the engine's own code."""

from __future__ import annotations

import importlib
import linecache
import textwrap
import traceback
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any

from matrix.engines.replay.apart import apart
from matrix.engines.replay.failures import NotReplayableError, UnspokenError
from matrix.engines.replay.record import BLOCK, Call, InvalidCallError, Recorder
from matrix.kernels.moe import routings
from matrix.kernels.moe.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from matrix.kernels.moe.inputs import Inputs
    from matrix.kernels.moe.layout import Prepared
    from matrix.kernels.moe.oracle import Reference
    from matrix.kernels.moe.probe import Capability

__all__ = ["Kind", "NotReplayableError", "Outcome", "Replay"]

MOST_FRAMES, MOST_LINES = 20, 30
"""Bounds of a traceback: frames, the innermost ones, and lines of one statement."""


class Kind(str, Enum):
    """How a replay ended; `unasked` where our own adapter does not fit the engine's release."""

    RIGHT = "right"
    WRONG = "wrong"
    LAYOUT = "layout"
    REFUSED = "refused"
    IMPORT = "import"
    BROKEN = "broken"
    UNASKED = "unasked"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one layer.

    Attributes:
        kind: how it ended.
        reason: one sentence.
        evidence: what was passed, where it stopped, the figures.
    """

    kind: Kind
    reason: str
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(kw_only=True)
class Replay:
    """An engine that imported.

    Attributes:
        name: engine and release, as in `sglang-0.5.12`.
        engine: the adapter, `matrix.engines.<engine>.replay.Engine`.
        recorder: the wrapped kernels.
        package: the engine's import package, whose frames are its own.
    """

    name: str
    engine: Any
    recorder: Recorder
    package: str

    @classmethod
    def start(cls, engine: str, release: str, capability: Capability, *, kernel: bool) -> Replay:
        """Import the engine.

        Args:
            engine: name of the engine's folder.
            release: its version.
            capability: what the live FlashInfer has.
            kernel: the GPU is one that the kernel runs on, so nothing stands in for it.

        Raises:
            NotReplayableError: the engine does not import here.
        """
        from matrix.engines.replay.answer import answer

        adapter: Any = importlib.import_module(f"matrix.engines.{engine}.replay")
        recorder = Recorder(capability=capability, answer=None if kernel else answer)
        return cls(name=f"{engine}-{release}", engine=adapter.Engine(), recorder=recorder, package=engine)

    @property
    def replaced(self) -> list[dict[str, str]]:
        """Every stand-in, for the report."""
        return [standin.to_json() for standin in (*self.engine.replaced, *self.recorder.replaced)]

    def facts(self, policies: Mapping[str, Any] | None) -> dict[str, Any]:
        """What holds for the engine beside this release, whatever the cell: for the journal.

        Each question is asked in a process of its own: an engine that crashes for one activation loses its
        contract, and no cell. The torch fallback answers there also where the kernel would run.

        Args:
            policies: rule sets by engine and release, to be held against the engine's own choice; None leaves
                that out.
        """
        from matrix.engines.replay import contract, policy
        from matrix.engines.replay.answer import answer

        answered = Recorder(capability=self.recorder.capability, answer=answer)
        return {
            "engine": self.name,
            "flashinfer": self.recorder.capability.release,
            "replaced": self.replaced,
            "weights": {
                kind: _weights_told(apart(partial(self._weights, gated=gated)))
                for kind, gated in (("gated", True), ("non-gated", False))
            },
            "contract": apart(lambda: contract.record(replace(self, recorder=answered))),
            "policy": {}
            if policies is None or self.engine.chooser is None
            else apart(lambda: policy.hold(self.engine.chooser(), self.name, policies)),
        }

    def _weights(self, *, gated: bool) -> dict[str, Any]:
        """How the engine's loader fares with weights of a small layer."""
        import torch

        generator = torch.Generator().manual_seed(0)
        activation = "silu" if gated else "relu2"
        problem = Problem(
            tokens=1,
            hidden=256,
            intermediate=128,
            experts=2,
            top_k=1,
            routing="renormalize",
            activation=activation,
            gated=gated,
        )
        gemm1, gemm2 = (
            torch.randn(shape, generator=generator).bfloat16()
            for shape in ((2, problem.gemm1_rows, 256), (2, 256, 128))
        )
        _, outcome = self.loader(problem, gemm1, gemm2)
        return {"right": outcome.kind is Kind.RIGHT, "reason": outcome.reason}

    def layer(
        self,
        problem: Problem,
        inputs: Inputs,
        reference: Reference,
        prepared: Prepared,
        experts: tuple[Tensor, Tensor] | None,
    ) -> Outcome:
        """Call the engine's runner and hold its result against the oracle's.

        Args:
            problem: the layer.
            inputs: logits, bias, hidden states and original weights.
            reference: the oracle's answer.
            prepared: weights as the kernel should read them.
            experts: as the adapter's `call` takes them.
        """
        from matrix.kernels.moe.compare import compare

        with self.recorder.listening() as calls:
            try:
                output = self.engine.call(problem, inputs, prepared, experts=experts)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the engine raises is an answer
                return self._raised(error, calls, problem)
        if not calls:
            return Outcome(kind=Kind.BROKEN, reason=f"{self.name} answered without calling FlashInfer")
        evidence = told(calls[-1])
        comparison = compare(output, reference)
        evidence["numerics"] = comparison.to_json()
        if comparison.right:
            return Outcome(
                kind=Kind.RIGHT, reason=f"{self.name} calls {calls[-1].function} rightly", evidence=evidence
            )
        why = "; ".join([*deviations(calls[-1], problem), comparison.reason])
        return Outcome(
            kind=Kind.WRONG, reason=f"{self.name} binds and gives a wrong result: {why}", evidence=evidence
        )

    def loader(self, problem: Problem, gemm1: Tensor, gemm2: Tensor) -> tuple[Prepared | None, Outcome]:
        """Let the engine prepare weights, and undo that by the definition."""
        kind = "gated" if problem.gated else "non-gated"
        try:
            prepared = self.engine.prepare(problem, gemm1, gemm2)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the engine raises is an answer
            return None, self._raised(error, [], problem)
        reason = _misplaced(prepared, gemm1, gemm2, gated=problem.gated)
        if reason:
            why = f"{self.name}'s own preparation of {kind} weights is not what the kernel reads: {reason}"
            return prepared, Outcome(kind=Kind.LAYOUT, reason=why)
        return prepared, Outcome(kind=Kind.RIGHT, reason=f"{self.name} prepares {kind} weights rightly")

    def _raised(self, error: BaseException, calls: list[Call], problem: Problem) -> Outcome:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _ours(frame.filename)]
        evidence: dict[str, Any] = {
            "type": type(error).__name__,
            "text": str(error),
            "frame": _place(frames[-1]) if frames else "",
            "engine_frame": next((_place(frame) for frame in reversed(frames) if self._own(frame)), ""),
            "traceback": whole(error),
        }
        if calls:
            evidence |= told(calls[-1])
        if isinstance(error, UnspokenError):
            evidence = {"type": type(error).__name__, "text": str(error)}
        text = str(error).strip().splitlines()
        reason = f"{type(error).__name__}: {text[0] if text else 'no message'}"
        own = bool(frames) and self._own(frames[-1])
        if isinstance(error, InvalidCallError):
            why = "; ".join([str(error), *(deviations(calls[-1], problem) if calls else [])])
            kind, reason = Kind.BROKEN, f"{self.name} binds, but {why}"
        elif isinstance(error, UnspokenError):
            kind, reason = Kind.REFUSED, f"{self.name} cannot be asked: {error}"
        elif not frames:
            why = f"its adapter here does not fit this release: {reason}"
            kind, reason = Kind.UNASKED, f"not replayable: {why}"
        elif isinstance(error, ImportError):
            kind, reason = Kind.IMPORT, f"{self.name} raises {reason}"
        elif own and isinstance(error, (AssertionError, NotImplementedError, ValueError)):
            kind, reason = Kind.REFUSED, f"{self.name} refuses by itself: {reason}"
        else:
            kind, reason = Kind.BROKEN, f"{self.name} breaks: {reason}"
        return Outcome(kind=kind, reason=reason, evidence=evidence)

    def _own(self, frame: traceback.FrameSummary) -> bool:
        return f"/{self.package}/" in frame.filename


def _weights_told(asked: dict[str, Any]) -> dict[str, Any]:
    return {"right": False, "reason": asked["error"]} if "error" in asked else asked


def _misplaced(prepared: Prepared, gemm1: Tensor, gemm2: Tensor, *, gated: bool) -> str:
    from matrix.kernels.moe import layout

    for name, blocked, weight in (("gemm1", prepared.gemm1, gemm1), ("gemm2", prepared.gemm2, gemm2)):
        experts, rows, columns = weight.shape
        wanted = (experts, columns // BLOCK, rows, BLOCK)
        if tuple(blocked.shape) != wanted:
            return f"{name} has the shape {list(blocked.shape)}, not the blocks {list(wanted)}"
    return layout.difference(prepared, gemm1, gemm2, gated=gated)


def told(call: Call) -> dict[str, Any]:
    """A call as plain data: what is passed, by keyword, and what is left to defaults."""
    return {
        "function": call.function,
        "passed": {name: value_of(call, name) for name in call.passed},
        "left": {name: value_of(call, name) for name in call.left},
    }


def value_of(call: Call, name: str) -> Any:
    """One argument as plain data; tensors by dtype and shape, members by name and integer."""
    value = call.bound[name]
    if name in call.members:
        return {"member": call.members[name], "value": int(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return _plain(value)


def _plain(value: Any) -> Any:
    if hasattr(value, "dtype"):
        return {"dtype": str(value.dtype).removeprefix("torch."), "shape": list(value.shape)}
    return value if isinstance(value, (int, float, str, type(None))) else repr(value)


def deviations(call: Call, problem: Problem) -> list[str]:
    """Arguments that are not what the layer has, in words."""
    from matrix.kernels.moe import activations

    wanted: dict[str, Any] = {
        "num_experts": problem.experts,
        "local_num_experts": problem.experts,
        "local_expert_offset": 0,
        "top_k": problem.top_k,
        "intermediate_size": problem.intermediate,
    }
    method = routings.find(problem.routing)
    if "topk_ids" not in call.bound:
        wanted |= {"n_group": problem.n_group, "topk_group": problem.topk_group}
        if method.scaled:
            wanted["routed_scaling_factor"] = problem.scaling
    found = [
        f"{name} is {call.bound[name]}, the layer's is {value}"
        for name, value in wanted.items()
        if name in call.bound and (call.bound[name] or (1 if "group" in name else call.bound[name])) != value
    ]
    member = activations.find(problem.activation, gated=problem.gated).member
    passed = call.members.get("activation_type", "Swiglu")
    if passed != member:
        found.append(f"activation_type is {passed}, the layer's is {member}")
    if "topk_ids" not in call.bound and call.members.get("routing_method_type") != method.member:
        found.append(
            f"routing_method_type is {call.members.get('routing_method_type')}, the layer's is {method.member}"
        )
    return found


def _ours(filename: str) -> bool:
    return filename.endswith((f"{__name__.replace('.', '/')}.py", "/engines/replay/record.py")) or (
        "/matrix/engines/" in filename
    )


def _place(frame: traceback.FrameSummary) -> str:
    return f"{short(frame.filename)}:{frame.lineno} in {frame.name}: {frame.line}"


def whole(error: BaseException) -> list[str]:
    """An error's traceback, and those of what it came from, as Python writes them: without this package's frames.

    Files are relative to site-packages, statements whole where Python tells where they end.
    """
    lines = []
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        lines += [*whole(cause), "", "from which came:", ""]
    lines.append("Traceback (most recent call last):")
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _ours(frame.filename)]
    if len(frames) > MOST_FRAMES:
        lines.append(f"  ... {len(frames) - MOST_FRAMES} frames before")
    for frame in frames[-MOST_FRAMES:]:
        lines.append(f'  File "{short(frame.filename)}", line {frame.lineno}, in {frame.name}')
        lines += [f"    {line}" for line in _statement(frame)]
    lines.append(f"{type(error).__name__}: {error}")
    return lines


def _statement(frame: traceback.FrameSummary) -> list[str]:
    first = frame.lineno or 0
    last = min(getattr(frame, "end_lineno", None) or first, first + MOST_LINES)
    source = [linecache.getline(frame.filename, number).rstrip() for number in range(first, last + 1)]
    return textwrap.dedent("\n".join(source)).splitlines()


def short(filename: str) -> str:
    """A file from its package on, without the machine's folders."""
    return filename.rpartition("/site-packages/" if "/site-packages/" in filename else "/lib/")[2]
