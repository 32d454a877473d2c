"""How an engine can fail to be asked at all, apart from how it answers."""

from __future__ import annotations


class NotReplayableError(Exception):
    """The engine's wheel does not import here; the message names the import that failed."""


class UnspokenError(Exception):
    """The engine has no word for what it was to be asked, so the call cannot be made."""
