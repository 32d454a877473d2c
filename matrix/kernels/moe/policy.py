"""An engine's backend policy: which backend the target gets by itself, and which one the draft gets.

Imports no torch. The rule sets of real engines are data: `matrix/engines/<engine>/policies.toml`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

TRTLLM = ("flashinfer_trtllm", "flashinfer_trtllm_routed")


@dataclass(frozen=True, kw_only=True)
class Family:
    """Model classes that one rule of an engine treats alike.

    Args:
        name: what the rule is called here.
        architectures: model class names.
        quantizations: those for which `auto` becomes `backend`; `none` is unquantized BF16.
        otherwise: what `auto` becomes for them where the GPU or the all-to-all backend does not fit.
        any_a2a: the rule asks for no particular all-to-all backend.
        before: what `auto` becomes on GPUs older than the rule's, by quantization, instead of `otherwise`.
        backend: what `auto` becomes where the rule holds.
        majors: major compute capabilities of the rule; empty for those of the policy.
        algorithms: speculative algorithms that the engine asserts for these models; empty for every one.
    """

    name: str
    architectures: tuple[str, ...]
    quantizations: tuple[str, ...]
    otherwise: str = "auto"
    any_a2a: bool = False
    before: dict[str, str] = field(default_factory=dict)
    backend: str = TRTLLM[0]
    majors: tuple[int, ...] = ()
    algorithms: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Constraint:
    """What a quantization makes of any model's backend, after the model's own rule.

    Args:
        quantizations: those that it is about.
        backend: what comes out.
        keeps: backends that stay; empty for every one but `auto`.
        majors: major compute capabilities that it holds for; empty for all.
    """

    quantizations: tuple[str, ...]
    backend: str
    keeps: tuple[str, ...] = ()
    majors: tuple[int, ...] = ()

    def changes(self, backend: str | None, quantization: str, major: int | None) -> bool:
        """Whether a backend does not stay."""
        stays = backend in self.keeps if self.keeps else backend != "auto"
        return quantization in self.quantizations and not stays and (not self.majors or major in self.majors)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A backend, or an error of the engine, with the reason."""

    backend: str | None
    reason: str


@dataclass(frozen=True, kw_only=True)
class Policy:
    """One engine release's rules.

    Args:
        engine: engine and release, as in `sglang-0.5.12`.
        majors: major compute capabilities that the automatic choice asks for.
        draft: `avoid_trtllm` (before the change) or `same_as_target` (after it).
        families: the automatic choice, by model class.
        constraints: what a quantization makes of any model's backend.
        takes: quantizations that a backend is allowed for; one that is not named takes every one.
        draft_instead: target backends, as globs, that a draft does not inherit, and what it gets instead.
    """

    engine: str
    majors: tuple[int, ...]
    draft: str
    families: tuple[Family, ...]
    draft_instead: dict[str, str] = field(default_factory=dict)
    constraints: tuple[Constraint, ...] = ()
    takes: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def from_json(cls, table: Mapping[str, Any]) -> Policy:
        """Read back what `dataclasses.asdict` gave."""
        families = tuple(Family(**family) for family in table["families"])
        constraints = tuple(Constraint(**constraint) for constraint in table["constraints"])
        return cls(**{**table, "families": families, "constraints": constraints})

    def target(
        self,
        architecture: str,
        compute_capability: tuple[int, int] | None,
        *,
        quantization: str = "none",
        requested: str = "auto",
        a2a: str = "none",
        algorithm: str | None = None,
    ) -> Choice:
        """The target's MoE backend.

        Args:
            architecture: model class name, as in `NemotronHForCausalLM`.
            compute_capability: (major, minor), or None without a GPU.
            quantization: `none` for BF16.
            requested: what the user asked for; anything but `auto` is kept.
            a2a: all-to-all backend of expert parallelism.
            algorithm: of speculative decoding, or None.
        """
        families = [family for family in self.families if architecture in family.architectures]
        for family in families:
            if algorithm is not None and family.algorithms and algorithm not in family.algorithms:
                taken = " and ".join(family.algorithms)
                return Choice(backend=None, reason=f"{self.engine} takes {taken} alone for {family.name}")
        choice = self._asked(
            architecture, families, compute_capability, quantization, requested=requested, a2a=a2a
        )
        major = compute_capability[0] if compute_capability else None
        for constraint in self.constraints:
            if constraint.changes(choice.backend, quantization, major):
                choice = Choice(backend=constraint.backend, reason=f"what {quantization} asks for")
        if choice.backend is not None and quantization not in self.takes.get(choice.backend, (quantization,)):
            reason = f"{self.engine} asserts that {choice.backend} is not used with {quantization}"
            return Choice(backend=None, reason=reason)
        return choice

    def _asked(
        self,
        architecture: str,
        families: list[Family],
        compute_capability: tuple[int, int] | None,
        quantization: str,
        *,
        requested: str,
        a2a: str,
    ) -> Choice:
        """What the user asked for, or the choice of the model's own rule."""
        if requested != "auto":
            return Choice(backend=requested, reason=f"asked for explicitly: {requested}")
        if not families:
            return Choice(backend="auto", reason=f"{self.engine} has no rule for {architecture}")
        family = next((f for f in families if quantization in f.quantizations), None)
        if family is None:
            covered = (
                ", ".join(quantization for f in families for quantization in f.quantizations) or "nothing"
            )
            reason = (
                f"{self.engine} has a rule for {families[0].name} with {covered}, not with {quantization}"
            )
            return Choice(backend="auto", reason=reason)
        majors = family.majors or self.majors
        if compute_capability is None or compute_capability[0] not in majors:
            wanted = " or ".join(f"SM{major}0" for major in majors)
            older = compute_capability is None or compute_capability[0] < min(majors)
            instead = family.before.get(quantization, family.otherwise) if older else family.otherwise
            return Choice(backend=instead, reason=f"the automatic choice asks for {wanted}")
        if a2a != "none" and not family.any_a2a:
            return Choice(backend=family.otherwise, reason=f"all-to-all backend {a2a}")
        reason = f"{self.engine} selects it for {family.name}, quantization {quantization}"
        return Choice(backend=family.backend, reason=reason)

    def drafted(self, target: str, requested: str | None = None) -> Choice:
        """The MTP draft's MoE backend.

        Args:
            target: the backend that the target resolved to.
            requested: what the user asked for the draft, or None.
        """
        avoids = self.draft == "avoid_trtllm"
        if avoids and requested == "flashinfer_trtllm":
            return Choice(backend=None, reason=f"{self.engine} asserts that a draft does not use {requested}")
        if requested is not None:
            return Choice(backend=requested, reason=f"asked for explicitly: {requested}")
        if avoids and target in TRTLLM:
            return Choice(backend="auto", reason=f"{self.engine} steers drafts away from {target}")
        for pattern, backend in self.draft_instead.items():
            if fnmatchcase(target, pattern):
                return Choice(backend=backend, reason=f"{self.engine} does not let a draft inherit {target}")
        return Choice(backend=target, reason="the target's backend")
