"""A reporter for a part of a job, whose progress is the whole's to tell."""

from __future__ import annotations

from trt_core.domain.jobs import Progress
from trt_core.protocols import Reporter


class QuietReporter:
    """Passes cancellation and log on, and keeps a part's own progress to itself."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter

    def progress(self, progress: Progress) -> None:
        """Leave it out: the whole says where it is."""

    def log(self, text: str) -> None:
        """Pass it on."""
        self._reporter.log(text)

    def check(self) -> None:
        """Pass it on."""
        self._reporter.check()
