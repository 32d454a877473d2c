"""One use that an engine makes of FlashInfer, as read from its source."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from matrix.engines.conditions import TRUE, Condition, from_json, unfollowed

CATCHES_ALL = frozenset({"Exception", "BaseException", "*"})
NO_MODULE = "ImportError"
NO_NAME = "cannot import name"
"""The plain `ImportError` of `from module import name`, where the module is there and the name is not."""
CATCHES = {
    NO_MODULE: CATCHES_ALL | {"ImportError", "ModuleNotFoundError"},
    NO_NAME: CATCHES_ALL | {"ImportError"},
    "AttributeError": CATCHES_ALL | {"AttributeError"},
    "TypeError": CATCHES_ALL | {"TypeError"},
    "NameError": CATCHES_ALL | {"NameError"},
    "UnboundLocalError": CATCHES_ALL | {"NameError", "UnboundLocalError"},
}


@dataclass(frozen=True, kw_only=True)
class Guard:
    """A `try` around a use.

    Attributes:
        catches: names of the exceptions of one handler, `*` for a bare `except`.
        raises: whether that handler raises again or ends the program, so that nothing is rescued.
        does: the handler's source, shortened.
        line: where the handler stands.
        where: the condition under which it raises.
        replaces: whether it raises something else, so that no handler further out sees what it caught.
        spared: exceptions that an earlier handler of the same `try` takes and does not end.
    """

    catches: tuple[str, ...]
    raises: bool
    does: str
    line: int
    where: Condition = TRUE
    replaces: bool = False
    spared: tuple[str, ...] = ()

    def but(self, exception: str) -> Guard | None:
        """The same handler without one of its exceptions; None where that was all."""
        left = tuple(name for name in self.catches if name != exception)
        return replace(self, catches=left) if left else None

    def takes(self, exception: str) -> bool:
        """Whether the exception comes to this handler."""
        return exception not in self.spared and not CATCHES[exception].isdisjoint(self.catches)

    def to_json(self) -> dict[str, Any]:
        """Only what differs from the defaults."""
        return {name: value for name, value in vars(self).items() if value not in (TRUE, False, ())} | {
            "raises": self.raises
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Guard:
        """Read back what `to_json` wrote."""
        where = from_json(data["where"]) if "where" in data else TRUE
        catches, spared = (tuple(data.get(name, ())) for name in ("catches", "spared"))
        return cls(**data | {"catches": catches, "spared": spared, "where": where})


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What a call passes.

    Attributes:
        positional: how many arguments go by position.
        keywords: each keyword with the condition under which it is passed.
        unknown: why further arguments cannot be seen; empty where all are.
        integers: literal integers passed to a keyword (its name) or a position (`#0`).
        held: whether a plain function is given the instance first, whose class holds it.
    """

    positional: int = 0
    keywords: tuple[tuple[str, Condition], ...] = ()
    unknown: str = ""
    integers: tuple[tuple[str, int], ...] = ()
    held: bool = False

    def as_method(self) -> Arguments:
        """What a plain function is given that became a method: the instance, and then these."""
        return replace(
            self,
            positional=self.positional + 1,
            integers=tuple(
                (f"#{int(name[1:]) + 1}" if name.startswith("#") else name, value)
                for name, value in self.integers
            ),
            held=False,
        )


@dataclass(frozen=True, kw_only=True)
class Use:
    """One place where an engine leans on FlashInfer.

    Attributes:
        file: the file, relative to the package's parent folder.
        line: the line in it.
        scope: qualified name of the enclosing function; empty at module level.
        kind: `import`, `call`, `enum` (a member read, or mirrored by the engine) or `private`.
        form: how the use looks: `from`, `module`, `attribute`, `lazy`, `call`, `mirror`, `star`.
        symbol: dotted path into FlashInfer.
        via: how a called name was reached, see `values.Symbol`.
        origin: line of the import that bound a called name, 0 where there is none in this file.
        condition: what must hold of the release for the line to be reached.
        under: the enclosing tests that say nothing about the release, as text.
        guards: the `try` statements around it, innermost first.
        arguments: of a call.
        doubt: why the symbol may be another one, or the line not reached; a failing verdict is then not certain.
        unasked: of a call through a name that may be None or unset: why the line may not be reached where it is so.
        named: of such a call: the condition under which the name is FlashInfer's.
        member: of a mirrored enum, name and integer.
        used: whether that member is seen to go straight into a call of FlashInfer.
        references: where that member is named.
        behind: functions of the engine that ask the release for the symbol, where this line is reached only
            after one of them was asked; `file:name`.
        unclear: such functions for which that is not seen.
    """

    file: str
    line: int
    scope: str = ""
    kind: str
    form: str
    symbol: str
    via: str = ""
    origin: int = 0
    rescue: str = ""
    condition: Condition = TRUE
    under: str = ""
    guards: tuple[Guard, ...] = ()
    arguments: Arguments | None = None
    doubt: str = ""
    unasked: str = ""
    named: Condition = TRUE
    member: tuple[str, int] | None = None
    used: bool = True
    references: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()
    unclear: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if question := unfollowed(self.condition):
            object.__setattr__(
                self, "doubt", f"whether it is reached hangs on `{question}`, not followed here"
            )

    def to_json(self) -> dict[str, Any]:
        """Only what differs from the defaults."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        data = {name: value for name, value in fields.items() if value != _DEFAULTS[name]}
        if self.guards:
            data["guards"] = [guard.to_json() for guard in self.guards]
        if self.arguments is not None:
            data["arguments"] = vars(self.arguments).copy()
            if not self.arguments.held:
                del data["arguments"]["held"]
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Use:
        """Read back what `to_json` wrote."""
        fields = dict(data)
        for name in ("condition", "named"):
            fields[name] = from_json(data[name]) if name in data else TRUE
        fields["guards"] = tuple(Guard.from_json(guard) for guard in data.get("guards", ()))
        if "arguments" in data:
            raw = data["arguments"]
            fields["arguments"] = Arguments(
                positional=raw["positional"],
                keywords=tuple((name, from_json(condition)) for name, condition in raw["keywords"]),
                unknown=raw["unknown"],
                integers=tuple((name, value) for name, value in raw["integers"]),
                held=raw.get("held", False),
            )
        if "member" in data:
            fields["member"] = (data["member"][0], data["member"][1])
        for name in ("references", "behind", "unclear"):
            fields[name] = tuple(data.get(name, ()))
        return cls(**fields)

    def at(self, file: str) -> Use:
        """The same use in a file of another place."""
        return replace(self, file=file)

    @property
    def level(self) -> str:
        """`module` where it runs as the file is imported, else `function`."""
        return "function" if self.scope else "module"


_DEFAULTS = {name: item.default for name, item in Use.__dataclass_fields__.items()}


def is_private(symbol: str) -> bool:
    """Whether a part of the path is private by its name."""
    return any(part.startswith("_") and not part.startswith("__") for part in symbol.split(".")[1:])
