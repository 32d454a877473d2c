"""The API surface of one release, and the file in which it is kept.

The file has one JSON line a module behind a header line that says where each module's line lies and what its
digest is: a diff reads only the modules that differ, and the history of one symbol a few lines a release.
"""

from __future__ import annotations

import functools
import json
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from mmap import mmap

__all__ = ["SCHEMA", "Entry", "Surface", "dump", "load"]

SCHEMA = 1
NAMES = "*"
"""The line that is no module: which modules define a name."""
PRIVATE = "/private"
"""What follows a module's name for the line of its private part."""
Entry = dict[str, Any]


class Surface:
    """Everything that a caller can name in one release, by `defining.module:qualname` (QUALNAME).

    A module's entry has these keys, all but the first two left out where they would be empty:

    - `file`, `needs`: where it lies in the release; import names of packages that importing it takes beyond those
      that the top-level package takes, whose own are in its `requires`. `error`: why the file is not Python.
    - `functions`: qualname to `{"parameters": [[name, kind, default or null], ...], "annotations", "returns",
      "decorators", "resolved", "path", "line"}`; methods too, as written, with their first parameter. `resolved`
      has the values of defaults that are not literals, where the source tells them, as text; `path` is the
      shortest public path that is meant as one.
    - `classes`: qualname to `{"bases", "methods": {name: QUALNAME, or null for a property}, "attributes",
      "decorators", "path", "line"}`, methods inherited from the release's own classes included; for an enum also
      `lines`, the line of each member, and `texts`, what is written for those whose value is null. A class within
      a class is there as `Outer.Inner`.
    - `enums`: qualname to member values; null where only running the code would tell.
    - `values`: other public names, `{"text", "line"}`, or `{"from"}` with the path that it was imported from.
    - `paths`: each public name of the module to the QUALNAME of the function or class that it stands for.
    - `incidental`: those of the paths that the module has only because its own code uses them.
    - `conditional`: public names that are not always there with their module: `{"needs", "when", "file", "line"}`.
    - `otherwise`: public functions that the module defines a second time, for the case that a package is missing:
      `{"parameters", "line"}`.
    - `private`: (behind `Surface.private`) `functions`, `classes` and `paths` again, for what has no public path.

    Args:
        release: the version, or the name of the wheel, file or folder it was read from.
        modules: entries by dotted name.
    """

    def __init__(self, release: str, modules: Mapping[str, Entry]) -> None:
        self.release = release
        self._modules = modules
        self._named: dict[str, list[str]] | None = None
        self._digests: dict[str, str] = {}

    @property
    def modules(self) -> Mapping[str, Entry]:
        """Entries by dotted name; read when they are asked for."""
        return self._modules

    def digest(self, module: str) -> str:
        """What tells a module's entry from another one."""
        if isinstance(self._modules, _Kept):
            return self._modules.index[module][2]
        if module not in self._digests:
            entry = {key: item for key, item in self._modules[module].items() if key != "private"}
            self._digests[module] = _digest(_line(entry))
        return self._digests[module]

    def unread(self) -> list[str]:
        """Modules whose file is not Python, told without reading all the others."""
        if isinstance(self._modules, _Kept):
            return self._modules.unread()
        return [module for module, entry in self._modules.items() if "error" in entry]

    def naming(self, word: str) -> list[str]:
        """Modules in whose entry a word stands, told without reading all the others."""
        if isinstance(self._modules, _Kept):
            return self._modules.naming(word)
        return [module for module, entry in self._modules.items() if word in json.dumps(entry)]

    def private(self, module: str) -> Entry:
        """A module's `private` part."""
        if isinstance(self._modules, _Kept):
            return self._modules.private(module)
        found: Entry = self._modules[module].get("private", {})
        return found

    def locate(self, path: str) -> tuple[str, str, str]:
        """An import path as module, name in it and what follows; an empty module where there is none."""
        parts = path.split(".")
        for end in range(len(parts), 0, -1):
            module = ".".join(parts[:end])
            if module in self._modules:
                return module, parts[end] if end < len(parts) else "", ".".join(parts[end + 1 :])
        return "", "", path

    def qualname(self, path: str) -> str | None:
        """The QUALNAME of an import path, of a `Class.method` behind one too, or of a QUALNAME itself."""
        if ":" in path:
            return path if self.function(path) or self.cls(path) else None
        module, name, rest = self.locate(path)
        if not name:
            package, _, name = path.rpartition(".")  # a function may bear the name of its own module
            own: str | None = (
                self._modules[package].get("paths", {}).get(name) if package in self._modules else None
            )
            return own
        found: str | None = self._modules[module].get("paths", {}).get(name)
        private = self.private(module) if found is None else {}
        found = found or private.get("paths", {}).get(name)
        if found is None and (name in private.get("functions", {}) or name in private.get("classes", {})):
            found = f"{module}:{name}"
        if found is None or not rest:
            return found
        holder = self.cls(found)
        method: str | None = (holder or {}).get("methods", {}).get(rest)
        if method is None and (self.function(f"{found}.{rest}") or self.cls(f"{found}.{rest}")):
            method = f"{found}.{rest}"
        return method

    def lineage(self, qualname: str) -> tuple[list[str], list[str]]:
        """A class and its bases inside the release by QUALNAME, nearest first; and its bases outside, as written."""
        inside, outside = [qualname], []
        for owner in inside:
            module = owner.partition(":")[0]
            for base in (self.cls(owner) or {}).get("bases", ()):
                name = base.partition("[")[0]
                found = self.qualname(f"{module}.{name}")
                if found is None or self.cls(found) is None:
                    outside.append(name)
                elif found not in inside:
                    inside.append(found)
        return inside, outside

    def named(self, name: str) -> list[str]:
        """QUALNAMEs of public functions and classes of that name, wherever they are defined."""
        if isinstance(self._modules, _Kept):
            modules = self._modules.named.get(name, [])
        else:
            if self._named is None:
                self._named = _names(self._modules)
            modules = self._named.get(name, [])
        return [f"{module}:{name}" for module in modules]

    def function(self, qualname: str) -> Entry | None:
        """A function or method by QUALNAME, public or not."""
        return self._defined("functions", qualname)

    def cls(self, qualname: str) -> Entry | None:
        """A class by QUALNAME, public or not."""
        return self._defined("classes", qualname)

    def constructor(self, qualname: str) -> str | None:
        """The function that a call of a class fills: its `__new__` or `__init__`, whichever is nearer."""
        methods = (self.cls(qualname) or {}).get("methods", {})
        made, init = methods.get("__new__"), methods.get("__init__")
        if made and init and init.rpartition(".")[0] == qualname != made.rpartition(".")[0]:
            made = None
        found: str | None = made or init
        return found

    def enum(self, qualname: str) -> Entry | None:
        """An enum's members by QUALNAME."""
        module, _, name = qualname.partition(":")
        found: Entry | None = self._modules.get(module, {}).get("enums", {}).get(name)
        return found

    def value(self, path: str) -> Entry | None:
        """Another public name, such as a constant, by import path."""
        module, name, rest = self.locate(path)
        found: Entry | None = self._modules[module].get("values", {}).get(name) if name and not rest else None
        return found

    def conditional(self, path: str) -> Entry | None:
        """What a public import path waits for, its module's needs included; nothing where it is always there."""
        module, name, _ = self.locate(path)
        entry = self._modules[module] if module else {}
        own = entry.get("conditional", {}).get(name, {})
        needs = sorted({*entry.get("needs", ()), *own.get("needs", ())})
        return own | {"needs": needs} if own or needs else None

    def file(self, qualname: str) -> str:
        """The file that defines a QUALNAME."""
        return str(self._modules[qualname.partition(":")[0]]["file"])

    def _defined(self, section: str, qualname: str) -> Entry | None:
        module, _, name = qualname.partition(":")
        if module not in self._modules:
            return None
        entry = self._modules[module]
        found: Entry | None = entry.get(section, {}).get(name)
        if found or any(name in entry.get(other, ()) for other in ("functions", "classes")):
            return found
        kept: Entry | None = self.private(module).get(section, {}).get(name)
        return kept

    def to_json(self, *, private: bool = False) -> Entry:
        """The document that `kernel-matrix surface --json` prints.

        Args:
            private: also functions and classes that have no public path.
        """
        data: Entry = {"schema": SCHEMA, "release": self.release, "modules": {}}
        data |= {key: {} for key in ("functions", "classes", "enums", "paths", "values", "conditional")}
        for module, entry in self._modules.items():
            data["modules"][module] = {
                key: entry[key] for key in ("file", "needs", "requires", "error") if key in entry
            }
            for part in [entry, *([self.private(module)] if private else [])]:
                for section in ("functions", "classes"):
                    for name, item in part.get(section, {}).items():
                        data[section][f"{module}:{name}"] = item | {"file": entry["file"]}
                data["paths"].update(
                    {f"{module}.{name}": target for name, target in part.get("paths", {}).items()}
                )
            data["enums"].update({f"{module}:{name}": item for name, item in entry.get("enums", {}).items()})
            for section in ("values", "conditional"):
                data[section].update(
                    {f"{module}.{name}": item for name, item in entry.get(section, {}).items()}
                )
        return data


