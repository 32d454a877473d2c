"""The verdict of one use of FlashInfer on one release. Never a guess: what the sources do not tell is said so."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from packaging.version import InvalidVersion, Version

from matrix.engines.binding import Misfit, bind, shifted
from matrix.engines.conditions import Condition, atoms, decide, describe
from matrix.engines.uses import is_private

if TYPE_CHECKING:
    from matrix.engines.config import Engine
    from matrix.engines.provider import Found, Parameter, Provider
    from matrix.engines.uses import Guard, Use


class CallVerdict(str, Enum):
    """What a release makes of a use."""

    BOUND = "bound"
    GUARDED = "guarded"
    SHIFTED = "shifted"
    BROKEN_IMPORT = "broken at import"
    BROKEN_CALL = "broken at call"
    NOT_CHECKABLE = "not checkable"


BROKEN = frozenset({CallVerdict.BROKEN_IMPORT, CallVerdict.BROKEN_CALL})


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """A verdict with what a maintainer needs to act on it.

    Attributes:
        verdict: the verdict.
        cls: the class of the break (`removed-symbol`, `removed-parameter`, ...); empty where nothing broke.
        name: the parameter, member or symbol that it is about.
        reason: one sentence.
        guard: what catches it, and what the engine falls back to.
        there: file and line in FlashInfer.
        needs: packages without which the symbol is absent even there.
        alarming: whether it counts as a break of the engine: not for a shifted integer that nobody passes on.
    """

    verdict: CallVerdict
    cls: str = ""
    name: str = ""
    reason: str = ""
    guard: str = ""
    there: str = ""
    needs: tuple[str, ...] = ()
    alarming: bool = field(default=False)


def judge(use: Use, provider: Provider, engine: Engine, reference: Provider | None = None) -> Judgement | None:
    """The verdict of a use; None where it turns out not to be about FlashInfer at all.

    Args:
        use: what the engine does.
        provider: the release in question.
        engine: the engine's rules.
        reference: the release that the engine was written for, by which shifts are recognised.
    """
    if use.form == "mirror":
        return _mirrored(use, provider, reference)
    reached = decide(use.condition, lambda atom: holds(atom, provider))
    found = provider.find(use.symbol)
    if found is None:
        return _missing(use, provider, reference, reached=reached)
    if found.kind == "unknown" and found.why == "result":
        return None
    if use.kind != "call":
        return _read(use, found, provider, reference)
    if found.kind in {"unknown", "value"} or found.parameters is None:
        why = found.why or f"`{use.symbol}` is not a function or class in the source"
        return Judgement(verdict=CallVerdict.NOT_CHECKABLE, reason=why, there=found.place, needs=found.needs)
    return _called(use, found, provider, engine, reference, reached=reached)


def holds(atom: Condition, provider: Provider) -> bool | None:
    """Whether a condition on the release holds there."""
    word, *rest = atom
    if word == "has":
        found = provider.find(rest[0])
        return None if found is not None and found.kind == "unknown" else found is not None
    if word == "accepts":
        found = provider.find(rest[0])
        if found is None:
            return False
        if found.parameters is None:
            return None
        return any(name == rest[1] for name, _, _ in found.parameters)
    if word == "version":
        try:
            have, limit = Version(provider.release), Version(rest[1])
        except InvalidVersion:
            return None
        compared = {"<": have < limit, "<=": have <= limit, ">": have > limit, ">=": have >= limit,
                    "==": have == limit, "!=": have != limit}
        return compared.get(rest[0])
    return None


def _rescue(use: Use, exception: str) -> Guard | None:
    """The handler that ends an exception, the innermost first; one that raises again passes it outwards."""
    return next((guard for guard in use.guards if guard.rescues(exception)), None)


def _gate(use: Use, provider: Provider) -> str:
    """The tests on the release that keep the line from being reached."""
    failing = [
        describe(part)
        for part in (use.condition[1:] if use.condition[0] == "and" else (use.condition,))
        if decide(part, lambda atom: holds(atom, provider)) is False
    ]
    return f"not reached: needs {' and '.join(failing)}"


def _missing(use: Use, provider: Provider, reference: Provider | None, *, reached: bool | None) -> Judgement:
    what = provider.missing(use.symbol)
    name = use.symbol.rpartition(".")[2].removesuffix("()")
    known = reference.find(use.symbol) if reference else None
    there = f"{known.place} in {reference.release}" if known and reference else ""
    cls = "removed-symbol"
    if known is not None and known.kind == "member":
        cls = "enum-member-removed"
    elif known is not None and known.kind == "module":
        cls = "removed-module"
    if reached is False:
        return Judgement(verdict=CallVerdict.GUARDED, cls=cls, name=name, reason=what, guard=_gate(use, provider), there=there)
    by_import = use.form in {"from", "module", "star"} or (use.kind == "call" and use.via == "import")
    rescue = _rescue(use, "ImportError" if by_import else "AttributeError")
    if rescue is not None:
        return Judgement(verdict=CallVerdict.GUARDED, cls=cls, name=name, reason=what, guard=_caught(rescue), there=there)
    if use.rescue or use.form == "lazy":
        fallback = f"the lazy helper then uses {use.rescue}" if use.rescue else "resolved only when it is called"
        return Judgement(verdict=CallVerdict.GUARDED, cls=cls, name=name, reason=what, guard=fallback, there=there)
    if use.doubt:
        return Judgement(verdict=CallVerdict.NOT_CHECKABLE, reason=f"{what}, but {use.doubt}", there=there)
    at_import = by_import or (use.form == "attribute" and use.level == "module")
    verdict = CallVerdict.BROKEN_IMPORT if at_import else CallVerdict.BROKEN_CALL
    error = "ImportError" if by_import else "AttributeError"
    again = next((guard for guard in use.guards if guard.raises), None)
    reason = f"{error}: {what}"
    if again is not None:
        reason += f"; caught in line {again.line}, which raises again"
    return Judgement(verdict=verdict, cls=cls, name=name, reason=reason, there=there, alarming=True)


def _caught(guard: Guard) -> str:
    return f"`except {', '.join(guard.catches)}` in line {guard.line}: {guard.does}"


def _read(use: Use, found: Found, provider: Provider, reference: Provider | None) -> Judgement:
    reason = f"needs {', '.join(found.needs)}" if found.needs else ""
    if use.form == "star":
        return Judgement(verdict=CallVerdict.NOT_CHECKABLE, reason="`import *` takes whatever is there")
    if found.kind == "unknown":
        return Judgement(verdict=CallVerdict.BOUND, reason=found.why, there=found.place, needs=found.needs)
    del provider, reference
    return Judgement(verdict=CallVerdict.BOUND, reason=reason, there=found.place, needs=found.needs)


def _called(
    use: Use, found: Found, provider: Provider, engine: Engine, reference: Provider | None, *, reached: bool | None
) -> Judgement:
    assert use.arguments is not None
    assert found.parameters is not None
    arguments = use.arguments
    certain, maybe = [], []
    for name, condition in arguments.keywords:
        value = decide(condition, lambda atom: holds(atom, provider))
        if value is not False:
            (certain if value else maybe).append(name)
    misfits = bind(found.parameters, arguments.positional, certain, maybe=maybe, partly=bool(arguments.unknown))
    called = use.symbol.replace("()", "").rpartition(".")[2]
    if misfits:
        return _misfit(use, found, misfits, called, provider, reference, reached=reached)
    before = reference.find(use.symbol) if reference else None
    if before is not None and before.parameters is not None and reached is not False:
        moved = shifted(before.parameters, found.parameters, arguments.positional)
        if moved and reference:
            position, old, new = moved[0]
            reason = (
                f"argument {position + 1} of {called}() was `{old}` in {reference.release} and is `{new}` here"
                f"{f' ({len(moved)} arguments shift)' if len(moved) > 1 else ''}"
            )
            return Judgement(verdict=CallVerdict.SHIFTED, cls="inserted-parameter", name=new, reason=reason,
                             there=found.place, needs=found.needs, alarming=True)
        changed = _integers(use, found, before, provider, engine, reference)
        if changed is not None:
            return changed
    if arguments.unknown:
        return Judgement(verdict=CallVerdict.NOT_CHECKABLE, reason=f"passes on {arguments.unknown}, which the file does not show",
                         there=found.place, needs=found.needs)
    reason = f"needs {', '.join(found.needs)}" if found.needs else ""
    return Judgement(verdict=CallVerdict.BOUND, reason=reason, there=found.place, needs=found.needs)


def _misfit(
    use: Use,
    found: Found,
    misfits: list[Misfit],
    called: str,
    provider: Provider,
    reference: Provider | None,
    *,
    reached: bool | None,
) -> Judgement:
    first = misfits[0]
    before = reference.find(use.symbol) if reference else None
    cls, hint = _class_of(first, found, before)
    reason = f"TypeError: {'; '.join(dict.fromkeys(misfit.describe(called) for misfit in misfits))}"
    if hint:
        reason += f" ({hint})"
    if use.under and any(condition != ("true",) for name, condition in (use.arguments.keywords if use.arguments else ()) if name == first.name):
        reason += ", on a branch"
    common: dict[str, Any] = {"cls": cls, "name": first.name, "reason": reason, "there": found.place, "needs": found.needs}
    if reached is False:
        return Judgement(verdict=CallVerdict.GUARDED, guard=_gate(use, provider), **common)
    rescue = _rescue(use, "TypeError")
    if rescue is not None:
        return Judgement(verdict=CallVerdict.GUARDED, guard=_caught(rescue), **common)
    if use.doubt:
        common["reason"] = f"{reason}; but {use.doubt}"
        return Judgement(verdict=CallVerdict.NOT_CHECKABLE, **common)
    return Judgement(verdict=CallVerdict.BROKEN_CALL, alarming=True, **common)


def _class_of(misfit: Misfit, found: Found, before: Found | None) -> tuple[str, str]:
    """The class of break, and what became of the parameter where that can be seen."""
    assert found.parameters is not None
    if misfit.problem == "unexpected":
        old = before.parameters if before and before.parameters is not None else ()
        position = next((number for number, item in enumerate(old) if item[0] == misfit.name), None)
        names = [item[0] for item in found.parameters]
        if position is not None and position < len(names) and names[position] not in {item[0] for item in old}:
            return "renamed-parameter", f"the slot is called `{names[position]}` there"
        return "removed-parameter", ""
    if misfit.problem == "required":
        return "made-required", ""
    if misfit.problem == "twice":
        return "inserted-parameter", ""
    return "kind-changed", ""


def _integers(
    use: Use, found: Found, before: Found, provider: Provider, engine: Engine, reference: Provider | None
) -> Judgement | None:
    """A literal integer that stands for an enum's member, which may be another one here."""
    assert use.arguments is not None
    assert found.parameters is not None
    for key, value in use.arguments.integers:
        name = _parameter_name(key, before.parameters or ())
        enum = engine.integers.get(name or "")
        if enum is None or reference is None:
            continue
        old, new = (_meaning(place, enum, value) for place in (reference, provider))
        if old and old != new:
            what = f"`{new}`" if new else "no member"
            reason = f"{name}={value} was {enum}.{old} in {reference.release} and is {what} here"
            return Judgement(verdict=CallVerdict.SHIFTED, cls="enum-member-renumbered", name=old, reason=reason,
                             there=found.place, alarming=True)
    return None


