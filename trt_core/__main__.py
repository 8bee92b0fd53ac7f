"""`python -m trt_core`: the command line."""

from __future__ import annotations

from trt_core.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
