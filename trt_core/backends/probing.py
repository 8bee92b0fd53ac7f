"""Asking a library what it can do in a process of its own: a native crash, a missing driver and a hang stay there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_MARK = "enginescope-probe "
_ROOT = Path(__file__).resolve().parents[2]


def answer_of(command: Sequence[str], *, title: str, after_crash: str, timeout_s: float) -> dict[str, object]:
    """What a probing command told, or `{"reason": …}` where it crashed, hung, failed or never started.

    `title` is the library's name, `after_crash` what to do when its native code ends the process. Never raises for what
    the command does.
    """
    path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH", "")]))
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
        )
    except subprocess.TimeoutExpired:
        return {"reason": f"{title} did not answer within {timeout_s:g} s. Restart the program to ask again."}
    except OSError as error:
        return {"reason": f"The probe of {title} did not start: {error.strerror or error}."}
    if done.returncode < 0:
        return {"reason": f"{title} crashed while it started ({_signal_name(-done.returncode)}). {after_crash}"}
    answers = [line for line in done.stdout.splitlines() if line.startswith(_MARK)]
    if not answers:
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        return {"reason": f"{title} cannot be used: {last}"}
    answer: dict[str, object] = json.loads(answers[-1][len(_MARK) :])
    return answer


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def tell(answer: dict[str, object]) -> None:
    """Answer, from inside the probing process, in one marked line: libraries print around it."""
    sys.stdout.write(f"\n{_MARK}{json.dumps(answer)}\n")