def _parameter_name(key: str, parameters: tuple[Parameter, ...]) -> str | None:
    if not key.startswith("#"):
        return key
    position = int(key[1:])
    return parameters[position][0] if position < len(parameters) else None


def _meaning(provider: Provider, enum: str, value: int) -> str | None:
    found = provider.enums(enum)
    return next((name for name, number in found.members if number == value), None) if found else None


def _mirrored(use: Use, provider: Provider, reference: Provider | None) -> Judgement | None:
    """A copied enum's member against FlashInfer's own."""
    assert use.member is not None
    name, value = use.member
    found = provider.enums(use.symbol)
    if found is None:
        return Judgement(verdict=CallVerdict.NOT_CHECKABLE, cls="removed-symbol", name=name,
                         reason=f"FlashInfer has no enum {use.symbol} there to compare with")
    del reference
    members = dict(found.members)
    meaning = next((member for member, number in members.items() if number == value), None)
    if name not in members and meaning is None:
        return Judgement(verdict=CallVerdict.BOUND, name=name, there=found.place,
                         reason="the engine's own member: FlashInfer has neither its name nor its value")
    if meaning == name:
        return Judgement(verdict=CallVerdict.BOUND, name=name, there=found.place)
    where = f"is {members[name]} there" if name in members else "does not exist there"
    says = f"{value} means {meaning}" if meaning else f"{value} means nothing"
    passed = "passed to FlashInfer" if use.used else (
        f"not seen to be passed to FlashInfer ({len(use.references)} references)" if use.references else "not used"
    )
    return Judgement(verdict=CallVerdict.SHIFTED, cls="enum-member-renumbered", name=name, there=found.place,
                     reason=f"the copy has {use.symbol}.{name} = {value}; FlashInfer's {where}, and {says}; {passed}",
                     alarming=use.used)


__all__ = ["BROKEN", "CallVerdict", "Judgement", "atoms", "holds", "is_private", "judge"]
