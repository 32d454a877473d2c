"""The words for what a release makes of a use."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class CallVerdict(str, Enum):
    """What a release makes of a use."""

    BOUND = "bound"
    GUARDED = "guarded"
    SHIFTED = "shifted"
    BROKEN_IMPORT = "broken at import"
    BROKEN_CALL = "broken at call"
    NOT_CHECKABLE = "not checkable"


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
        alarming: whether it counts as a break of the engine; a shifted integer that nobody passes on does not.
        unsettled: of a use that binds: the name may also be something that is not FlashInfer's, and had it not
            bound, the source would not have told whether that is a break. Such a use counts as not checkable in
            the shares.
    """

    verdict: CallVerdict
    cls: str = ""
    name: str = ""
    reason: str = ""
    guard: str = ""
    there: str = ""
    needs: tuple[str, ...] = ()
    alarming: bool = False
    unsettled: bool = False
