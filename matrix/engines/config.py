"""How one engine differs from another, read from its `engine.toml`."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from matrix import toml
from matrix.errors import unknown

HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Lazy:
    """A helper of the engine that imports at the first call.

    Attributes:
        name: the helper's name, without its module.
        module: position of the argument that names the module.
        attribute: position of the argument that names the attribute; None where the helper gives the module.
        missing: what the helper does where the symbol is missing: `none` gives None, `raise` raises at the
            call, any other word is the keyword argument that names a substitute.
    """

    name: str
    module: int
    attribute: int | None
    missing: str


@dataclass(frozen=True, kw_only=True)
class Decorator:
    """What a decorator of the provider adds to a function.

    Attributes:
        keywords: what it takes for itself before the function sees the call.
        attributes: callables that it sets on the function, with their parameters; `name=` has a default.
    """

    keywords: tuple[str, ...] = ()
    attributes: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Engine:
    """One engine.

    Attributes:
        name: what the user calls it.
        distribution: its name on the package index.
        package: its import package; empty where every package of a folder is meant.
        provider: the import package whose use is checked.
        provider_distributions: names under which requirements pin the provider.
        first_release: the oldest release that the table shows.
        leave_out: path patterns of files that do not run in production.
        lazy: helpers that import at the first call.
        pin_checks: functions called with (distribution, version) that enforce a pin at run time.
        mirrors: names of the provider's enums that engines copy.
        integers: parameter name to the enum whose integers it takes.
        decorators: what the provider's decorators add to functions.
    """

    name: str
    distribution: str
    package: str
    provider: str
    provider_distributions: tuple[str, ...]
    first_release: str = "0"
    leave_out: tuple[str, ...] = ()
    lazy: tuple[Lazy, ...] = ()
    pin_checks: tuple[str, ...] = ()
    mirrors: tuple[str, ...] = ()
    integers: dict[str, str] = field(default_factory=dict)
    decorators: dict[str, Decorator] = field(default_factory=dict)

    @property
    def helpers(self) -> dict[str, Lazy]:
        """The lazy helpers by name."""
        return {helper.name: helper for helper in self.lazy}


def engine_names() -> list[str]:
    """The engines that have a folder here."""
    return sorted(path.parent.name for path in HERE.glob("*/engine.toml"))


@lru_cache
def load(name: str) -> Engine:
    """One engine by name.

    Raises:
        InputError: there is no such engine; names the nearest.
    """
    if name not in engine_names():
        raise unknown("engine", name, engine_names())
    return _engine(name, toml.load(HERE / name / "engine.toml"))


def general(package: str, distribution: str = "") -> Engine:
    """What holds for a package that has no folder here."""
    return _engine(package, {"distribution": distribution or package, "package": package})


def for_package(package: str) -> Engine:
    """The engine whose import package or distribution has that name, or the general rules for it."""
    for name in engine_names():
        engine = load(name)
        if package.replace("-", "_") in {engine.package, engine.distribution.replace("-", "_")}:
            return engine
    return general(package.replace("-", "_"), package)


def _engine(name: str, own: dict[str, Any]) -> Engine:
    common = toml.load(HERE / "common.toml")
    return Engine(
        name=name,
        distribution=own["distribution"],
        package=own["package"],
        provider=common["provider"],
        provider_distributions=tuple(common["provider_distributions"]),
        first_release=own.get("first_release", "0"),
        leave_out=(*common["leave_out"], *own.get("leave_out", ())),
        lazy=tuple(
            Lazy(
                name=helper["name"],
                module=helper.get("module", 0),
                attribute=helper.get("attribute"),
                missing=helper["missing"],
            )
            for helper in (*common["lazy"], *own.get("lazy", ()))
        ),
        pin_checks=(*common["pin_checks"], *own.get("pin_checks", ())),
        mirrors=tuple(common["mirrors"]),
        integers=common["integers"],
        decorators={
            name: Decorator(keywords=tuple(added.get("keywords", ())), attributes=added.get("attributes", {}))
            for name, added in common["decorators"].items()
        },
    )
