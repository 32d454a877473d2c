"""Runs inside a release's environment: what its modules really hold. Standard library only."""
# ruff: noqa: BLE001, PERF203 - whatever a module raises is the answer

import enum
import importlib
import inspect
import io
import json
import sys
import types
import warnings
from contextlib import redirect_stderr, redirect_stdout

EMPTY = inspect.Parameter.empty


def modules(names):
    """Import modules; those that cannot be imported with the reason."""
    found, failed = {}, {}
    for name in names:
        try:
            with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                found[name] = importlib.import_module(name)
        except BaseException as error:  # whatever a module raises is the answer
            failed[name] = [type(error).__name__, str(error), getattr(error, "name", None)]
    return found, failed


def default(value):
    """A default in a form that both sides can write."""
    if isinstance(value, enum.Enum):
        value = value.value
    return repr(value)


def parameters(thing):
    """The live signature, or nothing where there is none."""
    try:
        signature = inspect.signature(thing)
    except (ValueError, TypeError):
        return None
    return [
        [p.name, p.kind.name, None if p.default is EMPTY else default(p.default)]
        for p in signature.parameters.values()
    ]


def describe(thing, packages):
    """What a public name stands for, if the release defines it."""
    home = getattr(thing, "__module__", None)
    if not isinstance(home, str) or home.partition(".")[0] not in packages:
        return None
    if isinstance(thing, type) and issubclass(thing, enum.Enum):
        return {
            "kind": "enum",
            "home": home,
            "members": {k: default(v) for k, v in thing.__members__.items()},
        }
    if isinstance(thing, type):
        methods = {}
        for name, member in vars(thing).items():
            if name.startswith("_") or not isinstance(
                inspect.unwrap(getattr(member, "__func__", member)), types.FunctionType
            ):
                continue
            methods[name] = parameters(getattr(thing, name))
        return {"kind": "class", "home": home, "parameters": parameters(thing), "methods": methods}
    if callable(thing) and hasattr(thing, "__name__"):
        inner = inspect.unwrap(thing)
        home = getattr(inner, "__module__", home)
        return {
            "kind": "function",
            "home": home,
            "name": getattr(inner, "__qualname__", thing.__name__),
            "type": type(thing).__name__,
            "parameters": parameters(thing),
        }
    return None


def main():
    """Read module names, write what they hold."""
    warnings.simplefilter("ignore")
    request = json.load(sys.stdin)
    found, failed = modules(request["modules"])
    names = {}
    for module, live in found.items():
        listed = getattr(live, "__all__", None) or []
        for name in dict.fromkeys([*vars(live), *listed, *request["lazy"].get(module, [])]):
            if not isinstance(name, str) or (name.startswith("_") and name not in listed):
                continue
            try:
                with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                    thing = getattr(live, name)
            except BaseException as error:
                names[f"{module}.{name}"] = {"kind": "error", "error": f"{type(error).__name__}: {error}"}
                continue
            if not isinstance(thing, types.ModuleType):
                described = describe(thing, request["packages"])
                if described:
                    names[f"{module}.{name}"] = described
    sys.stdout.write("\n@@" + json.dumps({"names": names, "failed": failed}))


if __name__ == "__main__":
    main()
