"""The command line's JSON: keys are a contract, infinities become null because JSON has no word for them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from trt_core.domain.artifacts import BuildRecord, ModelRecord, VariantRecord
from trt_core.domain.codec import to_plain
from trt_core.domain.divergence import DivergenceRun, TensorError
from trt_core.domain.engine import EngineRecord
from trt_core.domain.findings import Finding
from trt_core.domain.fusion import FusionMap, NodeState
from trt_core.domain.jobs import Job
from trt_core.domain.latency import LatencyRun, LatencySummary
from trt_core.domain.support import SupportReport
from trt_core.domain.tensors import TensorSpec
from trt_core.services.machine import Machine

Plain = dict[str, Any]


def finite(value: Any) -> Any:
    """The same plain value with every infinity and NaN replaced by None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return value


def tensor(spec: TensorSpec) -> Plain:
    """Name, dtype and shape; symbols as text, unknown sizes as null."""
    return {"name": spec.name, "dtype": spec.dtype, "shape": None if spec.shape is None else list(spec.shape)}


def findings(items: Iterable[Finding]) -> list[Plain]:
    """All findings."""
    return [to_plain(item) for item in items]


def model(record: ModelRecord) -> Plain:
    """The model card."""
    return {
        "id": record.id,
        "sha256": record.sha256,
        "name": record.name,
        "opset": record.opset,
        "ir_version": record.ir_version,
        "producer": record.producer,
        "parameters": record.parameters,
        "size_bytes": record.size_bytes,
        "macs": record.macs,
        "nodes": record.node_count,
        "op_histogram": record.op_histogram,
        "inputs": [tensor(spec) for spec in record.inputs],
        "outputs": [tensor(spec) for spec in record.outputs],
    }


def inspection(record: ModelRecord, report: SupportReport, rules: Iterable[Finding]) -> Plain:
    """`inspect`: the model, every node's answer, and what the rules found."""
    nodes = [
        {
            "index": node.index,
            "name": node.name,
            "op_type": node.op_type,
            "domain": node.domain,
            "supported": node.supported,
            "evidence": node.evidence.value,
            "reason": node.reason,
            "remedy": node.remedy,
            "partition": node.partition,
        }
        for node in report.nodes
    ]
    return {
        "model": model(record),
        "backend": report.backend,
        "backend_version": report.backend_version,
        "target": report.target,
        "nodes": nodes,
        "summary": {
            "nodes": len(nodes),
            "unsupported": len(report.unsupported),
            "not_proven": sum(node.supported is None for node in report.nodes),
            "fully_supported": report.fully_supported,
            "partitions": report.partition_count,
            "build_proved": report.build_proved,
            "build_reason": report.build_reason,
        },
        "findings": findings((*report.findings, *rules)),
    }


def variant(record: VariantRecord, path: str) -> Plain:
    """`quantize`: the variant, its ranges and which nodes it changed."""
    return {
        "variant": {
            "id": record.id,
            "sha256": record.sha256,
            "precision": record.recipe.precision.value,
            "rest": record.recipe.rest.value,
            "nodes": record.node_count,
            "path": path,
        },
        "ranges": to_plain(record.ranges),
        "quantized_nodes": list(record.quantized_nodes),
        "kept_nodes": list(record.kept_nodes),
        "findings": findings(record.findings),
    }


def build(record: BuildRecord, engine: EngineRecord, fusion: FusionMap, path: str, *, cached: bool) -> Plain:
    """`build`: the engine, what its layers really run in, and the fusion map."""
    return {
        "build": {
            "id": record.id,
            "backend": record.request.backend,
            "backend_version": record.backend_version,
            "target": record.target,
            "precision": record.recipe.precision.value,
            "seconds": record.seconds,
            "engine_bytes": record.engine_bytes,
            "engine_sha256": record.engine_sha256,
            "cached": cached,
            "attempt": record.attempt,
            "engine_path": path,
            "stages": [{"stage": name, "seconds": seconds} for name, seconds in record.stages],
        },
        "precisions": engine.precisions,
        "calibrated_ranges": to_plain(record.ranges),
        "fusion": fusion_map(fusion),
        "findings": findings(record.findings),
    }


