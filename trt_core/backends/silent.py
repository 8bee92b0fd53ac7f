"""A reporter for work that nobody watches: short, or inside of what is watched as a whole."""

from __future__ import annotations

from trt_core.domain.jobs import Progress
from trt_core.protocols import Reporter


class Silent(Reporter):
    """Tells nothing, and is never stopped."""

    def progress(self, progress: Progress) -> None:
        """Nobody listens."""

    def log(self, text: str) -> None:
        """Nobody listens."""

    def check(self) -> None:
        """Nobody stops it."""