class _Kept(dict[str, Entry]):
    """Module entries that are parsed when they are asked for."""

    def __init__(self, data: bytes | mmap, start: int, index: dict[str, tuple[int, int, str]]) -> None:
        super().__init__()
        self.data = data
        self.start = start
        self.places = index
        self.index = {
            line: place for line, place in index.items() if line != NAMES and not line.endswith(PRIVATE)
        }

    @functools.cached_property
    def named(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = self._at(self.places[NAMES])
        return found

    def _at(self, place: tuple[int, int, str]) -> Any:
        at = self.start + place[0]
        return json.loads(self.data[at : at + place[1]])

    def __missing__(self, module: str) -> Entry:
        entry: Entry = self._at(self.index[module])
        self[module] = entry
        return entry

    def private(self, module: str) -> Entry:
        entry = self[module]
        if "private" not in entry:
            place = self.places.get(module + PRIVATE)
            entry["private"] = self._at(place) if place else {}
        found: Entry = entry["private"]
        return found

    def naming(self, word: str) -> list[str]:
        wanted = word.encode()
        spots = {line: self.start + place[0] for line, place in self.places.items() if line != NAMES}
        found = [
            line for line, at in spots.items() if self.data.find(wanted, at, at + self.places[line][1]) >= 0
        ]
        return list(dict.fromkeys(line.removesuffix(PRIVATE) for line in found))

    def unread(self) -> list[str]:
        spots = {module: self.start + place[0] for module, place in self.index.items()}
        likely = [
            module
            for module, at in spots.items()
            if self.data.find(b'"error":', at, at + self.index[module][1]) >= 0
        ]
        return [module for module in likely if "error" in self[module]]

    def __contains__(self, module: object) -> bool:
        return module in self.index

    def __iter__(self) -> Iterator[str]:
        return iter(self.index)

    def __len__(self) -> int:
        return len(self.index)

    def get(self, module: str, default: Any = None) -> Any:
        return self[module] if module in self.index else default

    def items(self) -> Any:
        return [(module, self[module]) for module in self.index]

    def keys(self) -> Any:
        return self.index.keys()


def _names(modules: Mapping[str, Entry]) -> dict[str, list[str]]:
    """Modules by the name of what they define."""
    found: dict[str, list[str]] = {}
    for module, entry in modules.items():
        for name in (*entry.get("functions", ()), *entry.get("classes", ())):
            if "." not in name:
                found.setdefault(name, []).append(module)
    return found


def _line(entry: Entry) -> bytes:
    return json.dumps(entry, separators=(",", ":")).encode()


def _digest(line: bytes) -> str:
    return blake2b(line, digest_size=8).hexdigest()


def dump(surface: Surface) -> bytes:
    """The file of a surface."""
    lines: dict[str, bytes] = {}
    for module, entry in surface.modules.items():
        lines[module] = _line({key: item for key, item in entry.items() if key != "private"})
        if "private" in entry:
            lines[module + PRIVATE] = _line(entry["private"])
    lines[NAMES] = _line(_names(surface.modules))
    index: dict[str, tuple[int, int, str]] = {}
    offset = 0
    for module, line in lines.items():
        index[module] = (offset, len(line), _digest(line))
        offset += len(line) + 1
    header = {"schema": SCHEMA, "release": surface.release, "length": offset, "index": index}
    return b"\n".join([json.dumps(header, separators=(",", ":")).encode(), *lines.values(), b""])


def load(data: bytes | mmap) -> Surface | None:
    """The surface in a file, or nothing where the file is torn or of another schema."""
    start = data.find(b"\n") + 1
    try:
        header = json.loads(data[:start])
        whole = (
            header["schema"] == SCHEMA and NAMES in header["index"] and len(data) == start + header["length"]
        )
    except (ValueError, KeyError, TypeError):
        return None
    return Surface(header["release"], _Kept(data, start, header["index"])) if whole else None
