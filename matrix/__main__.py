"""`python -m matrix` is `kernel-matrix`."""

from __future__ import annotations

from matrix.cli import program

program()
