"""From which release on a verdict holds, as far as the releases that were read tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from matrix.engines.judge import Judge
from matrix.engines.provider import Provider
from matrix.engines.verdict import CallVerdict, Judgement
from matrix.errors import NetworkError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matrix.engines.config import Engine
    from matrix.engines.uses import Use
    from matrix.surface.library import Library

_MISSING = {"removed-symbol", "module-gone", "enum-member-removed"}
_WENT_WRONG = {CallVerdict.BROKEN_IMPORT, CallVerdict.BROKEN_CALL, CallVerdict.SHIFTED, CallVerdict.GUARDED}


class Since:
    """Walks the releases from the one in question towards the engine's pin, and then the other way.

    Args:
        engine: its rules.
        library: reads and keeps surfaces.
        provider: the FlashInfer release or tree in question.
        reference: the release that the engine was written for; None where that is not known.
        history: whether to read releases that are not kept.
    """

    def __init__(
        self,
        engine: Engine,
        library: Library,
        provider: Provider,
        *,
        reference: Provider | None,
        history: bool,
    ) -> None:
        self.engine, self.library = engine, library
        self.against, self.reference = provider.release, reference
        self.judges: dict[str, Judge] = {}
        self.inexact = 0
        self.version = _version(provider)
        by_index = reference is not None or not provider.sources.is_path
        self.published = library.published() if by_index else []
        if history:
            library.many(self._beside(self.published))
        kept = [name for name in self.published if history or self.library.is_kept(name)]
        self.older = [name for name in kept if Version(name) < self.version][::-1]
        self.newer = [name for name in kept if Version(name) > self.version]

    def _beside(self, names: Sequence[str]) -> list[str]:
        """Those that tell what happened between the pin and the release in question."""
        if self.reference is None:
            return list(names)
        low, high = sorted((self.version, Version(self.reference.release)))
        return [name for name in names if low <= Version(name) <= high]

    def of(self, use: Use, judgement: Judgement) -> str:
        """Of one use; empty for one that is bound, or where a release that is kept in part cannot be read on."""
        if judgement.verdict not in _WENT_WRONG or not judgement.cls or not self.published:
            return ""
        try:
            return self._of(use, judgement)
        except NetworkError:
            return ""

    def save(self) -> None:
        """Keep what was asked of the releases' sources for the next run."""
        for judge in self.judges.values():
            judge.provider.sources.save()

    def _of(self, use: Use, judgement: Judgement) -> str:
        backward = self.reference is not None and Version(self.reference.release) > self.version
        for newer in (backward, not backward):
            side = self.newer if newer else self.older
            right = next(
                (number for number, name in enumerate(side) if self._right(name, use, judgement)), None
            )
            if right is not None:
                wrong = side[right - 1] if right else self.against
                return self._told(side[right], wrong, newer=newer)
        read = len(self.older) + len(self.newer) + 1
        return f"{'exists' if judgement.cls in _MISSING else 'right'} in no release read ({read})"

    def _told(self, right: str, wrong: str, *, newer: bool) -> str:
        low, high = sorted((Version(right), self.version if wrong == self.against else Version(wrong)))
        exact = not any(low < Version(name) < high for name in self.published)
        self.inexact += not exact
        if newer:
            return f"exists from {right}" + ("" if exact else f" at the latest (not in {wrong})")
        return f"since {wrong}" + ("" if exact else f" at the latest (right in {right})")

    def _right(self, name: str, use: Use, judgement: Judgement) -> bool:
        if name not in self.judges:
            provider = Provider(name, self.library, self.engine.decorators)
            self.judges[name] = Judge(provider, self.engine, self.reference)  # what guards it does not matter
        there = self.judges[name].judge(use)
        if there is None or (there.cls in _MISSING and judgement.cls not in _MISSING):
            return False
        return (there.cls, there.name) != (judgement.cls, judgement.name)


def _version(provider: Provider) -> Version:
    """Where a release or tree stands among the published ones; a tree that does not say is the newest."""
    try:
        return Version(provider.version)
    except InvalidVersion:
        return Version("999999")
