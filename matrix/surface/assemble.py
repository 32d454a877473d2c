"""A release's surface from the records of its files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matrix.surface.model import Entry, Surface
from matrix.surface.namespace import Module, Namespace, Thing
from matrix.surface.values import Unknown, enum_members, is_literal

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

__all__ = ["assemble"]

ENUM_BASES = {
    "Enum": "any",
    "IntEnum": "int",
    "StrEnum": "str",
    "Flag": "flag",
    "IntFlag": "flag",
    "ReprEnum": "any",
}
BROUGHT_BY_TORCH = {"typing_extensions"}
EXPLICIT, COLLECTED, INCIDENTAL = range(3)
DEPTH = 20


def assemble(release: str, modules: Iterable[Module]) -> Surface:
    """Resolve every name of every module and put the surface together."""
    return _Assembly(release, modules).surface()


class _Assembly(Namespace):
    """One release being put together."""

    def __init__(self, release: str, modules: Iterable[Module]) -> None:
        super().__init__(modules)
        self.release = release
        self.entries: dict[str, Entry] = {}
        self._best: dict[tuple[str, str], tuple[Any, ...]] = {}
        self._enums: dict[tuple[str, str], dict[str, Any]] = {}

    def surface(self) -> Surface:
        for name, module in self.modules.items():
            entry: Entry = {"file": module.file, "needs": sorted(self._beyond(name, self.needs(name)))}
            if "error" in module.record:
                entry["error"] = module.record["error"]
            if "." not in name:
                entry["requires"] = sorted(self.needs(name))
            self.entries[name] = entry
        things = {
            (name, local): thing
            for name in self.modules
            for local in self.names(name)
            if (thing := self.thing(name, local)) and thing.kind in "fcv"
        }
        for public in (True, False):
            for (name, local), thing in things.items():
                if self._is_public(name, local) == public:
                    self._enter(name, local, thing, public=public)
        return Surface(self.release, self.entries)

    def _enter(self, module: str, local: str, thing: Thing, *, public: bool) -> None:
        entry = self.entries[module]
        if thing.kind in "fc":
            qualname = f"{thing.module}:{thing.name}"
            self._define(thing, public=public)
            if public:
                entry.setdefault("paths", {})[local] = qualname
                self._note_otherwise(module, local, thing)
                manner = self._manner(module, local) if thing.module != module else EXPLICIT
                if manner == INCIDENTAL:
                    entry.setdefault("incidental", []).append(local)
                else:
                    self._offer_path(thing, f"{module}.{local}", manner)
            elif thing.module != module:
                entry.setdefault("private", {}).setdefault("paths", {})[local] = qualname
        elif public and local != "__all__":
            value: Entry = {"text": thing.binding[3], "line": thing.binding[1]}
            if thing.module != module:
                value = {"from": f"{thing.module}.{thing.name}"}
                if self._manner(module, local) == INCIDENTAL:
                    entry.setdefault("incidental", []).append(local)
            entry.setdefault("values", {})[local] = value
        condition = self._condition(module, thing) if public else None
        if condition:
            entry.setdefault("conditional", {})[local] = condition

    def _note_otherwise(self, module: str, local: str, thing: Thing) -> None:
        """Note the function that a module defines under the same name for the case that a package is missing."""
        for kind, line, _, data, *_ in self.modules[module].record.get("names", {}).get(local, ()):
            if kind == "f" and thing.fallback and (thing.module, thing.binding[1]) != (module, line):
                otherwise = self.entries[module].setdefault("otherwise", {})
                otherwise[local] = {"parameters": data["parameters"], "line": line}

    def _manner(self, module: str, local: str) -> int:
        """How a module has a name from elsewhere: said so, as a package's collection, or for its own code only."""
        holder = self.modules[module]
        listed = holder.record.get("all")
        if listed is not None:
            return EXPLICIT if local in listed else INCIDENTAL
        bindings = holder.record.get("names", {}).get(local, ())
        if not bindings or any(
            binding[0] != "i" or (len(binding) > 6 and binding[6]) for binding in bindings
        ):
            return EXPLICIT
        return COLLECTED if holder.file.endswith("__init__.py") else INCIDENTAL

    def _offer_path(self, thing: Thing, path: str, manner: int) -> None:
        """Note a public path beside the definition, where it is better than the one noted so far."""
        rank = (manner, path.count("."), len(path), path)
        if rank < self._best.get((thing.module, thing.name), (INCIDENTAL,)):
            self._best[thing.module, thing.name] = rank
            section = "functions" if thing.kind == "f" else "classes"
            item = self.entries[thing.module].get(section, {}).get(thing.name)
            if item is not None:
                item["path"] = path

    def _section(self, module: str, section: str, name: str, *, public: bool) -> Entry | None:
        """Where a definition goes, or nothing where it stands already, there or among the public ones."""
        entry = self.entries[module]
        if name in entry.get(section, {}) or name in entry.get("private", {}).get(section, {}):
            return None
        into: Entry = (entry if public else entry.setdefault("private", {})).setdefault(section, {})
        return into

    def _is_public(self, module: str, local: str) -> bool:
        if "._" in module or module.startswith("_"):
            return False
        listed = self.modules[module].record.get("all")
        return not local.startswith("_") or (listed is not None and local in listed) or local == "__version__"

    def _condition(self, module: str, thing: Thing) -> Entry | None:
        needs = set(self.needs(module))
        if not thing.fallback:
            needs |= self.guard_needs(thing.guards)
        if thing.lazy:
            needs |= self.needs(thing.module)
        needs = self._beyond(module, needs)
        needs -= self._beyond(module, self.needs(module))
        if not needs and (not thing.guards or thing.fallback):
            return None
        entry: Entry = {"needs": sorted(needs)}
        if thing.guards:
            where, guard = thing.guards[0]
            _, text, line, _ = self.modules[where].record["guards"][guard]
            entry |= {"when": text, "file": self.modules[where].file, "line": line}
        return entry

    def _beyond(self, module: str, needs: AbstractSet[str]) -> set[str]:
        """The packages that are needed beyond those of the top-level package."""
        return set(needs) - self.needs(module.partition(".")[0]) - BROUGHT_BY_TORCH

    def _define(self, thing: Thing, *, public: bool) -> None:
        if thing.kind == "f":
            self._put_function(thing.module, thing.name, thing.binding[1], thing.binding[3], public=public)
        else:
            self._put_class(thing, public=public)

    def _put_function(self, module: str, name: str, line: int, data: Entry, *, public: bool) -> None:
        into = self._section(module, "functions", name, public=public)
        if into is None:
            return
        entry: Entry = {"parameters": data["parameters"]}
        for key in ("annotations", "returns", "decorators"):
            if data[key]:
                entry[key] = data[key]
        resolved = self._resolved(module, data["parameters"])
        if resolved:
            entry["resolved"] = resolved
        into[name] = entry | {"line": line}

    def _resolved(self, module: str, parameters: list[list[Any]]) -> Entry:
        found: Entry = {}
        for name, _, default in parameters:
            if default is not None and default.isidentifier() and default in {"None", "True", "False"}:
                continue
            if default is not None and not is_literal(default):
                try:
                    found[name] = repr(self.value(module, default))
                except Unknown:
                    continue
        return found

    def _put_class(self, thing: Thing, *, public: bool) -> None:
        into = self._section(thing.module, "classes", thing.name, public=public)
        if into is None:
            return
        data = thing.binding[3]
        methods: dict[str, str | None] = {}
        entry: Entry = {
            "bases": data["bases"],
            "methods": methods,
            "attributes": [name for name, *_ in data["fields"] if not name.startswith("_")],
            "line": thing.binding[1],
        }
        if data["decorators"]:
            entry["decorators"] = data["decorators"]
        into[thing.name] = entry
        line = self._lineage(thing)
        for owner in reversed(line):
            for name, (kind, *_) in owner.binding[3]["members"].items():
                if kind == "c" or (name.startswith("_") and not name.startswith("__")):
                    continue
                methods[name] = f"{owner.module}:{owner.name}.{name}" if kind == "f" else None
            for name, _, text, _ in owner.binding[3]["fields"]:
                alias = self._method_alias(owner, text or "")
                if alias:
                    methods[name] = alias
        for owner in line:
            self._put_methods(owner, public=public)
        nature = self._enum_nature(line)
        if nature:
            members = self._members(thing, nature)
            self.entries[thing.module].setdefault("enums", {})[thing.name] = members
            computed = {
                name: text for name, _, text, _ in data["fields"] if name in members and members[name] is None
            }
            if computed:
                entry["texts"] = computed
            entry["lines"] = {
                name: at for name, _, text, at in data["fields"] if text and not name.startswith("_")
            }
        elif self._is_dataclass(thing) and "__init__" not in data["members"]:
            self._put_made(thing, "__init__", self._dataclass_parameters(line), methods, public=public)
        elif any(base.rpartition(".")[2] == "NamedTuple" for base in data["bases"]):
            rows = [[name, "POSITIONAL_OR_KEYWORD", text] for name, note, text, _ in data["fields"] if note]
            rows.insert(0, ["cls", "POSITIONAL_OR_KEYWORD", None])
            self._put_made(thing, "__new__", rows, methods, public=public)
        for name, binding in data["members"].items():
            if binding[0] == "c":
                inner = Thing(
                    kind="c",
                    module=thing.module,
                    name=f"{thing.name}.{name}",
                    binding=["c", binding[1], None, binding[2]],
                )
                self._put_class(inner, public=public and not name.startswith("_"))

    def _method_alias(self, owner: Thing, text: str, depth: int = 0) -> str | None:
        """The method that `other = method` or `other = staticmethod(Class.method)` in a class body stands for."""
        inner = text.removesuffix(")").removeprefix("staticmethod(").removeprefix("classmethod(")
        head, dot, name = inner.rpartition(".")
        holder = self.dotted(owner.module, head) if dot else owner
        if holder is None or holder.kind != "c" or depth > DEPTH:
            return None
        if holder.binding[3]["members"].get(name, [""])[0] == "f":
            return f"{holder.module}:{holder.name}.{name}"
        further = next((value for field, _, value, _ in holder.binding[3]["fields"] if field == name), None)
        return self._method_alias(holder, further, depth + 1) if further and further != text else None

    def _put_made(
        self, thing: Thing, name: str, rows: list[list[Any]], methods: dict[str, str | None], *, public: bool
    ) -> None:
        """A constructor that nobody wrote: of a dataclass or a named tuple."""
        methods[name] = f"{thing.module}:{thing.name}.{name}"
        made: Entry = {"parameters": rows, "annotations": {}, "returns": None, "decorators": ["made"]}
        self._put_function(thing.module, f"{thing.name}.{name}", thing.binding[1], made, public=public)

    def _put_methods(self, owner: Thing, *, public: bool) -> None:
        for name, (kind, at, data) in owner.binding[3]["members"].items():
            if kind == "f":
                shown = public and (not name.startswith("_") or name.startswith("__"))
                self._put_function(owner.module, f"{owner.name}.{name}", at, data, public=shown)

    def _lineage(self, thing: Thing, depth: int = 0) -> list[Thing]:
        """The class and its bases inside the release, nearest first."""
        found = [thing]
        for base in thing.binding[3]["bases"] if depth < DEPTH else ():
            parent = self.dotted(thing.module, base.partition("[")[0])
            if parent and parent.kind == "c" and (parent.module, parent.name) != (thing.module, thing.name):
                found += [one for one in self._lineage(parent, depth + 1) if one not in found]
        return found

    def _outside_bases(self, line: list[Thing]) -> list[str]:
        found = []
        for owner in line:
            for base in owner.binding[3]["bases"]:
                thing = self.dotted(owner.module, base.partition("[")[0])
                if thing and thing.kind == "x":
                    found.append(f"{thing.module}.{thing.name}".rstrip("."))
                elif thing is None or thing.kind != "c":
                    found.append(base)
        return found

    def _enum_nature(self, line: list[Thing]) -> str | None:
        outside = [base.rpartition(".")[2] for base in self._outside_bases(line)]
        natures = [ENUM_BASES[base] for base in outside if base in ENUM_BASES]
        if not natures:
            return None
        return "int" if "int" in outside else "str" if "str" in outside else natures[0]

    def _members(self, thing: Thing, nature: str) -> dict[str, Any]:
        key = (thing.module, thing.name)
        if key not in self._enums:
            self._enums[key] = {}
            data = thing.binding[3]
            self._enums[key] = enum_members(
                data["fields"],
                nature,
                lambda name: self.value(thing.module, name),
                computed="__new__" in data["members"],
            )
        return self._enums[key]

    def member(self, thing: Thing, rest: str) -> Any:
        """The value of an enum member."""
        name, _, tail = rest.partition(".")
        nature = self._enum_nature(self._lineage(thing)) if tail in ("", "value") else None
        if nature:
            members = self._members(thing, nature)
            if members.get(name) is not None:
                return members[name]
        raise Unknown(f"{thing.name}.{rest}")

    def _is_dataclass(self, thing: Thing) -> bool:
        return any("dataclass" in text.partition("(")[0] for text in thing.binding[3]["decorators"])

    def _dataclass_parameters(self, line: list[Thing]) -> list[list[Any]]:
        """Parameters of the `__init__` that a dataclass gets: fields of its dataclass bases first."""
        fields: dict[str, list[Any]] = {}
        for owner in reversed(line):
            if not self._is_dataclass(owner):
                continue
            options = "".join(text for text in owner.binding[3]["decorators"] if "dataclass" in text)
            keyword_only = "kw_only=True" in options.replace(" ", "")
            for name, annotation, text, _ in owner.binding[3]["fields"]:
                if annotation is None:
                    continue
                bare = annotation.rpartition(".")[2] if "[" not in annotation else annotation
                if bare == "KW_ONLY":
                    keyword_only = True
                    continue
                if "ClassVar" in annotation:
                    continue
                packed = (text or "").replace(" ", "")
                if packed.partition("(")[0].rpartition(".")[2] == "field":
                    if "init=False" in packed:
                        fields.pop(name, None)
                        continue
                    default = _field_default(text or "")
                else:
                    default = text
                named = keyword_only or ("field(" in packed and "kw_only=True" in packed)
                fields[name] = [name, "KEYWORD_ONLY" if named else "POSITIONAL_OR_KEYWORD", default]
        found = sorted(fields.values(), key=lambda row: row[1] == "KEYWORD_ONLY")
        return [["self", "POSITIONAL_OR_KEYWORD", None], *found]


def _field_default(text: str) -> str | None:
    """The default that `field(...)` gives: its `default`, or `<factory>`."""
    import ast

    call = ast.parse(text, mode="eval").body
    for keyword in call.keywords if isinstance(call, ast.Call) else ():
        if keyword.arg == "default":
            return ast.unparse(keyword.value)
        if keyword.arg == "default_factory":
            return "<factory>"
    return None
