"""Findings that are known and let pass until a day: a TOML file beside the engine's sources.

```toml
[[known]]
symbol = "flashinfer.fused_moe.core.get_trtllm_moe_sm100_module.cache_clear"   # glob
file = "sglang/kernels/ops/lora/*"                                             # glob; every file where left out
name = "cache_clear"                                                           # every name where left out
reason = "LoRA on trtllm is not deployed; https://..."
expires = 2027-01-31
```
"""

from __future__ import annotations

import datetime as dt
import fnmatch
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matrix import toml
from matrix.errors import InputError, unknown

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from matrix.engines.consumer import Judged

_KEYS = {"symbol", "file", "name", "reason", "expires"}


@dataclass(frozen=True, kw_only=True)
class Known:
    """One entry of a baseline; see the module."""

    symbol: str
    file: str
    name: str
    reason: str
    expires: dt.date

    def covers(self, one: Judged) -> bool:
        """Whether a finding is the one that the entry means."""
        return (
            fnmatch.fnmatchcase(one.use.symbol, self.symbol)
            and fnmatch.fnmatchcase(one.use.file, self.file)
            and self.name in {"", one.judgement.name}
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
        self.used: set[Known] = set()
        self.expired: set[Known] = set()

    def reason(self, one: Judged) -> str:
        """Why a finding passes; empty where none of the entries says so, or only an expired one."""
        for entry in self.known:
            if entry.covers(one):
                if entry.expires >= self.today:
                    self.used.add(entry)
                    return entry.reason
                self.expired.add(entry)
        return ""

    def notices(self) -> list[str]:
        """What the file's keeper should hear."""
        lines = [f"{self.path}: `{entry.symbol}` expired on {entry.expires}." for entry in self.expired]
        idle = [entry for entry in self.known if entry not in self.used | self.expired]
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
    return Known(
        symbol=entry["symbol"],
        file=entry.get("file", "*"),
        name=entry.get("name", ""),
        reason=entry["reason"],
        expires=expires,
    )


def write(path: Path, broken: Iterable[Judged], expires: dt.date) -> int:
    """Write a baseline of what breaks now; returns how many entries."""
    rows = sorted(
        {(one.use.symbol, one.use.file, one.judgement.name, one.judgement.reason) for one in broken}
    )
    lines = ["# What breaks and is known; each entry passes until it expires.", ""]
    for symbol, file, name, reason in rows:
        lines += ["[[known]]", f'symbol = "{symbol}"', f'file = "{file}"', f'name = "{name}"']
        lines += [f"reason = {_quoted(reason)}", f"expires = {expires.isoformat()}", ""]
    path.write_text("\n".join(lines), encoding="utf-8")
    return len(rows)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
