"""Worker processes: started in a session of their own, ended with everything they started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from trt_core.domain.jobs import Job

# Kept for the life of this process, whoever started them: workers outlive their launcher, and must be reaped.
_CHILDREN: dict[str, subprocess.Popen[bytes]] = {}


class ProcessLauncher:
    """One process a job. Output of the process and of native code in it goes to the job's log file."""

    def __init__(self, workspace: Path, *, environment: Mapping[str, str] | None = None) -> None:
        self._workspace = workspace
        self._environment = dict(environment or {})

    def log_path(self, job_id: str) -> Path:
        """Where the output of a job goes."""
        return self._workspace / "jobs" / f"{job_id}.log"

    def launch(self, job: Job) -> int:
        """Start a process for a job; its pid."""
        path = self.log_path(job.id)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._reap()
        with path.open("ab") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "trt_core.worker", job.id, "--workspace", str(self._workspace)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=Path(__file__).parents[2],
                env={**os.environ, **self._environment},
            )
        _CHILDREN[job.id] = child
        return child.pid

    def is_alive(self, job: Job) -> bool:
        """True while the job's process lives; a zombie, or a stranger who got the same pid, does not count."""
        import psutil

        self._reap()
        if job.pid is None:
            return False
        try:
            process = psutil.Process(job.pid)
            return process.status() != psutil.STATUS_ZOMBIE and job.id in process.cmdline()
        except psutil.Error:
            return False

    def exit_text(self, job: Job) -> str:
        """How a child ended, in words, where this process started it."""
        child = _CHILDREN.get(job.id)
        if child is None:
            return "its process is gone"
        try:
            # A dying process has lost its command line already while its exit code is still to come.
            code = child.wait(timeout=2)
        except subprocess.TimeoutExpired:
            return "its process does not answer"
        if code < 0:
            return f"its process was ended by {signal.Signals(-code).name}"
        return f"its process ended with exit code {code}"

    def kill(self, job: Job) -> None:
        """End the job's process group."""
        if job.pid is not None and self.is_alive(job):
            try:
                os.killpg(job.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                return
        child = _CHILDREN.get(job.id)
        if child is not None:
            child.wait(timeout=10)

    def _reap(self) -> None:
        for child in list(_CHILDREN.values()):
            child.poll()
