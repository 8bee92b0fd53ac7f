"""`python -m trt_core`: the command line."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run() -> int:
    """Load the command line and run it; who cancels while it still loads is told so in one line, too."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, _leave)
    from trt_core.cli.main import main

    for number, handler in before.items():
        signal.signal(number, handler)
    return main()


def _leave(_number: int, _frame: FrameType | None) -> None:
    # Nothing has begun that would have to be ended; an exception in the middle of an import would be a traceback.
    os.write(sys.stderr.fileno(), b"error: Cancelled.\n")
    os._exit(130)


if __name__ == "__main__":
    raise SystemExit(run())
