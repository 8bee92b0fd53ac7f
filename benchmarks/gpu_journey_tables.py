"""The tables of a journey on a GPU: `benchmarks.gpu_journey` wrote down what every command answered."""

from __future__ import annotations

from typing import Any

from benchmarks.tables import Table


def commands_table(known: dict[str, Any]) -> Table:
    """Every command that was given."""
    rows = [
        (
            name,
            f"`{' '.join(item['words'])[:160]}`",
            str(item["exit"]),
            f"{item['seconds']:.1f}",
            item["error"] or "",
        )
        for name, item in known.items()
        if "words" in item
    ]
    return Table(
        title="Every command and its exit code",
        method="0 yes, 1 no, 5 too few samples to tell; 2 to 4 would be a refusal or a failure, with its line.",
        columns=("step", "command", "exit", "seconds", "error"),
        rows=tuple(rows),
    )


def plans_table(known: dict[str, Any]) -> Table:
    """Every plan of every search beside its engine."""
    rows = [_plan_row(known, "fp32", {})]
    for way in _ways(known):
        rows += [
            _plan_row(known, f"{way} {place}", point)
            for place, point in enumerate(known[f"triage {way}"]["answer"].get("curve", ()))
        ]
    return Table(
        title="The transformer sample: plans of three searches, as engines",
        method="Each search by its calibration, with and without the products of attention, and the place on its "
        "curve. Top-1 in % of 7,764 samples, by the numerics twin in ONNX Runtime and by the engine itself, each with "
        "its verdict at a tolerance of 0.5 %; MACs in INT8 of all of the model's, as the plan has it; latency is GPU "
        "compute at batch 64. The plan that the search chose is marked with an asterisk.",
        columns=(
            "engine", "kept in FP16", "of all MACs in INT8 (%)", "twin", "twin's verdict", "engine", "engine's verdict",
            "layers run in", "p50 ms", "p99 ms",
        ),
        rows=tuple(rows),
    )  # fmt: skip


def _ways(known: dict[str, Any]) -> list[str]:
    return [name.removeprefix("triage ") for name in known if name.startswith("triage ")]


def _plan_row(known: dict[str, Any], name: str, point: dict[str, Any]) -> tuple[str, ...]:
    way, _, place = name.rpartition(" ")
    is_chosen = bool(point) and known[f"triage {way}"]["answer"]["chosen"] == int(place)
    said = known.get(f"validate {name}", {}).get("answer")
    timed = known.get(f"bench {name}", {}).get("answer")
    layers = known[f"build {name}"]["answer"].get("precisions", {})
    kept = point.get("kept_nodes", [])
    return (
        f"{name}{' *' if is_chosen else ''}",
        ", ".join(f"`{node}`" for node in kept[:2]) + (f" and {len(kept) - 2} more" if len(kept) > 2 else "") or "–",
        f"{100 * point['int8_share_of_all']:.1f}" if point else "–",
        f"{100 * point['metric']:.2f}" if point else "–",
        point.get("verdict", "–"),
        f"{100 * said['candidate']:.2f}" if said else "–",
        said["verdict"] if said else "–",
        ", ".join(f"{count} {precision}" for precision, count in sorted(layers.items())) or "–",
        f"{timed['latency_ms']['p50']:.4f}" if timed else "–",
        f"{timed['latency_ms']['p99']:.4f}" if timed else "–",
    )


def meters_table(known: dict[str, Any]) -> Table:
    """The models of other libraries, each beside TensorRT in FP16."""
    rows = []
    for name, item in known.items():
        if "latency_ms" in item.get("answer", {}) and not name.startswith(("bench ", "copies")):
            found, model = item["answer"], name.split()[0]
            best = known.get(f"{model} tensorrt fp16{' with copies' if name.endswith('copies') else ''}", {})
            p50 = found["latency_ms"]["p50"]
            ratio = p50 / best["answer"]["latency_ms"]["p50"] if best.get("answer") else None
            throughput = f"{found['throughput_per_s']:.0f}"
            rows.append(
                (name, f"{p50:.3f}", f"{found['latency_ms']['p99']:.3f}", throughput, f"{ratio:.2f}" if ratio else "–")
            )
    return Table(
        title="The same files in other libraries, batch 8",
        method="`bench` with each backend on one GPU, one after the other. TensorRT's times lie between CUDA events, "
        "those of ONNX Runtime and PyTorch are host time until the GPU is done: see each run's method. The last column "
        "is p50 over that of TensorRT in FP16 with the same copies.",
        columns=("run", "p50 ms", "p99 ms", "inferences/s", "times TensorRT FP16's p50"),
        rows=tuple(rows),
    )


def written(known: dict[str, Any]) -> str:
    """The whole page."""
    square, split = known.get("four-way square", {}).get("answer", {}), known.get("profile split", {})
    parts = ["# One journey on a GPU", "Written by `python -m benchmarks.gpu_journey`.", plans_table(known).markdown()]
    if square.get("square"):
        parts.append(f"The four-way square of the plan from MinMax with attention: {square['square']['sentence']}")
    parts.append(meters_table(known).markdown())
    if split:
        ranges = "; ".join(f"{low} to {high}: {slowdown:.2f} times static" for low, high, slowdown in split["profiles"])
        sizes = ", ".join(split["static_ms"])
        parts.append(f"One FP16 engine for pictures of {sizes} pixels against an engine for each size: {ranges}.")
    return "\n\n".join(part.rstrip("\n") for part in (*parts, commands_table(known).markdown()))
