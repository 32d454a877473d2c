"""What is known of each release's kernels: its inventory and the answers of its selection code, as files.

The files beside this module come with the package, so that no compiler and no network is needed to see them. What
a user asks anew is kept in the cache folder and goes before them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from packaging.version import Version

from matrix.cubins import names
from matrix.cubins.inventory import Inventory
from matrix.cubins.selection import Answers
from matrix.cubins.sources import HELP
from matrix.errors import InputError
from matrix.releases.store import Store

FOLDER = Path(__file__).with_name("answers")
KIND = "answers"
SCHEMA = "kernel-matrix/kernels/1"
_FOLDER = re.compile(r"(?<![\w.:])/(?:[\w.+@-]+/)+")
"""A folder of the machine, in the text of a problem; it says nothing elsewhere."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known of one release's kernels.

    Attributes:
        inventory: the kernels it ships.
        selection: what its selection code answered, or None where it could not be asked.
        problem: why it could not be asked: `verdict`, `reason` and `remedy`; empty where it was.
        made: how the answers came about: `command`, and where they were compiled `cuda`, `arch`, `sources`.
    """

    inventory: Inventory
    selection: Answers | None
    problem: dict[str, str]
    made: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """The form of the files."""
        return {
            "schema": SCHEMA,
            "made": self.made,
            "inventory": self.inventory.to_json(),
            "selection": self.selection and self.selection.to_json(),
            "problem": self.problem,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Known:
        """Read back what `to_json` wrote."""
        return cls(
            inventory=Inventory.from_json(data["inventory"]),
            selection=data["selection"] and Answers.from_json(data["selection"]),
            problem=data["problem"],
            made=data["made"],
        )

    def for_worker(self) -> dict[str, Any]:
        """What a worker needs of it: kernels by member of `ActivationType`, and the answers."""
        shipped = self.inventory.moe()
        return {
            "kernels": {member: shipped.get(word, 0) for word, member in names.ACTIVATIONS.items()},
            "origin": self.inventory.origin,
            "made": self.made,
            "selection": self.selection and self.selection.to_json(),
            "problem": self.problem,
        }


def find(release: str, store: Store | None = None, folder: Path = FOLDER) -> Known | None:
    """What is known of a release: from the cache folder where it was asked here, else from the package.

    Raises:
        InputError: a file is damaged, or of another version of this tool.
    """
    kept = (store or Store()).read(KIND, f"{release}.json")
    if kept is not None:
        return _read(kept, f"{KIND}/{release}.json in the cache folder")
    path = folder / f"{release}.json"
    return _read(path.read_bytes(), str(path)) if path.is_file() else None


def known(folder: Path = FOLDER) -> list[str]:
    """The releases whose answers come with the package, oldest first."""
    return sorted((path.stem for path in folder.glob("*.json")), key=Version)


def missing(release: str) -> dict[str, str]:
    """Why nothing is known of a release, in the form of a problem."""
    reason = f"the kernels of FlashInfer {release} are not known here"
    return {
        "verdict": "NOT_RUN",
        "reason": reason,
        "remedy": f"{HELP} Then: kernel-matrix kernels {release} --select",
    }


def write(kept: Known, folder: Path | None, store: Store | None = None) -> Path:
    """Keep what is known of a release, in a folder or (without one) in the cache."""
    kept = replace(kept, problem={key: _FOLDER.sub("", text) for key, text in kept.problem.items()})
    text = json.dumps(kept.to_json(), separators=(",", ":")) + "\n"
    name = f"{kept.inventory.release}.json"
    if folder is None:
        return (store or Store()).write(KIND, name, text.encode())
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def _read(text: bytes, where: str) -> Known:
    try:
        data = json.loads(text)
        if data["schema"] == SCHEMA:
            return Known.from_json(data)
    except (ValueError, KeyError, TypeError, IndexError):
        pass
    raise InputError(
        f"{where} is damaged or not of {SCHEMA}.", "Remove it, and ask the release anew with --select."
    )
