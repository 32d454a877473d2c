"""The parameters of a release's selection function, read from its own source, and the arguments for a question."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matrix.errors import KernelMatrixError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matrix.cubins.questions import Question


class UnknownSignatureError(KernelMatrixError):
    """The function is not there, or has a parameter whose meaning is not known here."""


class NotAskableError(KernelMatrixError):
    """The release's function has no value for what is asked, such as an activation that its enum lacks."""


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter as the C++ source declares it."""

    type: str
    name: str


def read(source: str, function: str) -> tuple[Parameter, ...]:
    """The parameters of an exported function's definition.

    Raises:
        UnknownSignatureError: the source defines no such function, or declares it in a form unknown here.
    """
    text = re.sub(r"//[^\n]*|/\*.*?\*/", " ", source, flags=re.DOTALL)
    found = re.search(rf"\b{function}\s*\(([^()]*)\)\s*(?:const\s*)?\{{", text)
    if found is None:
        raise UnknownSignatureError(
            f"the release's source defines no function {function}.", "Name it in selection.toml."
        )
    parameters = []
    for declared in filter(None, (part.strip() for part in found[1].split(","))):
        declaration = declared.partition("=")[0].split()
        if len(declaration) < 2 or not declaration[-1].isidentifier():
            raise UnknownSignatureError(
                f"{function} declares '{declared}', which cannot be read.", "Report this."
            )
        words = [word for word in declaration[:-1] if word != "const"]
        parameters.append(Parameter(type=" ".join(words), name=declaration[-1]))
    return tuple(parameters)


def check(parameters: Sequence[Parameter], meanings: Mapping[str, Mapping[str, Any]]) -> None:
    """See that every parameter has a meaning.

    Raises:
        UnknownSignatureError: names those that have none.
    """
    unknown = [parameter.name for parameter in parameters if parameter.name not in meanings]
    if unknown:
        raise UnknownSignatureError(
            f"the release's selection function takes {' and '.join(unknown)}, whose meaning is not known here.",
            "Add it to [parameter] in selection.toml.",
        )


def arguments(
    parameters: Sequence[Parameter],
    question: Question,
    meanings: Mapping[str, Mapping[str, Any]],
    enums: Mapping[str, Mapping[str, int]],
) -> list[int | bool]:
    """The arguments that ask the question, in order.

    Raises:
        NotAskableError: an enum of the release lacks what the question needs.
    """
    return [_argument(meanings[parameter.name], question, enums) for parameter in parameters]


def _argument(
    meaning: Mapping[str, Any], question: Question, enums: Mapping[str, Mapping[str, int]]
) -> int | bool:
    if "value" in meaning:
        return bool(meaning["value"])
    if "question" in meaning:
        return int(getattr(question, meaning["question"]))
    enum = meaning.get("activation") or meaning["enum"]
    member = question.member if "activation" in meaning else meaning["member"]
    for name, value in enums.get(enum, {}).items():
        if name.lower() == member.lower():  # GatedActType.SwiGlu is ActivationType.Swiglu
            return value
    raise NotAskableError(f"this release's {enum} has no {member}")
