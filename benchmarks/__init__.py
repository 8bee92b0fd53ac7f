"""Benchmarks: `python -m benchmarks [NAME ...]` runs them on this machine and writes `docs/benchmarks/`."""
