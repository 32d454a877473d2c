"""What a release's selection code answers: configurations a shape, or its own refusal, in a compact form."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matrix.cubins.refusals import NoSelectionError
from matrix.cubins.signature import NotAskableError, arguments
from matrix.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matrix.cubins.module import Module
    from matrix.cubins.questions import Question
    from matrix.cubins.settings import Settings
    from matrix.cubins.toolchain import Toolchain

ASK = Path(__file__).with_name("ask.py")
NOT_ASKABLE = "not askable: "
# Folders of the machine in the release's messages; what follows is the same everywhere.
_FOLDER = re.compile(r"(?<![\w.])/\S*/(?=flashinfer/data/)")


@dataclass(frozen=True, kw_only=True)
class Answers:
    """The answers of one release.

    Attributes:
        splits: `(expert_parallel, tensor_parallel)`, in the order of the columns of `counts`.
        tokens: token counts, in the order of the rows of a column.
        texts: what the release said where it refused, word for word but for folders of the machine.
        counts: by shape and activation, for each split a number a token count: configurations, or below zero the
            text `-1 - number`; an empty list where the split does not divide the shape.
    """

    splits: tuple[tuple[int, int], ...]
    tokens: tuple[int, ...]
    texts: tuple[str, ...]
    counts: dict[str, dict[str, list[list[int]]]]

    @property
    def silent(self) -> bool:
        """Whether the release's code refuses some activations and finds nothing for the others, at any shape.

        Releases before 0.6.4 leave the sizes unset that a configuration is checked against, so that their list is
        empty where the default that they run with is not: then only the refusals say something.
        """
        numbers = [
            number for table in self.counts.values() for told in table.values() for c in told for number in c
        ]
        return 0 in numbers and max(numbers) == 0

    def find(
        self, shape: str, activation: str, *, tokens: int, split: tuple[int, int] = (1, 1)
    ) -> int | str | None:
        """Configurations, or the refusal's text; None where it was not asked.

        Args:
            shape: profile, maybe with `+pad`.
            activation: such as `relu2-nongated`.
            tokens: taken for the next larger count that was asked for.
            split: expert and tensor parallel devices.
        """
        columns = self.counts.get(shape, {}).get(activation)
        if columns is None or split not in self.splits:
            return None
        column = columns[self.splits.index(split)]
        row = next((row for row, count in enumerate(self.tokens) if count >= tokens), len(self.tokens) - 1)
        if not column:
            return None
        return column[row] if column[row] >= 0 else self.texts[-1 - column[row]]

    def to_json(self) -> dict[str, Any]:
        """Plain form: each different column once, and its number where it stands (once for all equal splits)."""
        columns: dict[tuple[int, ...], int] = {}
        counts: dict[str, dict[str, int | list[int]]] = {}
        for shape, table in self.counts.items():
            for activation, told in table.items():
                numbers = [columns.setdefault(tuple(column), len(columns)) for column in told]
                same = len(set(numbers)) == 1
                counts.setdefault(shape, {})[activation] = numbers[0] if same else numbers
        return {
            "splits": self.splits,
            "tokens": self.tokens,
            "texts": self.texts,
            "columns": list(columns),
            "counts": counts,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Answers:
        """Read back what `to_json` wrote.

        Raises:
            ValueError, KeyError, TypeError, IndexError, AttributeError: it is damaged.
        """
        splits = tuple((int(ep), int(tp)) for ep, tp in data["splits"])
        columns, tokens, texts = (
            data["columns"],
            tuple(map(int, data["tokens"])),
            tuple(map(str, data["texts"])),
        )
        for column in columns:
            if len(column) not in {0, len(tokens)} or not all(number >= -len(texts) for number in column):
                raise ValueError(f"a column of other than {len(tokens)} numbers: {column}")
        counts = {
            shape: {
                activation: [
                    columns[number] for number in (told if isinstance(told, list) else [told] * len(splits))
                ]
                for activation, told in table.items()
            }
            for shape, table in data["counts"].items()
        }
        told = [len(columns) for table in counts.values() for columns in table.values()]
        if set(told) != {len(splits)} or len({frozenset(table) for table in counts.values()}) != 1:
            raise ValueError("not every activation has a column for every shape and split")
        return cls(splits=splits, tokens=tokens, texts=texts, counts=counts)


def ask(
    module: Module, asked: Sequence[Question], settings: Settings, toolchain: Toolchain
) -> list[int | str]:
    """Ask a module every question, in a process of the release's own environment.

    Returns:
        Configurations, or a text: the release's refusal, or `not askable: ` and why.

    Raises:
        NoSelectionError: the process died.
    """
    prepared = [_prepare(module, question, settings) for question in asked]
    sent = [entry for entry in prepared if not isinstance(entry, str)]
    command = [module.python, ASK, module.path, toolchain.cudart, settings.code["function"]]
    done = subprocess.run(
        list(map(str, command)), input=json.dumps(sent), capture_output=True, text=True, check=False
    )
    if done.returncode:
        tail = "\n    ".join((done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-3:])
        raise NoSelectionError(
            Verdict.CRASH, f"the release's selection code died when asked:\n    {tail}", "Report this."
        )
    answers = json.loads(done.stdout)
    if misfit := next((text for text in answers if str(text).startswith("TypeError")), None):
        reason = f"the release's selection function takes other arguments than its source says: {misfit}"
        raise NoSelectionError(Verdict.NOT_RUN, reason, "Report this.")
    told = iter(answers)
    return [entry if isinstance(entry, str) else _clean(next(told)) for entry in prepared]


def _prepare(module: Module, question: Question, settings: Settings) -> list[int | bool] | str:
    try:
        return arguments(module.parameters, question, settings.parameter, module.enums)
    except NotAskableError as error:
        return f"{NOT_ASKABLE}{error.what}"


def _clean(answer: int | str) -> int | str:
    return _FOLDER.sub("", answer) if isinstance(answer, str) else answer


def arrange(asked: Sequence[Question], told: Sequence[int | str], settings: Settings) -> Answers:
    """Lay answers out by shape, activation, split and token count."""
    tokens = tuple(settings.ask["tokens"])
    splits = tuple(
        (ep, tp) for ep in settings.ask["expert_parallel"] for tp in settings.ask["tensor_parallel"]
    )
    texts: dict[str, int] = {}
    counts: dict[str, dict[str, list[list[int]]]] = {}
    for question, answer in zip(asked, told, strict=True):
        columns = counts.setdefault(question.shape, {}).setdefault(question.activation, [[] for _ in splits])
        column = columns[splits.index((question.expert_parallel, question.tensor_parallel))]
        column.append(answer if isinstance(answer, int) else -1 - texts.setdefault(answer, len(texts)))
    return Answers(splits=splits, tokens=tokens, texts=tuple(texts), counts=counts)
