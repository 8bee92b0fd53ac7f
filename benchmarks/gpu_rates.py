"""What this GPU reaches at best, as the roofline takes it: `python -m benchmarks.gpu_rates RATES.json [TIMINGS]`.

TIMINGS is a folder for tactic timings, so that a second run builds faster.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from trt_core.backends.tensorrt.device_rates import measure_device
from trt_core.backends.tensorrt.kept_files import KeptFiles
from trt_core.domain.codec import to_plain
from trt_core.testing import CollectingReporter


def main() -> None:
    reporter = CollectingReporter()
    kept = KeptFiles(folder=Path(sys.argv[2])) if len(sys.argv) > 2 else None
    rates = measure_device(reporter=reporter, kept=kept)
    Path(sys.argv[1]).write_text(json.dumps(to_plain(rates), indent=1) + "\n")
    print(rates.label, rates.bandwidth_gb_s, {key.value: round(rate, 1) for key, rate in rates.tera_ops})
    refused = [line for line in reporter.lines if line.split(":")[0] in ("fp32", "tf32", "fp16", "int8")]
    print("\n".join(refused))


if __name__ == "__main__":
    main()
