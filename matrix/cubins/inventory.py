"""What a release ships: its kernels in groups, the difference of two releases, and how they came and went."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from matrix.cubins import names

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matrix.cubins.names import Kernel

BFLOAT16 = "Bfloat16"
_parse = cache(names.parse)


class Kind(NamedTuple):
    """What kernels of one group have in common; the fields are those of `Kernel`."""

    family: str
    out: str
    a: str
    b: str
    activation: str
    head: str
    arch: str

    def __str__(self) -> str:
        computed = self.head or (self.activation if self.family == names.MOE else "")
        return " ".join(
            filter(None, (self.family, f"{self.a} x {self.b} -> {self.out}", computed, self.arch))
        )


@dataclass(frozen=True, kw_only=True)
class Group:
    """How many kernels of a kind there are, and how many of them have which tile and cluster (as in `128x16x64`)."""

    count: int
    tiles: dict[str, int] = field(default_factory=dict)
    clusters: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """The kernels of one release.

    Attributes:
        release: version of FlashInfer.
        origin: where the names were read, for people.
        groups: kernels by kind.
        unparsed: names that the grammar does not know; they count as kernels of no kind.
    """

    release: str
    origin: str
    groups: dict[Kind, Group]
    unparsed: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """All kernels, parsed or not."""
        return sum(group.count for group in self.groups.values()) + len(self.unparsed)

    def moe(self, dtype: str = BFLOAT16) -> dict[str, int]:
        """Kernels by fused activation for MoE layers whose weights, inputs and results have one dtype."""
        found: Counter[str] = Counter()
        for kind, group in self.groups.items():
            if kind[:4] == (names.MOE, dtype, dtype, dtype):
                found[kind.activation] += group.count
        return dict(found)

    def families(self) -> dict[str, int]:
        """Kernels by family."""
        found = Counter(dict.fromkeys(names.FAMILIES, 0))
        for kind, group in self.groups.items():
            found[kind.family] += group.count
        return dict(found)

    def to_json(self) -> dict[str, Any]:
        """Rows of a kind's fields, its count, tiles and clusters."""
        rows = [[*kind, group.count, group.tiles, group.clusters] for kind, group in self.groups.items()]
        return {
            "release": self.release,
            "origin": self.origin,
            "groups": rows,
            "unparsed": list(self.unparsed),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Inventory:
        """Read back what `to_json` wrote."""
        width = len(Kind._fields)
        groups = {
            Kind(*map(str, row[:width])): Group(
                count=int(row[width]), tiles=dict(row[width + 1]), clusters=dict(row[width + 2])
            )
            for row in data["groups"]
        }
        return cls(
            release=data["release"],
            origin=data["origin"],
            groups=groups,
            unparsed=tuple(data["unparsed"]),
        )


def take(release: str, origin: str, listed: Iterable[str]) -> Inventory:
    """Sort the names of a release's kernels into groups."""
    kernels: dict[Kind, list[Kernel]] = {}
    unparsed = []
    for name in sorted(listed):
        kernel = _parse(name)
        if kernel is None:
            unparsed.append(name)
        else:
            kernels.setdefault(Kind(*(getattr(kernel, key) for key in Kind._fields)), []).append(kernel)
    groups = {kind: _group(kernels[kind]) for kind in sorted(kernels)}
    return Inventory(release=release, origin=origin, groups=groups, unparsed=tuple(unparsed))


def _group(kernels: Sequence[Kernel]) -> Group:
    return Group(
        count=len(kernels),
        tiles=_by_size(kernel.tile for kernel in kernels),
        clusters=_by_size(kernel.cluster for kernel in kernels),
    )


def _by_size(sizes: Iterable[tuple[int, ...]]) -> dict[str, int]:
    counted = sorted(Counter(size for size in sizes if size).items())
    return {"x".join(map(str, size)): count for size, count in counted}


@dataclass(frozen=True, kw_only=True)
class Change:
    """A kind whose number of kernels differs between two releases; 0 where there is none."""

    kind: Kind
    old: int
    new: int


def difference(old: Inventory, new: Inventory) -> list[Change]:
    """What changed from one release to the other, kinds that came or went first."""
    changes = [
        Change(kind=kind, old=before, new=after)
        for kind in sorted(old.groups.keys() | new.groups.keys())
        if (before := _count(old, kind)) != (after := _count(new, kind))
    ]
    return sorted(changes, key=lambda change: (change.old > 0 and change.new > 0, change.kind))


def _count(inventory: Inventory, kind: Kind) -> int:
    return inventory.groups[kind].count if kind in inventory.groups else 0


@dataclass(frozen=True, kw_only=True)
class Span:
    """Neighbouring releases that ship equally many kernels of a kind."""

    first: str
    last: str
    count: int

    def __str__(self) -> str:
        return f"{self.first if self.first == self.last else f'{self.first} - {self.last}'}: {self.count}"


def history(inventories: Sequence[Inventory]) -> dict[Kind, list[Span]]:
    """How each MoE kind came and went over releases, oldest first; architectures are counted together.

    Args:
        inventories: of releases in their order.
    """
    counts: dict[Kind, list[tuple[str, int]]] = {}
    for number, inventory in enumerate(inventories):
        found: Counter[Kind] = Counter()
        for kind, group in inventory.groups.items():
            if kind.family == names.MOE:
                found[kind._replace(arch="")] += group.count
        for kind in found.keys() - counts.keys():
            counts[kind] = [(earlier.release, 0) for earlier in inventories[:number]]
        for kind, seen in counts.items():
            seen.append((inventory.release, found[kind]))
    return {kind: _spans(counts[kind]) for kind in sorted(counts)}


def _spans(seen: list[tuple[str, int]]) -> list[Span]:
    spans = []
    for count, run in groupby(seen, key=lambda item: item[1]):
        releases = [release for release, _ in run]
        spans.append(Span(first=releases[0], last=releases[-1], count=count))
    return spans


def since(spans: Sequence[Span]) -> str:
    """The release from which on a kind was always there; empty where it is not in the last one."""
    last_gap = max((number for number, span in enumerate(spans) if span.count == 0), default=-1)
    return spans[last_gap + 1].first if last_gap + 1 < len(spans) else ""
