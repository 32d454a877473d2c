"""Two signatures of one function side by side: what changed of its parameters and its return annotation."""

from __future__ import annotations

import ast
import functools
from typing import TYPE_CHECKING, Any

from matrix.surface.subjects import Side, Subject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matrix.surface.model import Entry

__all__ = ["POSITIONAL", "changes", "default_value", "is_static", "parameters_of", "shown_signature"]

POSITIONAL = ("POSITIONAL_ONLY", "POSITIONAL_OR_KEYWORD")
KINDS = {
    "POSITIONAL_ONLY": "positional-only",
    "POSITIONAL_OR_KEYWORD": "positional or keyword",
    "VAR_POSITIONAL": "*args",
    "KEYWORD_ONLY": "keyword-only",
    "VAR_KEYWORD": "**kwargs",
}
STARS = {"VAR_POSITIONAL": "*", "VAR_KEYWORD": "**"}
NEW = {
    "VAR_POSITIONAL": "'*{}', which takes further positional arguments",
    "VAR_KEYWORD": "'**{}', which takes further keywords",
}
TYPING_ALIASES = {"List": "list", "Dict": "dict", "Tuple": "tuple", "Set": "set", "Type": "type"}


def parameters_of(entry: Entry, qualname: str) -> list[list[Any]]:
    """The parameters that a caller fills: without the first one of a method."""
    rows: list[list[Any]] = entry["parameters"]
    is_method = "." in qualname.partition(":")[2]
    static = any(text.endswith("staticmethod") for text in entry.get("decorators", ()))
    return rows[1:] if is_method and not static and rows and rows[0][1] in POSITIONAL else rows


def changes(
    path: str, before: Entry, after: Entry, qualnames: tuple[str, str], files: tuple[str, str]
) -> Iterator[Subject]:
    """Subjects of one function's parameters and return annotation."""
    if before["parameters"] == after["parameters"] and before.get("resolved") == after.get("resolved"):
        yield from _returns(path, before, after, qualnames, files)
        return
    first, second = parameters_of(before, qualnames[0]), parameters_of(after, qualnames[1])
    names_before, names_after = [row[0] for row in first], [row[0] for row in second]
    renames = _renames(first, second)
    entries = ({**before, "parameters": first}, {**after, "parameters": second})

    def subject(name: str, facts: set[str], words: dict[str, str]) -> Subject:
        return Subject(
            kind="parameter",
            symbol=path,
            name=name,
            facts=frozenset(facts),
            old=Side(file=files[0], line=before["line"], text=_parameter_text(before, name, first)),
            new=Side(file=files[1], line=after["line"], text=_parameter_text(after, name, second)),
            words=words,
            call=entries,
            qualnames=qualnames,
        )

    slots = (_slots(first), _slots(second))
    stars = [{row[1] for row in rows if row[1].startswith("VAR_")} for rows in (first, second)]
    for row in first:
        name = row[0]
        if name not in names_after:
            if row[1] in stars[1]:
                continue  # it goes by another name
            facts = {"removed", *(["renamed"] if name in renames else [])}
            words = {"new": renames.get(name, ""), "label": STARS.get(row[1], "") + name}
            yield subject(name, facts, words)
            continue
        facts, words = _changed(row, second[names_after.index(name)], before, after)
        if _is_reordered(name, *slots):
            facts.add("reordered")
            words |= {"from": str(slots[0][name]), "at": str(slots[1][name])}
        if facts:
            yield subject(name, facts, words)
    for row in second:
        name = row[0]
        if name in names_before or row[1] in stars[0]:
            continue
        facts = {"added"}
        words = {"at": str(slots[1].get(name, "")), "old": "", "new": str(row[2])}
        words["shape"] = NEW.get(row[1], "optional parameter '{}' (default {})").format(name, row[2])
        if name in renames.values():
            facts.add("renamed")
        if row[2] is None and not row[1].startswith("VAR_"):
            facts.add("required")
        behind = [other[0] for other in second[names_after.index(name) + 1 :] if other[1] in POSITIONAL]
        shifted = [other for other in behind if other in slots[0]]
        shifted += [f"*{other[0]}" for other in first if other[1] == "VAR_POSITIONAL"]
        if row[1] in POSITIONAL and shifted:
            facts.add("before-others")
            words["old"] = shifted[0]
        yield subject(name, facts, words)
    yield from _returns(path, before, after, qualnames, files)


def _changed(row: list[Any], now: list[Any], before: Entry, after: Entry) -> tuple[set[str], dict[str, str]]:
    """Facts of a parameter that both signatures have."""
    facts: set[str] = set()
    words: dict[str, str] = {}
    name, kind, default = row
    if kind != now[1]:
        facts.add("kind-changed")
        if now[1] != "POSITIONAL_OR_KEYWORD":
            facts.add("kind-narrowed")
        words = {"old_kind": KINDS[kind], "new_kind": KINDS[now[1]]}
    if default is not None and now[2] is None and not now[1].startswith("VAR_"):
        facts.add("made-required")
        words |= {"old": default}
    elif default is not None and now[2] is not None:
        was, is_now = default_value(before, name, default), default_value(after, name, now[2])
        if was != is_now and "<factory>" not in (was, is_now):
            facts.add("default-changed")
            words |= {"old": _default_text(default, was), "new": _default_text(now[2], is_now)}
    return facts, words


