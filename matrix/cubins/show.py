"""What is known of kernels as lines for people, and as the document of `--json`."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from matrix.cubins import agreement, names
from matrix.cubins.answers import ARCH
from matrix.cubins.inventory import BFLOAT16, since

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from matrix.cubins.answers import Known
    from matrix.cubins.gather import Finding
    from matrix.cubins.inventory import Change, Inventory, Kind, Span
    from matrix.cubins.selection import Answers

SOME = 10
WORDS = (names.PLAIN, *names.ACTIVATIONS)


def lines(found: Finding) -> list[str]:
    """One release."""
    if found.known is None:
        return [
            f"FlashInfer {found.release}: {found.problem['verdict']}, {found.problem['reason']}",
            *_remedy(found.problem),
        ]
    known = found.known
    inventory = known.inventory
    if not inventory.groups:
        return [
            f"FlashInfer {inventory.release}: {inventory.total} kernels ({inventory.origin})",
            f"  No name parses, so nothing can be said of them; the first of {len(inventory.unparsed)}:",
            *(f"    {name}" for name in inventory.unparsed[:SOME]),
            "  Teach matrix/cubins/names.py their words, or see whether these are cubins of FlashInfer.",
        ]
    families = ", ".join(f"{count} {family}" for family, count in inventory.families().items())
    told = [
        f"FlashInfer {inventory.release}: {inventory.total} kernels ({inventory.origin})",
        f"  {families}; {len(inventory.unparsed)} names that do not parse",
        *(f"    {name}" for name in inventory.unparsed[:SOME]),
        "",
        *_moe(inventory),
        "",
        *(_not_anew(found.problem) if found.problem and known.selection else []),
        *_selection(known),
    ]
    told += [f"  DISAGREE  {sentence}" for sentence in agreement.disagreements(known)]
    asserted = _assertions(found)
    if not inventory.moe() or not asserted:
        return told
    told += ["", "Activations that engines let through, against those that this release can run:"]
    for fit, engines in groupby(asserted, key=_fit):
        first, *_, last = [each.engine for each in engines] * 2
        told.append(f"  {first if first == last else f'{first} - {last}'}: {fit}")
    return told


def _assertions(found: Finding) -> list[agreement.Assertion]:
    """Engines against a release; they assert for the architecture of the package's answers, and for no other."""
    return agreement.assertions(found.known) if found.known and found.arch == ARCH else []


def _not_anew(problem: Mapping[str, str]) -> list[str]:
    return [
        f"Not asked anew: {problem['verdict']}, {problem['reason'].rstrip('.')}.",
        *_remedy(problem),
        "The answers of before are shown.",
    ]


def _fit(each: agreement.Assertion) -> str:
    refused = f"; refuses {', '.join(each.refused)}" if each.refused else ""
    return each.fit + refused + (f"; lets through {', '.join(each.unserved)}" if each.unserved else "")


def _remedy(problem: Mapping[str, str]) -> list[str]:
    return [f"  {problem['remedy']}"] if problem.get("remedy") else []


def _moe(inventory: Inventory) -> list[str]:
    """MoE kernels by dtypes and architecture, a column an activation."""
    rows: dict[tuple[str, str, str, str], dict[str, int]] = {}
    for kind, group in inventory.groups.items():
        if kind.family == names.MOE:
            row = rows.setdefault((kind.a, kind.b, kind.out, kind.arch), {})
            row[kind.activation] = row.get(kind.activation, 0) + group.count
    if not rows:
        return ["MoE kernels: none by name"]
    head = ["weights", "inputs", "result", "arch", *WORDS]
    body = [[*key, *(str(row.get(word, 0)) for word in WORDS)] for key, row in sorted(rows.items())]
    return ["MoE kernels by fused activation:", *_table([head, *body])]


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _selection(known: Known) -> list[str]:
    if known.selection is None:
        problem = known.problem
        return [f"Selection: {problem['verdict']}, {problem['reason']}", *_remedy(problem)]
    made, answers = known.made, known.selection
    told = [
        f"Selection of BF16 kernels, compiled for SM {made['arch']} with CUDA {made['cuda']} (`{made['command']}`)",
        f"and the headers of {known.origin}:",
    ]
    if answers.silent:
        told.append("  The release's own list is empty at every shape; only its refusals say something.")
    shown = sorted(agreement.runnable(known))
    head = ["shape", "activation", *(f"{tokens} tokens" for tokens in answers.tokens), "splits with one"]
    body = [
        [shape, activation, *_counts(answers, shape, activation)]
        for shape in answers.counts
        for activation in shown
    ]
    told += _table([head, *body])
    for activation in next(iter(answers.counts.values())):
        if activation not in shown:
            first = next(iter(answers.counts))
            told.append(f"  {activation}: {answers.find(first, activation, tokens=1)}")
    return told


def _counts(answers: Answers, shape: str, activation: str) -> list[str]:
    columns = [column for column in answers.counts[shape][activation] if column]
    whole = [answers.find(shape, activation, tokens=tokens) for tokens in answers.tokens]
    some = sum(max(column) > 0 for column in columns)
    return [*(str(n) if isinstance(n, int) else "refused" for n in whole), f"{some} of {len(columns)}"]


def changes(old: str, new: str, found: Iterable[Change]) -> list[str]:
    """The difference of two releases."""
    rows = [f"  {change.kind}: {change.old} -> {change.new}" for change in found]
    return [f"From {old} to {new}:", *(rows or ["  the same kernels"])]


def story(told: Mapping[Kind, Sequence[Span]], *, every: bool) -> list[str]:
    """How MoE kernels came and went; those of BF16 only, unless all are asked for."""
    rows = []
    for kind, spans in told.items():
        if every or kind[1:4] == (BFLOAT16,) * 3:
            when = since(spans)
            rows.append(
                f"  {kind}: {f'since {when}' if when else 'no longer'} ({', '.join(map(str, spans))})"
            )
    return ["MoE kernels over the releases, by number:", *rows]


def document(found: Finding) -> dict[str, Any]:
    """One release for machines."""
    if found.known is None:
        return {"release": found.release, "problem": found.problem}
    known = found.known
    return {
        "release": found.release,
        "total": known.inventory.total,
        "families": known.inventory.families(),
        "bf16_moe": known.inventory.moe(),
        **known.to_json(),
        "note": found.note,
        "not_asked_anew": found.problem,
        "disagreements": agreement.disagreements(known),
        "engines": [
            {"engine": each.engine, "fit": each.fit, "refused": each.refused, "unserved": each.unserved}
            for each in _assertions(found)
        ],
    }
