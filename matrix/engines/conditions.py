"""Conditions on a FlashInfer release, in three values: true, false, or not known from the source.

A condition is a nested tuple, so that it can be compared, hashed and written as JSON:

- `("has", path)`: the module, function, class or member `path` exists in the release;
- `("accepts", path, parameter)`: the signature of `path` has that parameter;
- `("version", operator, text, *steps)`: the release compares so with `text`, once `steps` were taken with it:
  `base`, `loose`, `text` for a comparison of texts, or a text at which the rest is cut off;
- `("number", index, operator, integer)`: one of the release's numbers compares so;
- `("asked", text)`: hangs on FlashInfer's version, or on a question asked of it, in a way that is not followed;
- `("own", "module:function")`: what a function of the engine answers, resolved when files are linked;
- `("opaque", text)`: anything else; two opaque conditions of the same text have the same value;
- `("not", c)`, `("and", c, ...)`, `("or", c, ...)`, `("true",)`, `("false",)`.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Condition = tuple[Any, ...]

TRUE: Condition = ("true",)
FALSE: Condition = ("false",)
_MAX_TERMS = 24
_MAX_SIZE = 500
_BUILT = {"not", "and", "or"}
_ABOUT = {"has", "accepts", "version", "number", "asked"}


def has(path: str) -> Condition:
    """The release has the symbol or module."""
    return ("has", path)


def accepts(path: str, parameter: str) -> Condition:
    """The symbol's signature has the parameter."""
    return ("accepts", path, parameter)


def opaque(text: str) -> Condition:
    """Something that the source alone does not tell."""
    return ("opaque", text)


def asked(text: str) -> Condition:
    """Something about the release that is not followed; what it decides on is not checkable."""
    return ("asked", text)


def negate(condition: Condition) -> Condition:
    """The condition's opposite."""
    word = condition[0]
    if word == "not":
        inner: Condition = condition[1]
        return inner
    if word == "true":
        return FALSE
    return TRUE if word == "false" else ("not", condition)


def every(conditions: Iterable[Condition]) -> Condition:
    """All of them, with duplicates and constants taken out."""
    return _combine("and", conditions, neutral=TRUE, absorbing=FALSE)


def some(conditions: Iterable[Condition]) -> Condition:
    """At least one of them, with duplicates and constants taken out."""
    return _combine("or", conditions, neutral=FALSE, absorbing=TRUE)


def _combine(
    word: str, conditions: Iterable[Condition], *, neutral: Condition, absorbing: Condition
) -> Condition:
    terms: dict[Condition, None] = {}
    for condition in conditions:
        if condition == neutral:
            continue
        if condition == absorbing:
            return absorbing
        for term in condition[1:] if condition[0] == word else (condition,):
            if terms and negate(term) in terms:
                return absorbing
            terms[term] = None
    if not terms:
        return neutral
    if len(terms) == 1:
        return next(iter(terms))
    combined = (word, *terms)
    if len(terms) > _MAX_TERMS or sum(map(size, terms)) > _MAX_SIZE:
        return _folded(combined)
    return combined


@lru_cache(4096)
def size(condition: Condition) -> int:
    """How many parts it is built of."""
    if condition[0] in _BUILT:
        return sum(map(size, condition[1:]))
    return 1


def _folded(condition: Condition) -> Condition:
    """A condition too large to be carried along, as one part; equal ones stay equal, others apart."""
    digest = hashlib.sha256(repr(condition).encode()).hexdigest()[:12]
    text = f"{condition[0]} of {size(condition)} conditions ({digest})"
    return asked(text) if about_release(condition) else opaque(text)


def terms(condition: Condition) -> tuple[Condition, ...]:
    """The conditions that all hold where this one does."""
    if condition[0] == "and":
        return condition[1:]
    if condition[0] == "not" and condition[1][0] == "or":
        return tuple(term for part in condition[1][1:] for term in terms(negate(part)))
    return (condition,)


