"""Entries for what no entry covers, as exact as releases and axes allow."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NONE = "none"
GPU_STAGES = frozenset({"numerics", "speed"})

Point = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """A cell with an answer; `unexpected` where no entry covers it.

    Attributes:
        axes: axis to value.
        gpu: compute capability of the machine, or "" without a GPU.
    """

    release: str
    environment: str
    axes: Mapping[str, str]
    gpu: str
    verdict: str
    stage: str
    reason: str
    unexpected: bool

    @property
    def point(self) -> Point:
        """The axis values, comparable."""
        return tuple(self.axes.items())


def suggest(sightings: Iterable[Sighting], tested: Sequence[str]) -> list[str]:
    """One `[[expect]]` for each verdict, stage, reason, environment and range of releases.

    Args:
        sightings: every cell that has an answer, so that an entry covers no cell that answered otherwise.
        tested: the releases, oldest first.
    """
    everything = list(sightings)
    groups: dict[tuple[str, ...], list[Sighting]] = {}
    for each in everything:
        if each.unexpected:
            gpu = (each.gpu or NONE) if each.stage in GPU_STAGES else ""
            key = (each.environment, gpu, each.verdict, each.stage, each.reason)
            groups.setdefault(key, []).append(each)
    return [
        _entry(key, releases, cells)
        for key, group in sorted(groups.items())
        for releases, cells in _ranges(group, everything, tested)
    ]


def _ranges(
    group: list[Sighting], everything: list[Sighting], tested: Sequence[str]
) -> Iterable[tuple[list[str], str]]:
    """Neighbouring releases in which the same cells answered so, with the selection of those cells."""
    environment = group[0].environment
    hit: dict[str, frozenset[Point]] = {}
    known: dict[str, frozenset[Point]] = {}
    for release in tested:
        hit[release] = frozenset(each.point for each in group if each.release == release)
        known[release] = frozenset(
            each.point for each in everything if (each.release, each.environment) == (release, environment)
        )
    present = [release for release in tested if known[release]]
    for (points, every), run in groupby(present, key=lambda release: (hit[release], known[release])):
        if points:
            yield list(run), describe(points, every)


def describe(points: frozenset[Point], every: frozenset[Point]) -> str:
    """A selection that takes these of all points and no others; empty where it takes all."""
    if points == every:
        return ""
    axes = [axis for axis, _ in next(iter(points))]
    values = {axis: {dict(point)[axis] for point in points} for axis in axes}
    narrow = [axis for axis in axes if values[axis] != {dict(point)[axis] for point in every}]
    for axis in list(narrow):
        fewer = [other for other in narrow if other != axis]
        if _take(every, values, fewer) == _take(every, values, narrow):
            narrow = fewer
    taken = _take(every, values, narrow)
    terms = [_any(axis, values[axis]) for axis in narrow]
    if taken == points:
        return " and ".join(terms)
    axis = next(axis for axis in axes if len({dict(point)[axis] for point in taken}) > 1)
    parts = []
    for value in sorted(values[axis]):
        inner = describe(_with(points, axis, value), _with(taken, axis, value))
        parts.append(f"({axis}={value} and {inner})" if inner else f"{axis}={value}")
    return " and ".join([*terms, f"({' or '.join(parts)})" if len(parts) > 1 else parts[0]])


def _take(every: frozenset[Point], values: Mapping[str, set[str]], axes: Sequence[str]) -> frozenset[Point]:
    return frozenset(point for point in every if all(dict(point)[axis] in values[axis] for axis in axes))


def _with(points: frozenset[Point], axis: str, value: str) -> frozenset[Point]:
    return frozenset(point for point in points if dict(point)[axis] == value)


def _any(axis: str, values: set[str]) -> str:
    terms = [f"{axis}={value}" for value in sorted(values)]
    return terms[0] if len(terms) == 1 else f"({' or '.join(terms)})"


def _entry(key: tuple[str, ...], releases: list[str], cells: str) -> str:
    environment, gpu, verdict, stage, reason = key
    first, last = releases[0], releases[-1]
    span = f"=={first}" if first == last else f">={first},<={last}"
    fields = {
        "verdict": verdict,
        "stage": stage,
        "releases": NONE if first == NONE else span,
        "environment": environment,
        "cells": cells,
        "gpu": gpu if gpu in {"", NONE} else f"=={gpu}",
        "reason": reason or "say why this is known",
    }
    return "\n".join(
        ["[[expect]]", *(f"{name} = {json.dumps(value)}" for name, value in fields.items() if value)]
    )
