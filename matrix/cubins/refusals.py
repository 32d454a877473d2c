"""Why a release's selection code could not be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matrix.errors import KernelMatrixError

if TYPE_CHECKING:
    from matrix.verdicts import Verdict


class NoSelectionError(KernelMatrixError):
    """The selection code of one release has no answers; other releases go on.

    Args:
        verdict: BUILD_ERROR, INSTALL_ERROR, OUT_OF_MEMORY, TIMEOUT, UNSUPPORTED, CRASH or NOT_RUN.
        what: why.
        remedy: what would help.
    """

    def __init__(self, verdict: Verdict, what: str, remedy: str = "") -> None:
        super().__init__(what, remedy)
        self.verdict = verdict
