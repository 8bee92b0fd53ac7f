"""Benchmarks: `python -m benchmarks [NAME ...]` runs them side by side on this machine and writes `docs/benchmarks.md`."""
