"""Runs inside a release's environment: what witnesses really do there. Standard library only."""
# ruff: noqa: PERF203 - whatever a release raises is the answer

import builtins
import enum
import importlib
import importlib.util
import inspect
import io
import json
import sys
import warnings
from contextlib import redirect_stderr, redirect_stdout


class UnavailableError(Exception):
    """The module cannot be imported in this environment, whatever the release has in it."""


def load(path):
    """Import the module part of a path and walk the rest."""
    parts = path.split(".")
    thing = None
    for end in range(len(parts), 0, -1):
        name = ".".join(parts[:end])
        try:
            found = importlib.util.find_spec(name)
        except Exception as error:
            if isinstance(error, ModuleNotFoundError) and str(error.name or "").partition(".")[0] == parts[0]:
                continue
            raise UnavailableError(str(error)) from error
        if found is None:
            continue
        try:
            thing = importlib.import_module(name)
        except BaseException as error:
            raise UnavailableError(f"{type(error).__name__}: {error}") from error
        owner, rest = None, parts[end:]
        if not rest and end > 1 and path.rpartition(".")[2] in vars(sys.modules[".".join(parts[:-1])]):
            thing = getattr(sys.modules[".".join(parts[:-1])], parts[-1])
        for part in rest:
            owner, thing = thing, getattr(thing, part)
        if thing is None:
            raise UnavailableError("stands for None, as a package is missing")
        return owner, thing
    raise ModuleNotFoundError(path)


def value_of(default):
    return repr(default.value if isinstance(default, enum.Enum) else default)


def call(run):
    owner, thing = load(run["path"])
    plain = isinstance(owner, type) and not isinstance(
        inspect.getattr_static(owner, run["path"].rpartition(".")[2]), (staticmethod, classmethod)
    )
    first = ["self"] if plain else []
    try:
        signature = inspect.signature(thing)
        bound = signature.bind(*first, *run["args"], **run["kwargs"])
    except TypeError as error:
        return {"error": str(error)}
    landed = {}
    for name, value in bound.arguments.items():
        kind = signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_KEYWORD:
            landed.update(dict.fromkeys(value.values(), f"**{name}"))
        elif kind is inspect.Parameter.VAR_POSITIONAL:
            landed.update(dict.fromkeys(value, f"*{name}"))
        else:
            landed[value] = name
    if plain:
        del landed["self"]
    return {"landed": landed}


def asked(run, thing):
    """What a question about the thing itself is answered."""
    base = None
    if run["base"]:
        base = getattr(builtins, run["base"], None) or load(run["base"])[1]
    names = {"inspect": inspect, "enum": enum, "path": thing, "base": base}
    question = run["ask"].replace("{", "").replace("}", "")
    try:
        return {"value": str(eval(question, names))}
    except TypeError as error:
        return {"error": str(error)}


def outcome(run):
    kind = run["kind"]
    if kind == "call":
        return call(run)
    if kind == "package":
        if any(importlib.util.find_spec(package) for package in run["packages"]):
            return {"unavailable": "the package is installed here"}
        try:
            load(run["path"])
        except (UnavailableError, AttributeError) as error:
            return {"error": str(error)}
        return {"value": "there"}
    _, thing = load(run["path"])
    if kind == "import":
        return {"value": "there"}
    if kind == "default":
        return {"value": value_of(inspect.signature(thing).parameters[run["name"]].default)}
    if kind == "returns":
        return {"value": str(inspect.signature(thing).return_annotation)}
    if kind == "member":
        return {"value": value_of(getattr(thing, run["name"]))}
    if kind == "value":
        return {"value": thing(run["value"]).name}
    if kind == "origin":
        return {"value": inspect.unwrap(thing).__module__}
    if kind == "ask":
        return asked(run, thing)
    raise AssertionError(kind)


def main():
    warnings.simplefilter("ignore")
    outcomes = []
    for run in json.load(sys.stdin):
        try:
            with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                outcomes.append(outcome(run))
        except UnavailableError as error:
            outcomes.append({"unavailable": str(error)})
        except (ImportError, AttributeError, ValueError, KeyError) as error:
            outcomes.append({"error": f"{type(error).__name__}: {error}"})
    sys.stdout.write("\n@@" + json.dumps(outcomes))


if __name__ == "__main__":
    main()
