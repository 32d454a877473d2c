"""What is known of each release's kernels: its inventory and the answers of its selection code, as files.

The files beside this module come with the package, so that no compiler and no network is needed to see them. What
a user asks anew is kept in the cache folder and goes before them.
"""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from packaging.version import Version

from matrix.cubins import names
from matrix.cubins.inventory import Inventory
from matrix.cubins.selection import Answers
from matrix.cubins.sources import help_with
from matrix.errors import InputError
from matrix.releases.store import Store
from matrix.verdicts import Verdict

ARCH = "10.0a"
"""The architecture that the answers in the package are for."""

FOLDER = Path(__file__).with_name("answers")
KIND = "answers"
SCHEMA = "kernel-matrix/kernels/1"
NOT_ASKED = "its selection code was not asked yet"
SURROUNDINGS = {Verdict.NOT_RUN.value, Verdict.OUT_OF_MEMORY.value, Verdict.TIMEOUT.value}
"""Verdicts that say something of this machine and moment, and nothing of the release."""

LOG = logging.getLogger(__name__)
_FOLDER = re.compile(r"(?<![\w.:])/(?:[\w.+@-]+/)+")
"""A folder of the machine, in the text of a problem; it says nothing elsewhere."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known of one release's kernels.

    Attributes:
        inventory: the kernels it ships.
        selection: what its selection code answered, or None where it could not be asked.
        problem: why it could not be asked: `verdict`, `reason` and `remedy`; empty where it was.
        made: how the answers came about: `command`, `arch`, and where they were compiled `cuda` and `sources`.
    """

    inventory: Inventory
    selection: Answers | None
    problem: dict[str, str]
    made: dict[str, str]

    @property
    def failed(self) -> bool:
        """Whether the selection code was asked and could not answer."""
        return self.selection is None and self.problem.get("reason") != NOT_ASKED

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
        """What a worker needs of it: kernels by member of `ActivationType`, and the answers; or why it has neither."""
        if not self.inventory.groups:
            reason = f"no name of a kernel of FlashInfer {self.inventory.release} can be read here"
            return {"problem": {"verdict": "NOT_RUN", "reason": reason, "remedy": "Extend cubins/names.py."}}
        shipped = self.inventory.moe()
        return {
            "kernels": {member: shipped.get(word, 0) for word, member in names.ACTIVATIONS.items()},
            "origin": self.inventory.origin,
            "made": self.made,
            "selection": self.selection and self.selection.to_json(),
            "problem": self.problem,
        }


def find(
    release: str, store: Store | None = None, folder: Path = FOLDER, *, arch: str = ARCH
) -> Known | None:
    """What is known of a release: answers that were asked for here, else those of the package, else a failure.

    Raises:
        InputError: a file of the package is damaged, or of another version of this tool.
    """
    kept = _kept(release, arch, store or Store())
    path = folder / f"{release}.json"
    shipped = _read(path.read_bytes(), str(path)) if path.is_file() else None
    if shipped and arch != ARCH:
        shipped = replace(shipped, selection=None, problem=not_asked(release, arch), made={})
    told = [known for known in (kept, shipped) if known]
    return next((known for known in told if known.selection), told[0] if told else None)


def _kept(release: str, arch: str, store: Store) -> Known | None:
    """What is in the cache folder; a damaged file there hides nothing."""
    data = store.read(KIND, _name(release, arch))
    try:
        return _read(data, f"{KIND}/{_name(release, arch)} in the cache folder") if data is not None else None
    except InputError as error:
        LOG.warning("%s It is passed over.", error.what)
        return None


def _name(release: str, arch: str) -> str:
    return f"{release}-sm{arch}.json"


def known(folder: Path = FOLDER) -> list[str]:
    """The releases whose answers come with the package, oldest first."""
    return sorted((path.stem for path in folder.glob("*.json") if "-sm" not in path.stem), key=Version)


def not_asked(release: str, arch: str = ARCH) -> dict[str, str]:
    """That a release's selection code was not asked, in the form of a problem."""
    option = "" if arch == ARCH else f" --arch {arch}"
    return {
        "verdict": "NOT_RUN",
        "reason": NOT_ASKED,
        "remedy": f"kernel-matrix kernels {release} --select{option}",
    }


def missing(release: str) -> dict[str, str]:
    """Why nothing is known of a release, in the form of a problem."""
    reason = f"the kernels of FlashInfer {release} are not known here"
    return {
        "verdict": "NOT_RUN",
        "reason": reason,
        "remedy": f"{help_with(release, known())} Then: kernel-matrix kernels {release} --select",
    }


def write(kept: Known, folder: Path | None, store: Store | None = None) -> Path:
    """Keep what is known of a release, in a folder or (without one) in the cache; answers are never lost to a failure.

    Returns:
        Where it lies.
    """
    release, arch = kept.inventory.release, kept.made.get("arch", ARCH)
    store = store or Store()
    path = store.path(KIND, _name(release, arch))
    if folder:
        path = folder / (f"{release}.json" if arch == ARCH else _name(release, arch))
    if not kept.selection and _answered(path):
        return path
    if not kept.selection and kept.problem.get("verdict") in SURROUNDINGS:
        kept = replace(kept, problem=not_asked(release, arch))
    kept = replace(kept, problem={key: _FOLDER.sub("", text) for key, text in kept.problem.items()})
    text = json.dumps(kept.to_json(), separators=(",", ":")) + "\n"
    if folder is None:
        return store.write(KIND, _name(release, arch), text.encode())
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _answered(path: Path) -> bool:
    """Whether a file holds answers."""
    try:
        return _read(path.read_bytes(), str(path)).selection is not None
    except (OSError, InputError):
        return False


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
