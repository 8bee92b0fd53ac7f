"""The page about TensorRT on the GPU: the tables of what `benchmarks.gpu` and its siblings measured.

python -m benchmarks.gpu_report RESULTS.json BASELINES.json RATES.json > docs/gpu/h200-trt86.md
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.gpu import BATCH, CASES
from benchmarks.tables import Table
from trt_core.domain.codec import from_plain
from trt_core.domain.device_rates import DeviceRates, rates_of


def report(results: Path, baselines: Path, rates: Path) -> str:
    """The tables of `benchmarks.gpu`, of `benchmarks.gpu_baselines` and of `benchmarks.gpu_rates` on one page."""
    done = json.loads(results.read_text())
    good = {name: item for name, item in done.items() if "error" not in item}
    first = next(iter(good.values()))
    rows = tuple(_row(name, done[name]) for name in CASES if name in done)
    table = Table(
        title=f"{first['device']}, TensorRT {first['version']}, batch {BATCH}",
        method=(
            "Random weights and seeded inputs; optimization level 3; one profile from batch 1 to 8. The first build "
            "starts without timings, the second one from those that it left. Latency is GPU compute between CUDA "
            "events over 1000 inferences, each after the last; throughput counts host time of the same loop. The "
            "error is the relative L2 distance of the outputs to ONNX Runtime's on the uploaded FP32 model. cuDNN and "
            "cuBLAS are not installed: their tactics are not tried. TensorRT 8.6 makes one or two opaque blocks of an "
            "encoder: the precision is then that of the block's border, and what it computes in inside is not told "
            "(its speed and its error tell)."
        ),
        columns=(
            "model", "precision", "build s", "with timings", "not cacheable s", "p50 ms", "p99 ms", "CUDA graph p50",
            "enqueue ms", "inferences/s", "engine MB", "GPU MB", "layers run in", "error",
        ),
        rows=rows,
    )  # fmt: skip
    beside = _beside(done, json.loads(baselines.read_text()))
    reached = _reached(from_plain(DeviceRates, json.loads(rates.read_text())))
    text = "\n".join(item.markdown() for item in (table, beside, reached))
    said = "Measured by `python -m benchmarks.gpu`, written by `benchmarks.gpu_report`."
    return f"# TensorRT 8.6 on an H200\n\n{said}\n\n{text}"


def _beside(done: dict[str, Any], found: dict[str, Any]) -> Table:
    """ResNet-50 without TensorRT, and how many times as long it takes."""
    rows = []
    for name, item in found.items():
        if not isinstance(item, dict):
            continue
        who, _, precision = name.partition("/")
        if "error" in item:
            rows.append((who, precision, "–", "–", "–", "–", item["error"]))
            continue
        same = done[f"resnet50/{precision.partition('-')[0]}"]
        rows.append(
            (
                who, precision, item["version"], f"{item['p50_ms']:.3f}", f"{item['p99_ms']:.3f}",
                f"{item['throughput_per_s']:.0f}", f"{item['p50_ms'] / same['p50_ms']:.1f}",
            )
        )  # fmt: skip
    return Table(
        title=f"ResNet-50 without TensorRT, batch {BATCH}, {found['device']}",
        method=(
            "Written by `python -m benchmarks.gpu_baselines`: between CUDA events around one inference, 1000 of them, "
            "inputs and outputs on the GPU. PyTorch eager enqueues kernel by kernel: its FP16 is no faster than its "
            "TF32 because it waits for the host. The last column is its p50 over TensorRT's in the same precision, "
            "without CUDA graph."
        ),
        columns=("library", "precision", "version", "p50 ms", "p99 ms", "inferences/s", "times TensorRT's p50"),
        rows=tuple(rows),
    )


def _reached(rates: DeviceRates) -> Table:
    """Measured rates beside the data sheet's."""
    sheet = rates_of(rates.device, measured=())
    assert sheet is not None  # noqa: S101 - the report is of a known device
    rows = [("memory, GB/s", f"{rates.bandwidth_gb_s:.0f}", f"{sheet.bandwidth_gb_s:.0f}")]
    rows += [
        (f"{precision.value}, tera-operations/s", f"{rate:.0f}", f"{(sheet.ops_per_s(precision) or 0) / 1e12:.0f}")
        for precision, rate in rates.tera_ops
    ]
    return Table(
        title=f"What an {rates.device} reaches",
        method=f"Written by `python -m benchmarks.gpu_rates`: {rates.source}; {rates.conditions}.",
        columns=("rate", "measured", "data sheet"),
        rows=tuple(rows),
    )


def _row(name: str, item: dict[str, Any]) -> tuple[str, ...]:
    model, precision = name.split("/")
    if "error" in item:
        return (model, precision, *["–"] * 10, item["error"], "–")
    return (
        model, precision, f"{item['build_cold_s']:.1f}", f"{item['build_warm_s']:.1f}", f"{item['compiled_s']:.1f}",
        f"{item['p50_ms']:.3f}", f"{item['p99_ms']:.3f}", f"{item['graph_p50_ms']:.3f}", f"{item['enqueue_ms']:.3f}",
        f"{item['throughput_per_s']:.0f}", f"{item['engine_bytes'] / 1e6:.1f}", f"{item['gpu_bytes'] / 1e6:.0f}",
        ", ".join(f"{count} {kind}" for kind, count in item["precisions"].items()), f"{item['relative_error']:.1e}",
    )  # fmt: skip


def main() -> None:
    words = sys.argv[1:]
    if len(words) != 3:
        raise SystemExit(__doc__)
    print(report(*map(Path, words)))


if __name__ == "__main__":
    main()
