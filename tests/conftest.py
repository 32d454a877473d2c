"""Shared by every room. Loaded in releases' environments too: at module level only pytest and the standard library."""

from __future__ import annotations

pytest_plugins = ("matrix.run.plugin",)
