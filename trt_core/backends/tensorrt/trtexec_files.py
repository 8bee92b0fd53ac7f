"""The three JSON files that trtexec exports, written from what is known of an engine or a run.

`recording_files` reads them back. Nothing is made up: a key whose value was not kept (the median of a layer, starts of
copies) is left out. Releases differ in the layer information alone, as far as these keys go: TensorRT 11 writes format
and dtype apart and describes the bindings, 8.6 and 10 write one phrase and name them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

from trt_core.domain.engine import EngineLayer, EngineRecord, EngineTensor
from trt_core.domain.recordings import LayerFacts

DIALECTS = ("8", "10", "11")
_WORDS = {"float": "FP32", "half": "FP16", "bfloat16": "BF16", "int8": "INT8", "fp8": "FP8", "int32": "INT32"}
_DATATYPES = {"float": "Float", "half": "Half", "bfloat16": "BFloat16", "int8": "Int8", "fp8": "FP8", "int32": "Int32"}


def times_json(
    samples_ms: Sequence[float],
    *,
    enqueue_ms: float | None = None,
    h2d_ms: float | None = None,
    d2h_ms: float | None = None,
    with_copies: bool = False,
) -> str:
    """`--exportTimes`: one entry an inference. Times in ms.

    Only durations were kept, so that the inferences are laid end to end. Copies and enqueue stand with their medians.
    Samples that were taken `with_copies` are latencies: what of one was compute is not known, and left out.
    """
    if with_copies:
        return _listed([_latency(time, enqueue_ms, h2d_ms, d2h_ms) for time in samples_ms])
    latencies = [(h2d_ms or 0.0) + time + (d2h_ms or 0.0) for time in samples_ms]
    starts = [0.0, *accumulate(latencies)]
    entries = []
    for start, time, latency in zip(starts, samples_ms, latencies, strict=False):
        begins = start + (h2d_ms or 0.0)
        entry = _span("Enq", start, enqueue_ms) | _span("H2d", start, h2d_ms) | _span("Compute", begins, time)
        entry |= _span("D2h", begins + time, d2h_ms)
        named = {"h2dMs": h2d_ms, "computeMs": time, "d2hMs": d2h_ms, "latencyMs": latency}
        entries.append(entry | {name: value for name, value in named.items() if value is not None})
    return _listed(entries)


def _latency(time: float, enqueue_ms: float | None, h2d_ms: float | None, d2h_ms: float | None) -> Mapping[str, float]:
    named = {"h2dMs": h2d_ms, "d2hMs": d2h_ms, "latencyMs": time}
    return _span("Enq", 0.0, enqueue_ms) | {name: value for name, value in named.items() if value is not None}


def _span(name: str, start: float, duration: float | None) -> dict[str, float]:
    return {} if duration is None else {f"start{name}Ms": start, f"end{name}Ms": start + duration}


def profile_json(layers: Iterable[tuple[str, float]], *, runs: int = 1) -> str:
    """`--exportProfile`: (layer, mean ms of one inference) of a profiled run, in the order of execution.

    Where the number of runs was not kept, totals are those of one run.
    """
    known = list(layers)
    total = sum(mean for _, mean in known)
    entries: list[Mapping[str, Any]] = [{"count": runs}]
    for name, mean in known:
        share = 100.0 * mean / total if total else 0.0
        entries.append({"name": name, "timeMs": mean * runs, "averageMs": mean, "percentage": share})
    return _listed(entries)


def layers_json(record: EngineRecord, facts: Sequence[LayerFacts] = (), *, dialect: str = "10") -> str:
    """`--exportLayerInfo` in the words of a release, out of an engine's record; `facts` stand in its order."""
    known = [*facts, *(LayerFacts(name=layer.name) for layer in record.layers[len(facts) :])]
    layers = [_layer(layer, fact, dialect) for layer, fact in zip(record.layers, known, strict=False)]
    whole: dict[str, Any] = {"Layers": layers}
    if dialect == "11":
        whole["I/O Tensors"] = [_tensor(tensor, dialect) for tensor in record.io_tensors]
    else:
        whole["Bindings"] = [tensor.name for tensor in record.io_tensors]
    return json.dumps(whole, indent=1)


def _layer(layer: EngineLayer, fact: LayerFacts, dialect: str) -> dict[str, Any]:
    named = () if layer.sources_inferred else layer.source_names
    entry: dict[str, Any] = {
        "Name": layer.name,
        "LayerType": layer.kind,
        "Inputs": [_tensor(tensor, dialect) for tensor in layer.inputs],
        "Outputs": [_tensor(tensor, dialect) for tensor in layer.outputs],
    }
    weights = {tensor.name: tensor for tensor in layer.constants if tensor.name in ("weights", "bias")}
    for name, tensor in weights.items():
        entry[name.capitalize()] = {"Type": _DATATYPES.get(tensor.dtype, tensor.dtype), "Count": tensor.shape[0]}
    if len(weights) < len(layer.constants):
        entry["Constants"] = [_tensor(tensor, dialect) for tensor in layer.constants]
    if "weights" in weights and layer.outputs and len(layer.outputs[0].shape) > 1 and fact.macs:
        entry["OutMaps"] = layer.outputs[0].shape[1]
    if fact.has_dynamic_bias:
        entry["HasDynamicBias"] = 1
    if fact.origin:
        entry["Origin"] = fact.origin
    if layer.kernel and not layer.kernel.startswith("0x"):
        entry["TacticName"] = layer.kernel
    value = fact.tactic if fact.tactic.startswith("0x") else layer.kernel if layer.kernel.startswith("0x") else ""
    entry |= {"TacticValue": value} if value else {}
    entry |= {"StreamId": layer.stream, "Metadata": "\x1e".join(f"[ONNX Layer: {name}]" for name in named)}
    return entry


def _tensor(tensor: EngineTensor, dialect: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"Name": tensor.name, "Dimensions": list(tensor.shape)}
    if dialect == "11":
        return entry | {"Format": tensor.format, "Datatype": _DATATYPES.get(tensor.dtype, tensor.dtype)}
    word = _WORDS.get(tensor.dtype, tensor.dtype.upper())
    phrase = tensor.format if not word or word.lower() in tensor.format.lower() else f"{tensor.format} {word}".strip()
    return entry | {"Location": "Device", "Format/Datatype": phrase}


def _listed(entries: Sequence[Mapping[str, Any]]) -> str:
    return "[\n" + ",\n".join(json.dumps(entry) for entry in entries) + "\n]\n"
