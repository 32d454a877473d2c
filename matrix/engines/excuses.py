"""What keeps a break from happening, ends it, or leaves it open whether it happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matrix.engines.conditions import Condition, asks_release, atoms, decide, describe, terms

if TYPE_CHECKING:
    from matrix.engines.provider import Provider
    from matrix.engines.uses import Guard, Use


class Excuses:
    """Looks at the tests, handlers and questions around a use.

    Args:
        provider: the release in question.
        reference: the release that the engine was written for; None where the engine does not say.
        probes: functions of the engine that ask the release for something, see `EngineRelease.probes`.
    """

    def __init__(
        self, provider: Provider, reference: Provider | None, probes: tuple[tuple[str, Condition], ...]
    ) -> None:
        self.provider, self.reference, self.holds = provider, reference, provider.holds
        self.failing = {
            name: tuple(atom for atom in atoms(condition) if self.holds(atom) is False)
            for name, condition in probes
            if decide(condition, self.holds) is False
        }

    def guard(self, use: Use, error: str) -> str:
        """What keeps an error from happening or ends it; empty where nothing does."""
        closed = [term for term in terms(use.condition) if decide(term, self.holds) is False]
        if closed:
            false = [atom for term in closed for atom in atoms(term) if self.holds(atom) is False]
            why = " and ".join(dict.fromkeys(describe(atom) for atom in false)) or describe(closed[0])
            return f"not reached, as this does not hold there: {why}"
        for guard in use.guards:
            if not guard.takes(error):
                continue
            if not guard.raises or decide(guard.where, self.holds) is False:
                return _caught(guard)
            if guard.replaces:
                break
        return ""

    def unsure(self, use: Use, error: str) -> str:
        """What a handler's raising hangs on, where that is not known."""
        for guard in use.guards:
            if guard.takes(error) and guard.raises:
                if decide(guard.where, self.holds) is None:
                    return f"whether `except` in line {guard.line} raises hangs on `{describe(guard.where)}`"
                if guard.replaces:
                    break
        return ""

    def unset(self, use: Use) -> str:
        """Why a call may not be reached whose name stands for nothing there, though its symbol is there."""
        return use.unasked if decide(use.named, self.holds) is False else ""

    def undecided(self, use: Use) -> str:
        """The question to the release that the line hangs on, where the release does not tell."""
        open_terms = [term for term in terms(use.condition) if decide(term, self.holds) is None]
        hanging = [atom for term in open_terms for atom in atoms(term) if asks_release(atom)]
        untold = next((atom for atom in hanging if self.holds(atom) is None), None)
        return (
            f"whether it is reached hangs on `{describe(untold)}`, which is not known here" if untold else ""
        )

    def probed(self, use: Use, parameter: str = "", *, optional: bool = False) -> str:
        """A function of the engine that asks for just this before the line is reached, and gets a no.

        A parameter that is only passed on some branch counts as asked for by whatever function asks for it.
        """
        name = self._asked(use, tuple(self.failing) if optional else use.behind, parameter)
        return f"asked for beforehand by {name}, which is false there" if name else ""

    def unclear(self, use: Use, parameter: str = "") -> str:
        """The same where it is not seen whether the line stands behind that function."""
        name = self._asked(use, use.unclear, parameter)
        return f"{name} asks for it, and whether that comes before is not seen" if name else ""

    def _asked(self, use: Use, places: tuple[str, ...], parameter: str) -> str:
        for name in places:
            for atom in self.failing.get(name, ()):
                same = atom[1] == use.symbol or self._same(atom[1], use.symbol)
                if same and (atom[0] == "has" if not parameter else atom[2:] == (parameter,)):
                    return name
        return ""

    def _same(self, first: str, second: str) -> bool:
        for place in (self.provider, self.reference):
            one, two = (place.find(path) if place else None for path in (first, second))
            if one is not None and two is not None and one.qualname:
                return one.qualname == two.qualname
        return False


def _caught(guard: Guard) -> str:
    return f"`except {', '.join(guard.catches)}` in line {guard.line}: {guard.does}"
