"""Integers that stand for members of FlashInfer's enums: copied enums, and literals in a call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matrix.engines.verdict import CallVerdict, Judgement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matrix.engines.config import Engine
    from matrix.engines.found import Found, Parameter
    from matrix.engines.provider import Provider
    from matrix.engines.uses import Use


def judge_mirror(use: Use, provider: Provider) -> Judgement:
    """A copied enum's member against FlashInfer's own, by name and by integer."""
    assert use.member is not None
    name, value = use.member
    found = provider.enums(use.symbol)
    if found is None:
        return Judgement(
            verdict=CallVerdict.NOT_CHECKABLE,
            cls="removed-symbol",
            name=name,
            reason=f"there is no enum {use.symbol} in FlashInfer to compare with",
        )
    members = dict(found.members)
    meaning = next((member for member, number in members.items() if number == value), None)
    if meaning == name:
        return Judgement(verdict=CallVerdict.BOUND, name=name, there=found.place)
    if name not in members and meaning is None:
        own = "the engine's own member: FlashInfer has neither its name nor its integer"
        return Judgement(verdict=CallVerdict.BOUND, name=name, there=found.place, reason=own)
    theirs = f"has it as {members[name]}" if name in members else "has no such member"
    says = f"where {value} is {meaning}" if meaning else f"and no member is {value}"
    reach = (
        f"it goes into a call{f' at {_few(use.references)}' if use.references else ''}"
        if use.used
        else (
            f"not seen to reach a call ({len(use.references)} references)" if use.references else "not used"
        )
    )
    return Judgement(
        verdict=CallVerdict.SHIFTED,
        cls="enum-member-renumbered",
        name=name,
        there=found.place,
        reason=f"the copy has {use.symbol}.{name} = {value}; FlashInfer {theirs}, {says}; {reach}",
        alarming=use.used,
    )


def _few(places: Sequence[str]) -> str:
    return ", ".join(places[:3]) + (f" and {len(places) - 3} more" if len(places) > 3 else "")


def judge_members(use: Use, found: Found, provider: Provider) -> Judgement | None:
    """A member of a copied enum in a call, whose integer is another member of FlashInfer's."""
    assert use.arguments is not None
    for key, value in use.arguments.integers:
        name, _, member = key.rpartition("=")
        enum, _, meant = member.partition(".")
        theirs = provider.enums(enum) if name else None
        if theirs is None:
            continue
        new, number = _meaning(provider, enum, value), dict(theirs.members).get(meant)
        if new != meant and (new or number is not None):
            return Judgement(
                verdict=CallVerdict.SHIFTED,
                cls="enum-member-renumbered",
                name=meant,
                reason=f"{_parameter(name, found.parameters or ())}={member} passes {value}, which is "
                f"{f'{enum}.{new}' if new else 'no member'} here"
                + (f"; {meant} is {number}" if number is not None else ""),
                there=found.place,
                alarming=True,
            )
    return None


def judge_literals(
    use: Use,
    found: Found,
    before: Sequence[Parameter],
    *,
    provider: Provider,
    reference: Provider,
    engine: Engine,
) -> Judgement | None:
    """A literal integer in a call that means another member than in the release that the engine wants."""
    assert use.arguments is not None
    for key, value in use.arguments.integers:
        if "=" in key:
            continue
        name = _parameter(key, before)
        enum = engine.integers.get(name)
        old, new = (_meaning(place, enum, value) if enum else None for place in (reference, provider))
        if old and old != new:
            return Judgement(
                verdict=CallVerdict.SHIFTED,
                cls="enum-member-renumbered",
                name=old,
                reason=f"{name}={value} is {enum}.{old} in {reference.release} and {new or 'no member'} here",
                there=found.place,
                alarming=True,
            )
    return None


def _parameter(key: str, parameters: Sequence[Parameter]) -> str:
    if not key.startswith("#"):
        return key
    position = int(key[1:])
    return parameters[position][0] if position < len(parameters) else ""


def _meaning(provider: Provider, enum: str, value: int) -> str | None:
    found = provider.enums(enum)
    return next((name for name, number in found.members if number == value), None) if found else None
