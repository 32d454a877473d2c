"""The verdict of one use of FlashInfer on one release. Never a guess: what the sources do not tell is said so."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from matrix.engines.binding import Misfit, bind, shifted
from matrix.engines.conditions import TRUE, Condition, decide, describe
from matrix.engines.excuses import Excuses
from matrix.engines.integers import judge_literals, judge_members, judge_mirror
from matrix.engines.verdict import CallVerdict, Judgement

if TYPE_CHECKING:
    from collections.abc import Callable

    from matrix.engines.config import Engine
    from matrix.engines.provider import Found, Parameter, Provider
    from matrix.engines.release import EngineRelease
    from matrix.engines.uses import Use

_IMPORTING = {"from", "module", "star"}
_BRANCHES = "may also be something else"
"""How a use's doubt begins to speak of a name that is FlashInfer's on some branch only."""
_LACKING = {"none": "TypeError", "unset": "NameError", "unbound": "UnboundLocalError"}
"""What a call raises through a name that is None or unset where the symbol is missing."""
_SO = {
    "none": ", so that None is called",
    **dict.fromkeys(("unset", "unbound"), ", so that the name is unset"),
}
_HERE = ", where it is FlashInfer's"


class Judge:
    """Judges an engine's uses on one release.

    Args:
        provider: the release in question.
        engine: the engine's rules.
        reference: the release that the engine was written for, by which shifts are recognised; None where the
            engine does not say.
        probes: functions of the engine that ask the release for something, see `EngineRelease.probes`.
    """

    def __init__(
        self,
        provider: Provider,
        engine: Engine,
        reference: Provider | None = None,
        probes: tuple[tuple[str, Condition], ...] = (),
    ) -> None:
        self.provider, self.engine, self.reference = provider, engine, reference
        self.excuses = Excuses(provider, reference, probes)

    def all(self, release: EngineRelease) -> list[tuple[Use, Judgement]]:
        """Every use of an engine release that is about FlashInfer, with its verdict."""
        judged = ((use, self.judge(use)) for use in release.uses)
        return [(use, judgement) for use, judgement in judged if judgement is not None]

    def judge(self, use: Use) -> Judgement | None:
        """The verdict of a use; None where it turns out not to be about FlashInfer at all."""
        if use.form == "mirror":
            return judge_mirror(use, self.provider)
        found = self.provider.find(use.symbol)
        if found is None:
            return self._missing(use)
        if found.kind == "unknown" and found.why == "result":
            return None
        if use.kind == "call":
            return self._call(use, found)
        if use.form == "star":
            return Judgement(verdict=CallVerdict.NOT_CHECKABLE, reason="`import *` takes whatever is there")
        return self._bound(use, found, found.why if found.kind == "unknown" else "")

    # --- a name that is FlashInfer's on some branch only

    def _settled(self, use: Use) -> bool:
        """Whether a use is surely meant for FlashInfer on the branch where the name is FlashInfer's.

        It is where it fits the release that the engine was written for. Where that is not known, it is where no
        test stands around the line that might choose the other meaning.
        """
        if _BRANCHES not in use.doubt or "isinstance(" in use.under:
            return False
        if self.reference is None:
            return "()" not in use.symbol and not use.under
        found = self.reference.find(use.symbol)
        if found is None or use.arguments is None:
            return found is not None
        return found.parameters is not None and not _binds(use, found.parameters, self.reference.holds)

    def _bound(self, use: Use, found: Found, why: str = "") -> Judgement:
        reason = why or (f"needs {', '.join(found.needs)}" if found.needs else "")
        optional = (
            any(condition != TRUE for _, condition in use.arguments.keywords) if use.arguments else False
        )
        unsettled = bool(use.doubt) and (optional or not self._settled(use))
        return Judgement(
            verdict=CallVerdict.BOUND,
            reason=reason or (f"where it is FlashInfer's: {use.doubt}" if use.doubt else ""),
            there=found.place,
            needs=found.needs,
            unsettled=unsettled,
        )

    # --- a symbol that the release lacks

    def _missing(self, use: Use) -> Judgement | None:
        known = self.reference.find(use.symbol) if self.reference else None
        if "()" in use.symbol:
            root = use.symbol.partition("()")[0]
            if self.provider.find(root) is None or (
                known and known.kind == "unknown" and known.why == "result"
            ):
                return None  # what makes the object is missing, and is judged for itself
            if use.doubt and self.reference and known is None:
                return None  # the release that the engine wants lacks it too: the object is the other one
        common: dict[str, Any] = {
            "cls": {"member": "enum-member-removed", "module": "module-gone"}.get(
                known.kind if known else "", "removed-symbol"
            ),
            "name": use.symbol.rpartition(".")[2].removesuffix("()"),
            "there": f"{known.place} in {self.reference.release}" if known and self.reference else "",
        }
        what = self.provider.missing(use.symbol)
        by_import = use.form in _IMPORTING or (
            use.kind == "call" and use.via == "import" and "()" not in use.symbol
        )
        error = "ImportError" if by_import else _LACKING.get(use.via, "AttributeError")
        what += _SO.get(use.via, "")
        asks = self.excuses.probed(use)
        guard = self.excuses.guard(use, error) or (asks if use.via not in _LACKING else "")
        if not guard and (use.rescue or use.form == "lazy"):
            guard = f"the lazy helper then uses {use.rescue}" if use.rescue else "looked up when it is called"
        if guard:
            return Judgement(verdict=CallVerdict.GUARDED, reason=what, guard=guard, **common)
        settled = self._settled(use)
        doubt = (
            (use.doubt if not settled else "")
            or self.excuses.undecided(use)
            or self.excuses.unsure(use, error)
        )
        doubt = doubt or use.unasked or asks or (self.excuses.unclear(use) if use.scope else "")
        if doubt:
            return Judgement(verdict=CallVerdict.NOT_CHECKABLE, reason=f"{what}, but {doubt}", **common)
        at_import = by_import or (use.form == "attribute" and use.level == "module")
        again = next(
            (f"; caught in line {guard.line}, and raised again" for guard in use.guards if guard.raises), ""
        )
        return Judgement(
            verdict=CallVerdict.BROKEN_IMPORT if at_import else CallVerdict.BROKEN_CALL,
            reason=f"{what}: the lazy helper raises"
            if use.via == "lazy"
            else f"{error}: {what}{_HERE if settled else ''}{again}",
            alarming=True,
            **common,
        )

    # --- a call

    def _call(self, use: Use, found: Found) -> Judgement:
        assert use.arguments is not None
        if use.arguments.held and found.kind == "function":
            if "." in found.qualname.partition(":")[2]:
                found = replace(found, kind="unknown", why=f"`{use.symbol}` is a method that a class holds")
            return self._call(replace(use, arguments=use.arguments.as_method()), found)
        if found.kind in {"unknown", "value", "module"} or found.parameters is None:
            why = found.why or f"`{use.symbol}` is not a function or class in the source"
            return Judgement(
                verdict=CallVerdict.NOT_CHECKABLE, reason=why, there=found.place, needs=found.needs
            )
        misfits = _binds(use, found.parameters, self.provider.holds)
        if misfits:
            return self._misfit(use, found, misfits)
        before = self.reference.find(use.symbol) if self.reference else None
        changed = judge_members(use, found, self.provider)
        if before is not None and before.parameters is not None and self.reference is not None:
            changed = (
                self._shift(use, found, before)
                or changed
                or judge_literals(
                    use,
                    found,
                    before.parameters,
                    provider=self.provider,
                    reference=self.reference,
                    engine=self.engine,
                )
            )
        if changed is not None:
            return self._reached(use, changed)
        if use.arguments.unknown:
            return Judgement(
                verdict=CallVerdict.NOT_CHECKABLE,
                reason=f"passes on {use.arguments.unknown}, which the source does not show",
                there=found.place,
                needs=found.needs,
            )
        return self._bound(use, found)

    def _shift(self, use: Use, found: Found, before: Found) -> Judgement | None:
        assert use.arguments is not None
        assert self.reference is not None
        moved = shifted(before.parameters or (), found.parameters or (), use.arguments.positional)
        if not moved:
            return None
        position, old, new = moved[0]
        several = f" ({len(moved)} arguments shift)" if len(moved) > 1 else ""
        return Judgement(
            verdict=CallVerdict.SHIFTED,
            cls="inserted-parameter",
            name=new,
            reason=f"argument {position + 1} of {_called(use)}() is `{old}` in {self.reference.release} "
            f"and `{new}` here{several}",
            there=found.place,
            needs=found.needs,
            alarming=True,
        )

    def _reached(self, use: Use, shifted: Judgement) -> Judgement:
        """A shift, or that it is guarded: no exception handler ends it, only a test before it does."""
        guard = self.excuses.guard(use, "TypeError")
        if not guard.startswith("not reached"):
            doubt = self.excuses.undecided(use) or self.excuses.unset(use)
            return (
                shifted
                if not doubt
                else replace(
                    shifted,
                    verdict=CallVerdict.NOT_CHECKABLE,
                    reason=f"{shifted.reason}, but {doubt}",
                    alarming=False,
                )
            )
        return replace(shifted, verdict=CallVerdict.GUARDED, guard=guard, alarming=False)

    def _misfit(self, use: Use, found: Found, misfits: list[Misfit]) -> Judgement:
        assert use.arguments is not None
        first = misfits[0]
        before = self.reference.find(use.symbol) if self.reference else None
        cls, hint = _class_of(first, found, before)
        said = "; ".join(dict.fromkeys(misfit.describe(_called(use)) for misfit in misfits))
        reason = f"TypeError: {said}{hint}"
        branch = next((condition for name, condition in use.arguments.keywords if name == first.name), TRUE)
        if branch != TRUE:
            reason += f", where {describe(branch)}"
        common: dict[str, Any] = {"cls": cls, "name": first.name, "there": found.place, "needs": found.needs}
        guard = self.excuses.guard(use, "TypeError") or self.excuses.probed(
            use, first.name, optional=branch != TRUE
        )
        if guard:
            return Judgement(verdict=CallVerdict.GUARDED, reason=reason, guard=guard, **common)
        settled = branch == TRUE and self._settled(use)
        doubt = (use.doubt if not settled else "") or self.excuses.undecided(use)
        doubt = (
            doubt
            or self.excuses.unsure(use, "TypeError")
            or self.excuses.unset(use)
            or self.excuses.unclear(use, first.name)
        )
        reason += _HERE if settled else ""
        if doubt:
            return Judgement(verdict=CallVerdict.NOT_CHECKABLE, reason=f"{reason}; but {doubt}", **common)
        return Judgement(verdict=CallVerdict.BROKEN_CALL, reason=reason, alarming=True, **common)


def _binds(
    use: Use, parameters: tuple[Parameter, ...], holds: Callable[[Condition], bool | None]
) -> list[Misfit]:
    """Why a call does not bind to a signature, on a release of which the conditions hold or not."""
    assert use.arguments is not None
    decided = [(name, decide(condition, holds)) for name, condition in use.arguments.keywords]
    return bind(
        parameters,
        use.arguments.positional,
        [name for name, passed in decided if passed],
        maybe=[name for name, passed in decided if passed is None],
        partly=bool(use.arguments.unknown),
    )


def _called(use: Use) -> str:
    return use.symbol.replace("()", "").rpartition(".")[2]


def _class_of(misfit: Misfit, found: Found, before: Found | None) -> tuple[str, str]:
    """The class of break, and what became of the parameter where that can be seen."""
    if misfit.problem == "unexpected":
        old = [name for name, _, _ in (before.parameters if before and before.parameters else ())]
        new = [name for name, _, _ in found.parameters or ()]
        position = old.index(misfit.name) if misfit.name in old else len(new)
        if position < len(new) and new[position] not in old:
            return "renamed-parameter", f" (its slot is called `{new[position]}` there)"
        return "removed-parameter", ""
    if misfit.problem == "required":
        known = before is not None and any(name == misfit.name for name, _, _ in before.parameters or ())
        return "required-parameter" if known else "new-required-parameter", ""
    return "inserted-parameter" if misfit.problem == "twice" else "parameter-kind-changed", ""