def fusion_map(fusion: FusionMap) -> Plain:
    """`fusion`: both directions of the map; ONNX nodes by the file's names."""
    names = {node.index: node.name for node in fusion.nodes}
    nodes = [
        {
            "index": node.index,
            "name": node.name,
            "op_type": node.op_type,
            "state": node.state.value,
            "layers": list(node.layers),
            "by": node.by,
        }
        for node in fusion.nodes
    ]
    counts = fusion.state_counts
    return {
        "build_id": fusion.build_id,
        "stamp": fusion.stamp,
        "engine_layers": _engine_layers(fusion, names),
        "onnx_nodes": nodes,
        "summary": {
            "onnx_nodes": len(nodes),
            **{state.value: counts[state] for state in NodeState},
            "engine_layers": len(fusion.layers),
            "fused_groups": fusion.fused_group_count,
            "saved_bytes_estimate": fusion.saved_bytes,
        },
        "patterns": _patterns(fusion, names),
        "steps": [
            {"pass": step.name, "before": step.before, "after": step.after, "unit": step.unit} for step in fusion.steps
        ],
    }


def _engine_layers(fusion: FusionMap, names: dict[int, str]) -> list[Plain]:
    return [
        {
            "index": layer.index,
            "name": layer.name,
            "kind": layer.kind,
            "kernel": layer.kernel,
            "precision": layer.precision.value,
            "onnx_nodes": [names[index] for index in layer.nodes],
            "stream": layer.stream,
        }
        for layer in fusion.layers
    ]


def _patterns(fusion: FusionMap, names: dict[int, str]) -> list[Plain]:
    return [
        {
            "pattern": match.pattern,
            "nodes": [names[index] for index in match.nodes],
            "fused": match.fused,
            "layers": list(match.layers),
            "reason": match.reason,
        }
        for match in fusion.patterns
    ]


def latency(run: LatencyRun, summary: LatencySummary) -> Plain:
    """`bench`: percentiles, every sample, and the conditions that made them."""
    total = sum(mean for _, _, mean in run.layers)
    return {
        "id": run.id,
        "latency_ms": {
            "min": summary.min_ms,
            "mean": summary.mean_ms,
            "p50": summary.p50_ms,
            "p90": summary.p90_ms,
            "p95": summary.p95_ms,
            "p99": summary.p99_ms,
            "max": summary.max_ms,
            "std": summary.std_ms,
            "p50_ci95": None if summary.p50_ci95_ms is None else list(summary.p50_ci95_ms),
            "p99_ci95": None if summary.p99_ci95_ms is None else list(summary.p99_ci95_ms),
        },
        "samples_ms": list(run.samples_ms),
        "warmup_ms": list(run.warmup_ms),
        "throughput_per_s": summary.throughput_per_s,
        "host": {"enqueue_ms": run.enqueue_ms, "h2d_ms": run.h2d_ms, "d2h_ms": run.d2h_ms},
        "layers": [
            {"name": name, "op_type": op_type, "mean_ms": mean, "share": mean / total if total else 0.0}
            for name, op_type, mean in run.layers
        ],
        "gpu": to_plain(run.gpu),
        "device": run.conditions.device,
        "method": run.conditions.method,
        "conditions": to_plain(run.conditions),
        "findings": findings(run.findings),
    }


def divergence(run: DivergenceRun) -> Plain:
    """`diverge`: every layer's error in each precision, and where it starts."""
    layers = []
    for layer in run.layers:
        entry: Plain = {"index": layer.index, "name": layer.name, "op_type": layer.op_type, "tensor": layer.tensor}
        entry.update({precision: _error(error) for precision, error in layer.accumulated})
        if layer.isolated:
            entry["isolated"] = {precision: _error(error) for precision, error in layer.isolated}
        if layer.avoidable_db:
            entry["avoidable_db"] = finite(dict(layer.avoidable_db))
        layers.append(entry)
    outputs = [
        {"name": output.name, "tensor": output.name, **{name: _error(error) for name, error in output.errors}}
        for output in run.outputs
    ]
    return {
        "id": run.id,
        "reference": run.baseline,
        "against_file": run.candidate_file or None,
        "method": run.method,
        "layers": layers,
        "outputs": outputs,
        "origin": {precision: list(names) for precision, names in run.origin},
        "samples": run.samples,
        "seconds": run.seconds,
        "findings": findings(run.findings),
    }


def _error(error: TensorError) -> Plain:
    plain: Plain = finite({name: getattr(error, name) for name in TensorError.__dataclass_fields__})
    return plain


def job(record: Job) -> Plain:
    """One job."""
    plain: Plain = to_plain(record)
    plain.pop("request")
    return plain


def machine(look: Machine) -> Plain:
    """`system`: the machine, its packages, and what each backend can do."""
    plain: Plain = to_plain(look)
    plain["packages"] = dict(look.packages)
    plain["backends"] = [
        {
            **to_plain(item),
            "targets": [target.number for target in item.targets],
            "missing": [{"ability": ability, "reason": reason} for ability, reason in item.missing],
        }
        for item in look.backends
    ]
    return plain
