"""Traps: where a call of FlashInfer may stand, and lines that are never reached."""

from textwrap import indent

PLACES = {
    "a default argument": "def f(x=CALL): ...",
    "a keyword's default in a method": "class Layer:\n    def f(self, *, x=CALL): ...",
    "a decorator": "@mark(CALL)\ndef f(x): ...",
    "a class body": "class Layer:\n    x = CALL",
    "a nested function": "def f(x):\n    def g():\n        return CALL\n    return g",
    "a condition of a comprehension": "x = [i for i in range(3) if CALL]",
    "a lambda": "x = map(lambda i: CALL, range(3))",
    "an f-string and its format": "x = f'{1:>{CALL}}'",
    "an index": "def f(x):\n    return x[CALL:]",
    "a yield": "async def f(x):\n    async for i in x:\n        yield CALL",
    "an augmented assignment": "x = 1\nx += CALL",
    "the rest of a loop": "for x in ():\n    pass\nelse:\n    CALL",
    "the end of a try": "try:\n    pass\nfinally:\n    CALL",
    "what is matched": "match CALL:\n    case _:\n        pass",
    "the condition of a case": "match 1:\n    case _ if CALL:\n        pass",
    "what is deleted": "x = {}\ndel x[CALL]",
    "a keyword of a class": "class Layer(metaclass=CALL): ...",
}
REACHED = {
    "after a return": ("return x", "print(x)"),
    "after a raise": ("raise ValueError(x)", "print(x)"),
    "after a try that returns either way": (
        "try:\n    return x\nexcept ValueError:\n    return None",
        "try:\n    return x\nexcept ValueError:\n    pass",
    ),
    "after a suppressed return": ("return x", "with suppress(ValueError):\n    return x"),
}


def module(text, call):
    return f"from contextlib import suppress\nfrom flashinfer.core import run\n{text.replace('CALL', call)}"


def function(before):
    return f"def f(x):\n{indent(before, '    ')}\n    CALL"


TRAPS = {
    name: {
        "quiet": module(place, "run(1, scale=2)"),
        "loud": module(place, "run(1, y=2)"),
    }
    for name, place in PLACES.items()
}
TRAPS |= {
    name: {
        "quiet": module(function(quiet), "run(1, y=2)"),
        "loud": module(function(loud), "run(1, y=2)"),
    }
    for name, (quiet, loud) in REACHED.items()
}


def test_trap(trap, verdicts):
    assert verdicts(trap.quiet, trap.engine) == trap.calm
    assert verdicts(trap.changed(), trap.engine) == trap.alarm
