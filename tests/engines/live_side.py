"""Runs inside a release's environment: what an engine's use of FlashInfer really meets there. Standard library only.

Reads a JSON list of uses, writes a JSON list of answers behind the line `@@`. An answer is one of `ok`,
`missing` (the name is not there), `misfit` (the call does not bind), `unavailable` (the module cannot be imported
in this environment, whatever it holds), and for enums the live members.
"""
# ruff: noqa: BLE001, TRY301 - whatever a release raises is the answer

import enum
import importlib
import importlib.util
import inspect
import io
import json
import re
import sys
import warnings
from contextlib import redirect_stderr, redirect_stdout

BINDING = re.compile(
    r"unexpected keyword argument|missing \d+ required|positional arguments? but|multiple values for|"
    r"takes \d+ positional|takes no arguments|takes from \d+"
)


class MissingError(Exception):
    pass


class UnavailableError(Exception):
    pass


def load_module(name):
    """The module, or nothing where the release has none of that name."""
    try:
        found = importlib.util.find_spec(name)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == "flashinfer":
            return None
        raise UnavailableError(str(error)) from error
    except Exception as error:
        raise UnavailableError(f"{type(error).__name__}: {error}") from error
    if found is None:
        return None
    try:
        return importlib.import_module(name)
    except BaseException as error:
        raise UnavailableError(f"{type(error).__name__}: {error}") from error


def load(path):
    """Owner and thing that a dotted path stands for, attributes before submodules as Python has it."""
    parts = path.split(".")
    owner, thing = None, load_module(parts[0])
    name = parts[0]
    for number, part in enumerate(parts[1:], 1):
        name = f"{name}.{part}"
        if inspect.ismodule(thing):
            last = number == len(parts) - 1
            inner = None if last and part in vars(thing) else load_module(f"{thing.__name__}.{part}")
            if inner is not None and not (
                last and part in vars(thing) and not inspect.ismodule(getattr(thing, part))
            ):
                owner, thing = thing, inner
                continue
        try:
            owner, thing = thing, getattr(thing, part)
        except AttributeError as error:
            raise MissingError(f"{name}: {error}") from error
    if thing is None:
        raise UnavailableError("stands for None, as a package is missing")
    return owner, thing


def target(symbol):
    """The callable of a use, and how many leading arguments it needs that the engine does not write."""
    head, called, tail = symbol.partition("()")
    owner, thing = load(head)
    if not called:
        plain = inspect.isclass(owner) and not isinstance(
            inspect.getattr_static(owner, head.rpartition(".")[2]), (staticmethod, classmethod)
        )
        return thing, int(plain)
    if not inspect.isclass(thing):
        raise UnavailableError("the result of a function")
    name = tail.removeprefix(".") or "__call__"
    raw = inspect.getattr_static(thing, name, None)
    if raw is None:
        raise MissingError(f"{head} has no {name}")
    return getattr(thing, name), int(not isinstance(raw, (staticmethod, classmethod)))


def tried(function, positional, keywords):
    """Call it with dummies where its signature takes anything; only a misfit of the arguments counts."""
    try:
        function(*positional, **keywords)
    except TypeError as error:
        if BINDING.search(str(error)):
            return {"answer": "misfit", "text": str(error)}
    except Exception:
        return {"answer": "ok", "how": "called"}
    return {"answer": "ok", "how": "called"}


def call(use):
    function, hidden = target(use["symbol"])
    positional = [object()] * (use["positional"] + hidden)
    keywords = {name: object() for name in use["keywords"]}
    if isinstance(function, type) and issubclass(function, enum.Enum):
        return {"answer": "ok" if len(positional) == 1 else "misfit"}
    signature = inspect.signature(function)
    kinds = {parameter.kind for parameter in signature.parameters.values()}
    if inspect.Parameter.VAR_KEYWORD in kinds or "skip_check" in keywords:
        return tried(function, positional, keywords)
    try:
        bound = signature.bind_partial if use["partly"] else signature.bind
        bound(*positional, **keywords)
    except TypeError as error:
        return {"answer": "misfit", "text": str(error)}
    return {"answer": "ok", "how": "bound", "slots": list(signature.parameters)[hidden:]}


def set_on_instances(cls, name):
    """Whether a method of the class sets the attribute."""
    return any(re.search(rf"self\.{name}\b[^=]*=[^=]", source(one)) for one in cls.__mro__[:-1])


def source(cls):
    try:
        return inspect.getsource(cls)
    except (OSError, TypeError):
        return ""


def answer(use):
    try:
        if use["kind"] == "call":
            return call(use)
        if use["form"] == "mirror":
            for module in ("flashinfer.tllm_enums", "flashinfer.fused_moe.core", "flashinfer.fused_moe"):
                try:
                    found = load(f"{module}.{use['symbol']}")[1]
                except MissingError:
                    continue
                return {
                    "answer": "members",
                    "members": {name: int(item) for name, item in found.__members__.items()},
                }
            raise MissingError(use["symbol"])
        head, called, tail = use["symbol"].partition("().")
        thing = load(head)[1]
        if called and not hasattr(thing, tail) and not set_on_instances(thing, tail):
            raise MissingError(f"{head} has no {tail}")
    except MissingError as error:
        return {"answer": "missing", "text": str(error)}
    except UnavailableError as error:
        return {"answer": "unavailable", "text": str(error)}
    except Exception as error:
        return {"answer": "unavailable", "text": f"{type(error).__name__}: {error}"}
    return {"answer": "ok", "how": "imported"}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    uses = json.load(sys.stdin)
    noise = io.StringIO()
    with redirect_stdout(noise), redirect_stderr(noise):
        answers = [answer(use) for use in uses]
    sys.stdout.write("\n@@" + json.dumps(answers))
