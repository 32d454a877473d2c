"""Findings that are known and let pass until a day: a TOML file beside the engine's sources.

```toml
[[known]]
symbol = "flashinfer.fused_moe.core.get_trtllm_moe_sm100_module.cache_clear"   # glob
file = "sglang/kernels/ops/lora/*"                                             # glob; every file where left out
name = "cache_clear"                                                           # every name where left out
scope = "Lora.reset"                    # the enclosing function, empty for the module; every one where left out
count = 2                                                  # how many findings pass; any number where left out
reason = "LoRA on trtllm is not deployed; https://..."
expires = 2027-01-31
```
"""

from __future__ import annotations

import datetime as dt
import fnmatch
import glob
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matrix import toml
from matrix.errors import InputError, unknown

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from matrix.engines.consumer import Judged

_KEYS = {"symbol", "file", "name", "scope", "count", "reason", "expires"}


@dataclass(frozen=True, kw_only=True)
class Known:
    """One entry of a baseline; see the module."""

    symbol: str
    file: str
    name: str
    reason: str
    expires: dt.date
    scope: str | None = None
    count: int | None = None

    def covers(self, one: Judged) -> bool:
        """Whether a finding is the one that the entry means."""
        return (
            fnmatch.fnmatchcase(one.use.symbol, self.symbol)
            and fnmatch.fnmatchcase(one.use.file, self.file)
            and self.name in {"", one.judgement.name}
            and self.scope in {None, one.use.scope}
        )


class Baseline:
    """The entries of one file, and which of them were of use.

    Args:
        path: the file.
        today: the day by which entries expire.
    """

    def __init__(self, path: Path, today: dt.date) -> None:
        self.path, self.today = path, today
        entries = toml.load(path).get("known", [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise InputError(f"{path}: known is not a list of tables.", "Write each entry under [[known]].")
        self.known = [_known(entry, f"{path}, entry {number}") for number, entry in enumerate(entries, 1)]
        self.used: Counter[Known] = Counter()
        self.full: set[Known] = set()
        self.expired: set[Known] = set()

    def reason(self, one: Judged) -> str:
        """Why a finding passes; empty where none of the entries says so, or only an expired one."""
        for entry in self.known:
            if not entry.covers(one):
                continue
            if entry.expires < self.today:
                self.expired.add(entry)
            elif entry.count is not None and self.used[entry] >= entry.count:
                self.full.add(entry)
            else:
                self.used[entry] += 1
                return entry.reason
        return ""

    def notices(self) -> list[str]:
        """What the file's keeper should hear."""
        lines = [f"{self.path}: `{entry.symbol}` expired on {entry.expires}." for entry in self.expired]
        lines += [
            f"{self.path}: there are more than the {entry.count} known findings of `{entry.symbol}` in "
            f"{entry.file}; which of them is new cannot be told."
            for entry in self.full
        ]
        idle = [entry for entry in self.known if not self.used[entry] and entry not in self.expired]
        return sorted(lines) + [
            f"{self.path}: `{entry.symbol}` fits no finding; remove it." for entry in idle
        ]


def _known(entry: Any, where: str) -> Known:
    for key in entry:
        if key not in _KEYS:
            raise unknown("key", key, _KEYS, where)
    for key in ("symbol", "reason", "expires"):
        if not entry.get(key):
            raise InputError(
                f"{where}: {key} is missing.", "Each known finding needs symbol, reason and expires."
            )
    expires = entry["expires"]
    if not isinstance(expires, dt.date):
        raise InputError(f"{where}: expires is not a date.", "Write it as 2027-01-31, without quotes.")
    count = entry.get("count")
    if count is not None and (type(count) is not int or count < 1):
        raise InputError(f"{where}: count is not a positive number.", "Write it as 2, or leave it out.")
    return Known(
        symbol=entry["symbol"],
        file=entry.get("file", "*"),
        name=entry.get("name", ""),
        scope=entry.get("scope"),
        count=count,
        reason=entry["reason"],
        expires=expires,
    )


def write(path: Path, broken: Iterable[Judged], expires: dt.date) -> int:
    """Write a baseline of what breaks now; returns how many findings it lets pass."""
    rows = Counter(
        (one.use.symbol, one.use.file, one.judgement.name, one.use.scope, one.judgement.reason)
        for one in broken
    )
    lines = ["# What breaks and is known; each entry passes until it expires.", ""]
    for (symbol, file, name, scope, reason), count in sorted(rows.items()):
        lines += ["[[known]]", f"symbol = {_quoted(symbol)}", f"file = {_quoted(glob.escape(file))}"]
        lines += [f"name = {_quoted(name)}", f"scope = {_quoted(scope)}", f"count = {count}"]
        lines += [f"reason = {_quoted(reason)}", f"expires = {expires.isoformat()}", ""]
    path.write_text("\n".join(lines), encoding="utf-8")
    return sum(rows.values())


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
