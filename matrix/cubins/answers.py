"""What is known of each release's kernels: its inventory and the answers of its selection code, as files.

The files beside this module come with the package, so that no compiler and no network is needed to see them. What
a user asks anew is kept in the cache folder and goes before them. What was compiled with the headers of a local
package is kept apart, by these headers, and never stands for a release of which the package or the index told.
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
KIND = "selections"
SCHEMA = "kernel-matrix/kernels/1"
NOT_ASKED = "its selection code was not asked yet"
MADE = {"command", "arch", "cuda"}
"""What stands in `made` wherever there are answers."""
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
        made: how the answers came about: `command`, `arch`, `origin` of the headers, where they were compiled `cuda`
            and `sources`; and `cubins`, a digest of the headers, where these are of a local package.
    """

    inventory: Inventory
    selection: Answers | None
    problem: dict[str, str]
    made: dict[str, str]

    @property
    def failed(self) -> bool:
        """Whether the selection code was asked and could not answer."""
        return self.selection is None and self.problem.get("reason") != NOT_ASKED

    @property
    def origin(self) -> str:
        """Whose headers the answers were compiled with."""
        return self.made.get("origin", self.inventory.origin)

    @property
    def local(self) -> bool:
        """Whether it is of a local package, which may be another than the release's own."""
        return "cubins" in self.made

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
        made, problem = ({key: str(text) for key, text in data[name].items()} for name in ("made", "problem"))
        selection = Answers.from_json(data["selection"]) if data["selection"] is not None else None
        lacking = MADE - made.keys() if selection else {"verdict", "reason"} - problem.keys()
        if lacking:
            raise ValueError(f"it has no {' and no '.join(sorted(lacking))}")
        return cls(
            inventory=Inventory.from_json(data["inventory"]), selection=selection, problem=problem, made=made
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
    release: str, store: Store | None = None, folder: Path = FOLDER, *, arch: str = ARCH, cubins: str = ""
) -> Known | None:
    """What is known of a release: answers that were asked for here, else those of the package, else a failure.

    Args:
        release: version of FlashInfer.
        store: the cache folder.
        folder: of the package's answers.
        arch: that they are for.
        cubins: digest of a local package's headers; answers compiled with the same ones go first. Without it those
            of local packages are taken only where nothing else is known of the release, the latest one first.

    Raises:
        InputError: a file of the package is damaged, or of another version of this tool.
    """
    store = store or Store()
    if cubins and (same := _kept(_name(release, arch, cubins), store)) and same.selection:
        return same
    kept = _kept(_name(release, arch), store)
    path = folder / f"{release}.json"
    shipped = _read(path.read_bytes(), str(path)) if path.is_file() else None
    if shipped and arch != ARCH:
        shipped = replace(shipped, selection=None, problem=not_asked(release, arch), made={})
    told = [known for known in (kept, shipped) if known] or _local(release, arch, store)
    return next((known for known in told if known.selection), told[0] if told else None)


def _local(release: str, arch: str, store: Store) -> list[Known]:
    """What was kept of local packages, the latest first."""
    paths = store.path(KIND, "").glob(_name(release, arch, "*"))
    latest = sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True)
    return [known for path in latest if (known := _kept(path.name, store))]


def _kept(name: str, store: Store) -> Known | None:
    """What is in the cache folder; a damaged file there hides nothing."""
    data = store.read(KIND, name)
    try:
        return _read(data, f"{KIND}/{name} in the cache folder") if data is not None else None
    except InputError as error:
        LOG.warning("%s It is passed over.", error.what)
        return None


def _name(release: str, arch: str, cubins: str = "") -> str:
    return f"{release}-sm{arch}{f'-local-{cubins}' if cubins else ''}.json"


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
        "remedy": f"{help_with(release, known())} Then: kernel-matrix kernels {release} --cubins PATH --select",
    }


def write(kept: Known, folder: Path | None, store: Store | None = None) -> Path:
    """Keep what is known of a release, in a folder or (without one) in the cache; answers are never lost to a failure.

    Returns:
        Where it lies.
    """
    release, arch = kept.inventory.release, kept.made.get("arch", ARCH)
    store = store or Store()
    name = _name(release, arch, kept.made.get("cubins", ""))
    path = store.path(KIND, name)
    if folder:
        path = folder / (f"{release}.json" if arch == ARCH else _name(release, arch))
    if not kept.selection and _answered(path):
        return path
    if not kept.selection and kept.problem.get("verdict") in SURROUNDINGS:
        kept = replace(kept, problem=not_asked(release, arch))
    kept = replace(kept, problem={key: _FOLDER.sub("", text) for key, text in kept.problem.items()})
    text = json.dumps(kept.to_json(), separators=(",", ":")) + "\n"
    if folder is None:
        return store.write(KIND, name, text.encode())
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
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        pass
    raise InputError(
        f"{where} is damaged or not of {SCHEMA}.", "Remove it, and ask the release anew with --select."
    )
