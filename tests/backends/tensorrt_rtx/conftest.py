from __future__ import annotations

import pytest

from trt_core.domain.jobs import Progress
from trt_core.errors import JobCancelled


class Listener:
    """Keeps what is reported, and asks to stop after `checks` questions."""

    def __init__(self, checks: int | None = None) -> None:
        self.seen: list[Progress] = []
        self.checks = checks
        self.logged = ""

    def progress(self, progress: Progress) -> None:
        self.seen.append(progress)

    def log(self, text: str) -> None:
        self.logged += text

    def check(self) -> None:
        if self.checks is not None:
            self.checks -= 1
            if self.checks < 0:
                raise JobCancelled("You stopped it.")


@pytest.fixture
def listener():
    return Listener()