def consistent(conditions: Iterable[Condition]) -> bool:
    """Whether all may hold at once, as far as equal texts tell."""
    held = [term for condition in conditions if condition != TRUE for term in terms(condition)]
    if len(held) < 2:
        return FALSE not in held
    known = set(held)

    def answer(term: Condition) -> bool | None:
        if term in known:
            return True
        return False if negate(term) in known else None

    return all(
        negate(term) not in known
        and (term[0] not in {"or", "not", "false"} or decide(term, answer) is not False)
        for term in held
    )


def decide(condition: Condition, answer: Callable[[Condition], bool | None]) -> bool | None:
    """The condition's value, where `answer` knows that of some of its parts (Kleene's three values)."""
    word = condition[0]
    if word in {"true", "false"}:
        return bool(word == "true")
    if word == "not":
        inner = decide(condition[1], answer)
        return None if inner is None else not inner
    if word in {"and", "or"}:
        values = {decide(part, answer) for part in condition[1:]}
        decisive: bool = word == "or"
        if decisive in values:
            return decisive
        return None if None in values else not decisive
    return answer(condition)


def atoms(condition: Condition) -> Iterator[Condition]:
    """The parts that are not built of others."""
    if condition[0] in {"not", "and", "or"}:
        for part in condition[1:]:
            yield from atoms(part)
    else:
        yield condition


def resolve(condition: Condition, answers: Callable[[str], Condition | None], depth: int = 6) -> Condition:
    """The condition with each of the engine's own functions replaced by what that function tests."""
    word = condition[0]
    if word == "own":
        found = answers(condition[1]) if depth else None
        return opaque(condition[1]) if found is None else resolve(found, answers, depth - 1)
    if word == "not":
        return negate(resolve(condition[1], answers, depth))
    if word in {"and", "or"}:
        parts = [resolve(part, answers, depth) for part in condition[1:]]
        return every(parts) if word == "and" else some(parts)
    return condition


def about_release(condition: Condition) -> bool:
    """Whether any part of it depends on the release, or may do so once functions are resolved."""
    return any(atom[0] in _ABOUT or atom[0] == "own" for atom in atoms(condition))


def asks_release(condition: Condition) -> bool:
    """Whether any part of it is known to depend on the release."""
    return any(atom[0] in _ABOUT for atom in atoms(condition))


def release_part(condition: Condition) -> Condition:
    """What a condition says about the release; the rest is left open."""
    return every(term for term in terms(condition) if about_release(term))


def unfollowed(condition: Condition) -> str:
    """The first question about the release in it that is not followed; empty where there is none."""
    return next((str(atom[1]) for atom in atoms(condition) if atom[0] == "asked"), "")


def implied(condition: Condition, held: Iterable[Condition]) -> bool:
    """Whether it holds wherever the others do, as far as equal texts tell."""
    known = {term for one in held for term in terms(one)}

    def answer(term: Condition) -> bool | None:
        return True if term in known else False if negate(term) in known else None

    return condition in known or decide(condition, answer) is True


def describe(condition: Condition) -> str:
    """The condition in words, for a reader of a report."""
    word, *rest = condition
    if word == "has":
        return f"hasattr {rest[0]}"
    if word == "accepts":
        return f"{rest[0]} accepts {rest[1]}"
    if word == "version":
        return f"FlashInfer {rest[0]} {rest[1].removesuffix('.dev0')}{', as texts' if 'text' in rest[2:] else ''}"
    if word == "number":
        return f"FlashInfer's {('major', 'minor', 'micro')[rest[0]]} number {rest[1]} {rest[2]}"
    if word == "not":
        return f"not ({describe(rest[0])})"
    if word in {"and", "or"}:
        return f" {word} ".join(describe(part) for part in rest)
    return str(rest[0]) if rest else str(word)


def from_json(data: list[Any]) -> Condition:
    """A condition as JSON keeps it, nested lists, back to nested tuples."""
    return tuple(from_json(part) if isinstance(part, list) else part for part in data)
