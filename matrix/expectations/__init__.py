"""Which verdicts are known, and so excused: read from TOML, asked about each cell."""

from __future__ import annotations

from matrix.expectations.entries import BUILT_IN, Expectation, Expectations, load
from matrix.expectations.judge import Judgement, Outcome, Subject, judge

__all__ = ["BUILT_IN", "Expectation", "Expectations", "Judgement", "Outcome", "Subject", "judge", "load"]
