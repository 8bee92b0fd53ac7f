"""Progress of one part of a job, told as a share of the whole."""

from __future__ import annotations

from trt_core.domain.jobs import Progress
from trt_core.protocols import Reporter


class PartReporter(Reporter):
    """What a part reports, in its place within the whole: `at` is where the part begins, `share` how much it is.

    Where `at` has a phase it stands before the part's own; its steps, where it has any, replace the part's.
    """

    def __init__(self, outer: Reporter, at: Progress, *, share: float) -> None:
        self._outer, self._at, self._share = outer, at, share

    def progress(self, progress: Progress) -> None:
        """Hand it on with the share of the whole."""
        at = self._at
        reached = (at.fraction or 0.0) + (progress.fraction or 0.0) * self._share
        phase = f"{at.phase}: {progress.phase}" if at.phase else progress.phase
        own = at if at.steps else progress
        self._outer.progress(Progress(phase=phase, fraction=min(1.0, reached), step=own.step, steps=own.steps))

    def log(self, text: str) -> None:
        """Hand it on."""
        self._outer.log(text)

    def check(self) -> None:
        """Ask outside."""
        self._outer.check()
