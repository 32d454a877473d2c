"""What a name of the engine's source may stand for, as far as the source tells.

Only what leads to a call into FlashInfer is kept apart; everything else is `Other`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from matrix.engines.conditions import TRUE

if TYPE_CHECKING:
    from matrix.engines.conditions import Condition


@dataclass(frozen=True)
class Other:
    """Anything that does not matter here; `text` is its source, for messages and correlated tests."""

    text: str = ""


@dataclass(frozen=True)
class Asked(Other):
    """Worked out of FlashInfer's version, or of a question asked of it, in a way that is not followed."""


@dataclass(frozen=True)
class Caught(Other):
    """An exception that a handler was given."""


@dataclass(frozen=True)
class Constant:
    """A literal."""

    value: str | int | float | bool | None


@dataclass(frozen=True)
class Symbol:
    """A dotted path into FlashInfer; `()` after a part stands for an instance or a result of it.

    Attributes:
        path: for example `flashinfer.decode.BatchDecodeWithPagedKVCacheWrapper().plan`.
        via: how the engine got at it: `import`, `attribute`, or `lazy` (a helper that imports at first call); where
            a name for it is called that nothing asks for, what that name is without it: `none`, `unset` or, in a
            function, `unbound`.
        line: where it was imported, 0 where it was not by name.
        rescue: what a lazy helper does where the symbol is missing; empty where it raises.
        held: whether it is looked up on an instance whose class holds it: a plain function is then a method.
    """

    path: str
    via: str = "attribute"
    line: int = 0
    rescue: str = ""
    held: bool = False


@dataclass(frozen=True)
class Truth:
    """The answer of a test."""

    condition: Condition


@dataclass(frozen=True)
class Parameters:
    """The parameters of a symbol's signature, as `inspect` gives them."""

    path: str


@dataclass(frozen=True)
class Release:
    """FlashInfer's version.

    Attributes:
        steps: what was made of its text, in order: `base`, `loose` (compared as `LooseVersion` does), or a text at
            which the rest was cut off.
        parsed: whether it is compared as a version; else as a text.
    """

    steps: tuple[str, ...] = ()
    parsed: bool = False


@dataclass(frozen=True)
class Split:
    """The pieces between the dots of FlashInfer's version."""


@dataclass(frozen=True)
class Number:
    """One of the numbers of FlashInfer's version, the first one being 0."""

    index: int


@dataclass(frozen=True)
class Specifier:
    """A `SpecifierSet`."""

    text: str


@dataclass(frozen=True)
class Pairs:
    """A dictionary whose keys are known: each with the condition under which it is there, and its value."""

    entries: tuple[tuple[str, Condition, Value], ...] = ()
    unknown: str = ""

    def put(self, key: str, value: Value) -> Pairs:
        """The dictionary after `d[key] = value`."""
        kept = tuple(entry for entry in self.entries if entry[0] != key)
        return replace(self, entries=(*kept, (key, TRUE, value)))

    def drop(self, key: str) -> Pairs:
        """The dictionary after `del d[key]`."""
        return replace(self, entries=tuple(entry for entry in self.entries if entry[0] != key))

    def merge(self, other: Pairs) -> Pairs:
        """The dictionary after `d.update(other)`."""
        certain = {key for key, condition, _ in other.entries if condition == TRUE}
        kept = tuple(entry for entry in self.entries if entry[0] not in certain)
        return Pairs((*kept, *other.entries), self.unknown or other.unknown)


@dataclass(frozen=True)
class Row:
    """A tuple or list whose elements are known one by one."""

    elements: tuple[Value, ...] = ()


@dataclass(frozen=True)
class Container:
    """A list or dictionary whose elements are all of one kind."""

    item: Value


@dataclass(frozen=True)
class Local:
    """An instance of a class that the file itself defines, or another one: `package.module:name`."""

    name: str


@dataclass(frozen=True)
class LocalClass:
    """A class that the file itself defines, or another one: `package.module:name`."""

    name: str


@dataclass(frozen=True)
class Function:
    """A function of the file, by its qualified name."""

    name: str


@dataclass(frozen=True)
class Own:
    """Something of the engine that another file defines: `package.module` or `package.module:name`."""

    path: str


@dataclass(frozen=True)
class Returning:
    """A function of another file of the engine, by what it gives back."""

    value: Value
    path: str = ""


@dataclass(frozen=True)
class Holder:
    """A class of another file of the engine, by what its instances hold."""

    attributes: tuple[tuple[str, Value], ...]


@dataclass(frozen=True)
class Mirror:
    """The engine's own copy of one of FlashInfer's enums."""

    enum: str


@dataclass(frozen=True)
class Member:
    """A member of such a copy."""

    enum: str
    name: str


@dataclass(frozen=True)
class Partial:
    """`functools.partial` of a symbol."""

    target: Value
    positional: tuple[Value, ...]
    keywords: Pairs


@dataclass(frozen=True)
class Either:
    """One of several values, each under its condition."""

    options: tuple[tuple[Condition, Value], ...]


Value = (
    Other
    | Constant
    | Symbol
    | Truth
    | Parameters
    | Release
    | Split
    | Number
    | Specifier
    | Pairs
    | Row
    | Container
    | Local
    | LocalClass
    | Function
    | Own
    | Returning
    | Holder
    | Mirror
    | Member
    | Partial
    | Either
)

NOTHING = Constant(None)
UNKNOWN = Other()
