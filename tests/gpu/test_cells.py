"""The matrix on this machine, one test a cell: `nox -s gpu_matrix` runs it in every release's environment."""

from __future__ import annotations

import pytest

from matrix.verdicts import Verdict


def test_cell(cell, answers, known):
    assert answers, f"no stage answered {cell.id}"
    bad = [result for result in answers if not result.verdict.good and result.verdict is not Verdict.NOT_RUN]
    unknown = [result for result in bad if [result.stage, result.verdict.value] not in known]
    assert not unknown, "\n".join(f"{r.verdict.value} at {r.stage}: {r.reason}\n{r.remedy}" for r in unknown)
    if bad:
        pytest.xfail(bad[0].reason)
    if answers[-1].verdict is Verdict.NOT_RUN:
        pytest.skip(answers[-1].reason)
