"""What engine releases choose by themselves, side by side: the table of `replay` with several engine releases."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matrix.run.replay import Pair

    Table = Mapping[str, Mapping[str, str]]

HEAD = "Chosen by the engine itself on SM100, backend `auto`, with an EAGLE draft; where releases differ:"
CHANGE = "target flashinfer_trtllm, draft auto", "target flashinfer_trtllm, draft flashinfer_trtllm"
"""Before and after drafts were let to use the backend of their target."""

NAMED = 3


def lines(pairs: Sequence[Pair]) -> list[str]:
    """The rows in which the releases differ, model classes and quantizations with equal answers put together."""
    tables: dict[str, Table] = {
        f"{pair.engine} {pair.engine_release}": pair.policy["table"]
        for pair in pairs
        if pair.policy.get("table")
    }
    if len(tables) < 2:
        return []
    rows = sorted(_rows(list(tables.values())).items(), key=lambda row: _order(*row[0]))
    if not rows:
        return ["The engine releases choose the same backends."]
    cells = [[_told(classes), ", ".join(kinds), *answers] for (answers, kinds), classes in rows]
    grid = [["model classes", "quantization", *tables], *cells]
    widths = [max(len(row[column]) for row in grid) for column in range(len(grid[0]))]
    drawn = [
        "  " + "  ".join(f"{cell:{size}}" for cell, size in zip(row, widths, strict=True)) for row in grid
    ]
    return [HEAD, *(line.rstrip() for line in drawn)]


def _rows(tables: Sequence[Table]) -> dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]]:
    """Answers and quantizations that have them, to the model classes that all releases have."""
    rows: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for architecture in tables[0]:
        if not all(architecture in table for table in tables):
            continue
        kinds: dict[tuple[str, ...], list[str]] = {}
        for quantization in tables[0][architecture]:
            told = tuple(table[architecture].get(quantization, "not asked") for table in tables)
            if len(set(told)) > 1:
                kinds.setdefault(told, []).append(quantization)
        for told, quantizations in kinds.items():
            rows.setdefault((told, tuple(quantizations)), []).append(architecture)
    return rows


def _order(answers: Sequence[str], quantizations: Sequence[str]) -> tuple[bool, int]:
    """The change of the drafts comes first, then the rules that are about most."""
    return (answers[0], answers[-1]) != CHANGE, -len(quantizations)


def _told(classes: Sequence[str]) -> str:
    short = (one.removesuffix("ForCausalLM").removesuffix("ForConditionalGeneration") for one in classes)
    names = list(dict.fromkeys(short))
    rest = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + rest
