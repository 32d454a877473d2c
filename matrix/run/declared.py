"""What a release's wheel declares, as if it had been imported: for checks that need no more than signatures."""

from __future__ import annotations

import ast
import inspect
from typing import TYPE_CHECKING, Any

from matrix.kernels.moe.probe import ENUMS, KERNELS, Capability, Failure
from matrix.surface.signatures import default_value, parameters_of

if TYPE_CHECKING:
    from matrix.surface.model import Surface


def capability(surface: Surface) -> Capability:
    """The functions and enums that the probe would find; one that the source does not declare is a failure."""
    found = Capability(release=surface.release)
    for name, path in {**KERNELS, **ENUMS}.items():
        dotted = path.replace(":", ".")
        qualname = surface.qualname(dotted)
        function = surface.function(qualname) if qualname else None
        members = surface.enum(qualname) if qualname else None
        if name in KERNELS and qualname and function:
            found.signatures[name] = _signature(function, qualname)
        elif name in ENUMS and members:
            found.enums[name] = {member: value for member, value in members.items() if value is not None}
        else:
            found.failures[name] = _absent(*path.split(":"))
    return found


def _signature(function: dict[str, Any], qualname: str) -> inspect.Signature:
    return inspect.Signature(
        [
            inspect.Parameter(
                name,
                getattr(inspect.Parameter, kind),
                default=inspect.Parameter.empty if default is None else _value(function, name, default),
            )
            for name, kind, default in parameters_of(function, qualname)
        ]
    )


def _value(function: dict[str, Any], name: str, default: str) -> Any:
    """A default's value where the source tells it, else its text."""
    text = default_value(function, name, default)
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _absent(module: str, name: str) -> Failure:
    text = f"cannot import name {name!r} from {module!r}"
    return Failure(
        moment=f"from {module} import {name}", type="ImportError", text=text, frame="the wheel's source"
    )