def is_static(entry: Entry) -> bool:
    """Whether a method is called without an instance: a static or class method."""
    return any(text.endswith(("staticmethod", "classmethod")) for text in entry.get("decorators", ()))


def default_value(entry: Entry, name: str, default: str) -> str:
    """What tells one default from another: its value where the source says it, else its text."""
    resolved = entry.get("resolved", {})
    return str(resolved[name]) if name in resolved else _literal(default)


@functools.cache
def _literal(default: str) -> str:
    try:
        return repr(ast.literal_eval(default))
    except (ValueError, SyntaxError):
        return default


def _default_text(text: str, value: str) -> str:
    return text if text in (value, value.replace("'", '"')) else f"{text} ({value})"


def _renames(first: list[list[Any]], second: list[list[Any]]) -> dict[str, str]:
    """Removed parameters and the added ones that stand in their place, between the same neighbours."""
    kept = {row[0] for row in first} & {row[0] for row in second}

    def gaps(rows: list[list[Any]]) -> dict[str | None, list[list[Any]]]:
        found: dict[str | None, list[list[Any]]] = {}
        anchor = None
        for row in rows:
            if row[0] in kept:
                anchor = row[0]
            elif not row[1].startswith("VAR_"):
                found.setdefault(anchor, []).append(row)
        return found

    after = gaps(second)
    found: dict[str, str] = {}
    for anchor, rows in gaps(first).items():
        others = after.get(anchor, [])
        if len(others) != len(rows):
            continue
        for row, other in zip(rows, others, strict=True):
            if row[1] == other[1] and (row[1] in POSITIONAL or row[2] == other[2]):
                found[row[0]] = other[0]
    return found


def _slots(rows: list[list[Any]]) -> dict[str, int]:
    """The positions that a caller can fill parameters at, from 0."""
    names = [row[0] for row in rows if row[1] in POSITIONAL]
    return {name: place for place, name in enumerate(names)}


def _is_reordered(name: str, before: dict[str, int], after: dict[str, int]) -> bool:
    """Whether a parameter now stands before one that it stood behind."""
    if name not in before or name not in after:
        return False
    return any(place < before[name] and after.get(other, -1) > after[name] for other, place in before.items())


def _returns(
    path: str, before: Entry, after: Entry, qualnames: tuple[str, str], files: tuple[str, str]
) -> Iterator[Subject]:
    was, now = before.get("returns"), after.get("returns")
    if was and now and was != now and _plain_type(was) != _plain_type(now):
        yield Subject(
            kind="return",
            symbol=path,
            name="return",
            facts=frozenset({"changed"}),
            old=Side(file=files[0], line=before["line"], text=was),
            new=Side(file=files[1], line=after["line"], text=now),
            words={"old": was, "new": now},
            qualnames=qualnames,
        )


class _Plain(ast.NodeTransformer):
    """Annotations that mean the same brought to one form."""

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if isinstance(node.value, ast.Name) and node.value.id in {"typing", "t"}:
            return self.visit(ast.Name(node.attr, ast.Load()))  # type: ignore[no-any-return]
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(TYPING_ALIASES.get(node.id, node.id), ast.Load())

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, str):
            try:
                return self.visit(ast.parse(node.value, mode="eval").body)  # type: ignore[no-any-return]
            except SyntaxError:
                return node
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        head = ast.unparse(node.value)
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if head == "Optional":
            parts = [*parts, ast.Constant(None)]
        if head in {"Optional", "Union"}:
            joined = parts[0]
            for part in parts[1:]:
                joined = ast.BinOp(joined, ast.BitOr(), part)
            return joined
        return node


def _plain_type(text: str) -> str:
    try:
        tree = _Plain().visit(ast.parse(text, mode="eval").body)
    except SyntaxError:
        return text
    return "|".join(sorted(part.strip() for part in ast.unparse(tree).split(" | ")))


def _parameter_text(entry: Entry, name: str, rows: list[list[Any]]) -> str:
    row = next((row for row in rows if row[0] == name), None)
    if row is None:
        return "(" + ", ".join(one[0] for one in rows) + ")"
    stars = STARS.get(row[1], "")
    annotation = entry.get("annotations", {}).get(name)
    text = f"{stars}{name}" + (f": {annotation}" if annotation else "")
    return text if row[2] is None else f"{text} = {row[2]}"


def shown_signature(path: str, entry: Entry) -> str:
    """A function as a line: path, parameters with defaults, return annotation."""
    words = []
    kinds = [row[1] for row in entry["parameters"]]
    for position, (name, kind, default) in enumerate(entry["parameters"]):
        if kind == "KEYWORD_ONLY" and not {"KEYWORD_ONLY", "VAR_POSITIONAL"} & set(kinds[:position]):
            words.append("*")
        stars = STARS.get(kind, "")
        words.append(f"{stars}{name}" if default is None else f"{name}={default}")
        if kind == "POSITIONAL_ONLY" and kinds[position + 1 : position + 2] != [kind]:
            words.append("/")
    returns = f" -> {entry['returns']}" if "returns" in entry else ""
    return f"{path}({', '.join(words)}){returns}"
