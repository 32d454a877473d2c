"""An engine's choice of backend for target and draft, by its own code, held against our rule set."""
from __future__ import annotations
from typing import Any, Mapping
def hold(engine: Any, rules: Mapping[str, Any] | None) -> dict[str, Any]:
    return {}
