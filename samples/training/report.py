"""The accuracy table of the samples, measured with ONNX Runtime on the CPU over `digits/test.npz`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

BATCH = 250
QUANTIZED = ("Conv", "Gemm", "MatMul")
# The readers of the rescaled LayerNorm outputs: what a triage has to find.
KEPT = {
    "digits_cnn": (),
    "digits_transformer": ("/encoder/layer0/ffn/up/MatMul", "/encoder/layer2/ffn/up/MatMul"),
}


def top1(model: onnx.ModelProto, images: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Share of `images` [N, 1, 16, 16] whose largest logit is the label, in percent."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    # Fusing Q/DQ pairs would let the CPU's integer kernels stand in for the arithmetic that is written down.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    right = 0
    for start in range(0, len(images), BATCH):
        logits = session.run(["logits"], {"image": images[start : start + BATCH]})[0]
        right += int((logits.argmax(axis=1) == labels[start : start + BATCH]).sum())
    return 100 * right / len(images)


def int8_model(path: Path, images: NDArray[np.float32], kept: tuple[str, ...] = ()) -> onnx.ModelProto:
    """Q/DQ INT8 by MinMax over `images`: per tensor for activations, per output channel for weights, symmetric."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Batches(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._left: Iterator[dict[str, Any]] = iter(
                [{"image": images[start : start + BATCH]} for start in range(0, len(images), BATCH)]
            )

        def get_next(self) -> dict[str, Any] | None:
            return next(self._left, None)

    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "int8.onnx"
        quantize_static(
            path,
            target,
            Batches(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(QUANTIZED),
            nodes_to_exclude=list(kept),
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            extra_options={"ActivationSymmetric": True, "WeightSymmetric": True, "QuantizeBias": False},
        )
        return onnx.load(target)


def fp16_model(model: onnx.ModelProto) -> onnx.ModelProto:
    """A simulated FP16 model: weights rounded to FP16, and every node's output passed through FP16."""
    model = onnx.shape_inference.infer_shapes(model)
    floats = {v.name for v in model.graph.value_info if v.type.tensor_type.elem_type == TensorProto.FLOAT}
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            rounded = numpy_helper.to_array(tensor).astype(np.float16).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(rounded, tensor.name))
    nodes = []
    for node in model.graph.node:
        nodes.append(node)
        output = node.output[0]
        if output in floats:
            node.output[0] = f"{output}_exact"
            nodes.append(helper.make_node("Cast", [node.output[0]], [f"{output}_half"], to=TensorProto.FLOAT16))
            nodes.append(helper.make_node("Cast", [f"{output}_half"], [output], to=TensorProto.FLOAT))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def macs(model: onnx.ModelProto) -> dict[str, int]:
    """Multiply-accumulates of each Conv, Gemm and MatMul at batch 1, by node name."""
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    fixed.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    fixed = onnx.shape_inference.infer_shapes(fixed)
    shapes = {
        v.name: [d.dim_value for d in v.type.tensor_type.shape.dim]
        for v in [*fixed.graph.value_info, *fixed.graph.input, *fixed.graph.output]
    }
    shapes |= {t.name: list(t.dims) for t in fixed.graph.initializer}
    counted = {}
    for node in fixed.graph.node:
        if node.op_type in QUANTIZED:
            read = shapes[node.input[0]][-1] if node.op_type != "Conv" else int(np.prod(shapes[node.input[1]][1:]))
            counted[node.name] = int(np.prod([max(d, 1) for d in shapes[node.output[0]]])) * read
    return counted


def report(folder: Path) -> str:
    """A Markdown table of top-1 accuracies: each sample in FP32, FP16 and INT8."""
    images = np.load(folder / "digits" / "test.npz")["image"]
    labels = np.load(folder / "digits" / "test_labels.npz")["labels"]
    calibration = np.load(folder / "digits" / "calibration.npz")["image"]
    lines = [
        "| sample | size (kB) | FP32 (%) | FP16, simulated (%) | INT8 (%) | INT8 with kept nodes (%) | kept nodes |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, kept in KEPT.items():
        path = folder / name / "model.onnx"
        model = onnx.load(path)
        cells = [f"{path.stat().st_size / 1000:.0f}", f"{top1(model, images, labels):.2f}"]
        cells.append(f"{top1(fp16_model(model), images, labels):.2f}")
        cells.append(f"{top1(int8_model(path, calibration), images, labels):.2f}")
        counted = macs(model)
        share = 100 * sum(counted[node] for node in kept) / sum(counted.values())
        cells.append(f"{top1(int8_model(path, calibration, kept), images, labels):.2f}" if kept else "–")
        cells.append(f"{len(kept)} ({share:.1f} % of the MACs)" if kept else "–")
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def print_report(folder: Path) -> None:
    print(report(folder))
