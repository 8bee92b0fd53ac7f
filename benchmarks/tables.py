"""What every benchmark gives back, and how it is written down."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


def peak_mb() -> float:
    """The most memory that this process has held, in MiB.

    `getrusage` would answer with the peak of the process that started this one, where that was larger.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


@dataclass(frozen=True, kw_only=True)
class Table:
    """One benchmark's outcome. `limits` are (what, measured, limit, kept) and decide whether the run passes."""

    title: str
    method: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    limits: tuple[tuple[str, str, str, bool], ...] = ()

    def markdown(self) -> str:
        """The section of the report."""
        lines = [f"## {self.title}", "", self.method, ""]
        lines += _grid(self.columns, self.rows)
        if self.limits:
            rows = [
                (what, measured, limit, "kept" if kept else "**missed**") for what, measured, limit, kept in self.limits
            ]
            lines += ["", *_grid(("limit", "measured", "allowed", ""), rows)]
        return "\n".join(lines) + "\n"


def _grid(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    head = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    return head + [f"| {' | '.join(row)} |" for row in rows]


def fresh(code: str, *arguments: str) -> str:
    """Run Python code in a fresh interpreter; its last line of standard output."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=ROOT, check=False
    )
    if done.returncode:
        raise RuntimeError(f"a benchmark's process failed:\n{done.stderr[-4000:]}")
    return done.stdout.strip().splitlines()[-1]


def median(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)


def spread(values: Sequence[float], *, digits: int = 2) -> str:
    """Median with the lowest and highest value in brackets."""
    return f"{median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def percentile(values: list[float], percent: int) -> float:
    """The nearest-rank percentile: one of the values measured."""
    ordered = sorted(values)
    return ordered[max(0, -(-percent * len(ordered) // 100) - 1)]


def cores() -> int:
    """The processor cores that this process may use: `taskset` leaves it fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
