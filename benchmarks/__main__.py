"""`python -m benchmarks [NAME ...]`: run them in turn, write `docs/benchmarks/NAME.md`, fail on a missed limit."""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import os
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.tables import ROOT, Table, cores

# What must be measured on a quiet machine comes first.
NAMES = (
    "flow",
    "diverge",
    "triage",
    "calibration",
    "crowd",
    "readers",
    "dashboard",
    "lab",
    "coverage",
    "planted_faults",
    "statistics",
)
_PACKAGES = ("tensorrt_rtx_cu13_bindings", "onnxruntime", "onnx", "numpy", "streamlit", "polygraphy")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks that are named, all of them by default; 1 when a limit is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--folder", type=Path, default=ROOT / "docs" / "benchmarks")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    missed = []
    for name in options.names or NAMES:
        print(f"{name} …", file=sys.stderr, flush=True)
        begin = time.perf_counter()
        load = os.getloadavg()[0]
        tables = _tables(name)
        text = "\n".join(table.markdown() for table in tables)
        head = f"# Benchmark: {name}\n\nPrinted by `python -m benchmarks {name}`. {_conditions(load)}\n\n"
        (options.folder / f"{name}.md").write_text(head + text, encoding="utf-8")
        print(text, flush=True)
        print(f"{name}: {time.perf_counter() - begin:.0f} s", file=sys.stderr, flush=True)
        limits = [limit for table in tables for limit in table.limits]
        missed += [f"{name}: {what}: {got}, allowed {allowed}" for what, got, allowed, kept in limits if not kept]
    for line in missed:
        print(f"missed: {line}", file=sys.stderr)
    return 1 if missed else 0


def _tables(name: str) -> list[Table]:
    found = importlib.import_module(f"benchmarks.{name}").run()
    return [found] if isinstance(found, Table) else list(found)


def _conditions(load: float) -> str:
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES)
    processor = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "unknown"
    )
    return (
        f"On {processor}, {cores()} cores, Python {platform.python_version()}, load average {load:.1f} before "
        f"it began; {versions}."
    )


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


if __name__ == "__main__":
    raise SystemExit(main())
