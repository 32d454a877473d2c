"""A file without the bodies of its functions, which no surface needs and which take most of the parsing."""

from __future__ import annotations

import bisect
import functools
import itertools
import re

__all__ = ["PROBE_LINES", "outline"]

TOKEN = re.compile(
    r"""\#[^\n]*
    | \"\"\"(?:[^\\\"]|\\[\s\S]|\"(?!\"\"))*\"\"\" | '''(?:[^\\']|\\[\s\S]|'(?!''))*'''
    | \"(?:[^\\\"\n]|\\[\s\S])*\" | '(?:[^\\'\n]|\\[\s\S])*'""",
    re.VERBOSE,
)
DEFINITION = re.compile(r"^([ \t]*)(?:async[ \t]+)?def[ \t]+(\w+)", re.MULTILINE)
SHORT_LINES = 3
PROBE_LINES = 30
PROBE = re.compile(r"\bfind_spec\b|\btry:[\s\S]*\bimport\b")
"""What a short function holds that says whether a package is there; such bodies are kept."""
KEPT_NAMES = {"__getattr__"}


def outline(source: str) -> str:
    """The source with every function body of some length replaced by `pass` and empty lines.

    Lines keep their numbers. What is cut is found by indentation, strings and comments set aside. Where that
    misleads, the rest is hardly Python any more, and the caller reads the file whole.
    """
    bare = TOKEN.sub(_blank, source)
    lines, bare_lines = source.split("\n"), bare.split("\n")
    starts = list(itertools.accumulate((len(line) + 1 for line in bare_lines), initial=0))
    done = 0
    for match in DEFINITION.finditer(bare):
        if match.start() < starts[done] or match[2] in KEPT_NAMES:
            continue
        first = _after_signature(bare_lines, bisect.bisect_right(starts, match.start()) - 1)
        end = _dedent(len(match[1])).search(bare, starts[first])
        last = bisect.bisect_right(starts, end.start()) - 1 if end else len(bare_lines)
        done = first
        probing = last - first <= 2 * PROBE_LINES and PROBE.search(bare, starts[first], starts[last])
        if last - first > SHORT_LINES and not probing:
            lines[first:last] = [f"{match[1]} pass", *[""] * (last - first - 1)]
            done = last
    return "\n".join(lines)


def _blank(match: re.Match[str]) -> str:
    """A string as a name, its further lines as ones that no body can end at; nothing for a comment."""
    text = match[0]
    if text[0] == "#":
        return ""
    return "_" if "\n" not in text else "_" + "\n\v" * text.count("\n")


@functools.cache
def _dedent(indent: int) -> re.Pattern[str]:
    """A line that is indented no deeper than a `def` is."""
    return re.compile(rf"^[ \t]{{0,{indent}}}\S", re.MULTILINE)


def _after_signature(lines: list[str], number: int) -> int:
    """The first line behind a `def` statement's colon."""
    depth = 0
    while number < len(lines):
        line = lines[number].rstrip()
        depth += sum(map(line.count, "([{")) - sum(map(line.count, ")]}"))
        number += 1
        if depth <= 0 and not line.endswith("\\"):
            break
    return number
