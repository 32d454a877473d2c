"""Stands for FlashInfer where a test needs a fault that no release shows: a crash, a hang, an exit at a given place.

It looks like 0.7.2 to the checks. What it does wrong is told by the variable PLANTED, a JSON object from a place
(`import`, or the id of a cell) to a fault of `faults.py`.
"""

from __future__ import annotations

from . import faults

__version__ = "9.9.9"

faults.at("import")
