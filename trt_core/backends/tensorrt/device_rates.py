"""What the GPU of this machine reaches at best: copies within its memory, and convolutions that TensorRT builds."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from trt_core.backends.tensorrt.build import build_engine
from trt_core.backends.tensorrt.cuda import DeviceBuffer, Event, Stream, call, elapsed_ms, free_and_total_bytes, runtime
from trt_core.backends.tensorrt.device import this_gpu
from trt_core.backends.tensorrt.engines import deserialized
from trt_core.backends.tensorrt.kept_files import KeptFiles
from trt_core.backends.tensorrt.layer_profile import RUNS, profile_layers
from trt_core.backends.tensorrt.native import library
from trt_core.backends.tensorrt.session import TrtSession
from trt_core.domain.device_rates import DeviceRates
from trt_core.domain.engine import BuilderOptions, EngineRecord
from trt_core.domain.jobs import Progress
from trt_core.domain.precision import Precision
from trt_core.errors import BackendError, UnsupportedRequest
from trt_core.protocols import Array, CompileInput, Reporter

if TYPE_CHECKING:
    import onnx

MATRIX = (Precision.FP32, Precision.TF32, Precision.FP16, Precision.INT8)
PRODUCTS = 4  # the outer ones also convert the border's precision, those between them need not
_BATCH, _CHANNELS, _SIDE = 16, 2048, 32
_COPY_BYTES = 1 << 30
_COPIES = 20
_STEP = 4.0 / 127  # of an activation's quantization: activations have unit variance
_PRODUCT = "product"
# What a driver puts around the word that tells one GPU from another.
_FAMILY = frozenset({"nvidia", "geforce", "rtx", "gtx", "quadro", "tesla"})


def measure_device(*, reporter: Reporter, kept: KeptFiles | None = None) -> DeviceRates:
    """The rates of the first GPU, taken now; it should have nothing else to do.

    Bandwidth is that of copies within its memory, bytes read and written. A matrix rate is the best of PRODUCTS 1x1
    convolutions in a row, each 137 billion operations, by TensorRT's own layer times; a precision that the library
    refuses, or in which no layer ran, is left out.
    """
    gpu = this_gpu()
    reporter.check()
    reporter.progress(Progress(phase="Copying", fraction=0.0))
    bandwidth, copied = copy_rate()
    found = []
    for number, precision in enumerate(MATRIX, start=1):
        reporter.check()
        reporter.progress(Progress(phase=f"Products in {precision.value}", fraction=number / (len(MATRIX) + 1)))
        rate = matrix_rate(precision, reporter=reporter, kept=kept)
        if rate is not None:
            found.append((precision, rate / 1e12))
    return DeviceRates(
        device=device_word(gpu.name),
        bandwidth_gb_s=bandwidth / 1e9,
        tera_ops=tuple(found),
        source=f"TensorRT {library().__version__} on {gpu.name}",
        conditions=(
            f"copies of {copied >> 20} MiB, median of {_COPIES}; 1x1 convolutions of {_BATCH}x{_CHANNELS}x{_SIDE}x"
            f"{_SIDE} to {_CHANNELS} channels, the fastest of {PRODUCTS} layers, mean of {RUNS} runs"
        ),
        is_measured=True,
    )


def device_word(name: str) -> str:
    """`H200` for `NVIDIA H200`, `A100 SXM4 80GB` for `NVIDIA A100-SXM4-80GB`, `4090` for `NVIDIA GeForce RTX 4090`."""
    words = [word for word in name.replace("-", " ").split() if word.lower() not in _FAMILY]
    return " ".join(words) or name


def copy_rate() -> tuple[float, int]:
    """Bytes a second of copies within the GPU's memory, each byte counted when read and when written; the copy's size.

    The size is 1 GiB, far beyond any cache, or an eighth of what is free.
    """
    size_bytes = min(_COPY_BYTES, free_and_total_bytes()[0] // 8)
    kind = runtime().cudaMemcpyKind.cudaMemcpyDeviceToDevice
    taken = []
    with (
        DeviceBuffer(size_bytes) as source,
        DeviceBuffer(size_bytes) as target,
        Stream() as stream,
        Event() as start,
        Event() as end,
    ):
        for _ in range(_COPIES + 3):
            start.record(stream)
            call("cudaMemcpyAsync", target.address, source.address, size_bytes, kind, stream.handle)
            end.record(stream)
            stream.synchronize()
            taken.append(elapsed_ms(start, end))
    return 2.0 * size_bytes / (float(np.median(taken[3:])) / 1000.0), size_bytes


def matrix_rate(precision: Precision, *, reporter: Reporter, kept: KeptFiles | None = None) -> float | None:
    """Operations a second of the fastest layer that ran in that precision; None where none did or none was built."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "products.onnx"
        path.write_bytes(products(precision).SerializeToString())
        request = CompileInput(
            onnx_path=path,
            target=None,
            profiles=(),
            options=BuilderOptions(tf32=precision is Precision.TF32),
            rest=Precision.FP16 if precision is Precision.INT8 else Precision.FP32,
        )
        try:
            output = build_engine(request, reporter=reporter, kept=kept)
        except (BackendError, UnsupportedRequest) as error:
            reporter.log(f"{precision.value}: {error}")
            return None
    session = TrtSession(deserialized(output.engine, path.name), device="", version=library().__version__)
    try:
        return best_rate(output.record, _layer_times(session, precision), precision)
    finally:
        session.close()


def _layer_times(session: TrtSession, precision: Precision) -> dict[str, float]:
    dtype = np.float16 if precision is Precision.FP16 else np.float32
    values = np.random.default_rng(0).standard_normal((_BATCH, _CHANNELS, _SIDE, _SIDE), dtype=np.float32)
    session.bind({"x": values.astype(dtype)})
    session.upload()
    for _ in range(RUNS):  # clocks rise, code is loaded
        session.enqueue()
    session.stream.synchronize()
    rows, _ = profile_layers(session, {}, median_ms=0.0)
    return {name: mean_ms for name, _, mean_ms in rows}


def best_rate(record: EngineRecord, times_ms: dict[str, float], precision: Precision) -> float | None:
    """Operations a second of the layer with most of them, by the products that an engine's record says it holds."""
    operations = 2.0 * _BATCH * _SIDE * _SIDE * _CHANNELS * _CHANNELS
    rates = []
    for layer in record.layers:
        held = {name for name in layer.source_names if name.startswith(_PRODUCT)}
        if held and layer.precision is precision and times_ms.get(layer.name):
            rates.append(len(held) * operations / (times_ms[layer.name] / 1000.0))
    return max(rates, default=None)


def products(precision: Precision) -> onnx.ModelProto:
    """The network: PRODUCTS 1x1 convolutions in a row, with seeded weights that keep unit variance."""
    from onnx import TensorProto, helper, numpy_helper

    half = precision is Precision.FP16
    weight = np.random.default_rng(1).standard_normal((_CHANNELS, _CHANNELS, 1, 1), dtype=np.float32)
    weight /= np.float32(np.sqrt(_CHANNELS))
    held: list[tuple[str, Array]] = [("weight", weight.astype(np.float16) if half else weight)]
    quantized = precision is Precision.INT8
    if quantized:
        held += [
            ("x_step", np.asarray(_STEP, np.float32)),
            ("weight_step", np.asarray(np.abs(weight).max() / 127, np.float32)),
            ("zero", np.asarray(0, np.int8)),
        ]
    shape, kind = (_BATCH, _CHANNELS, _SIDE, _SIDE), TensorProto.FLOAT16 if half else TensorProto.FLOAT
    graph = helper.make_graph(
        _nodes(quantized=quantized),
        "products",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(f"x{PRODUCTS}", kind, shape)],
        [numpy_helper.from_array(values, name) for name, values in held],
    )
    made: onnx.ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return made


def _nodes(*, quantized: bool) -> Sequence[onnx.NodeProto]:
    from onnx import helper

    def paired(tensor: str, step: str, name: str) -> tuple[str, list[onnx.NodeProto]]:
        """The tensor behind a Q/DQ pair."""
        return f"{name}_dq", [
            helper.make_node("QuantizeLinear", [tensor, step, "zero"], [f"{name}_q"], name=f"{name}_quantize"),
            helper.make_node(
                "DequantizeLinear", [f"{name}_q", step, "zero"], [f"{name}_dq"], name=f"{name}_dequantize"
            ),
        ]

    nodes = []
    for number in range(PRODUCTS):
        source, weight = f"x{number or ''}", "weight"
        if quantized:
            source, pair = paired(source, "x_step", f"input{number}")
            nodes += pair
            weight, pair = paired("weight", "weight_step", f"weight{number}")
            nodes += pair
        nodes.append(
            helper.make_node(
                "Conv", [source, weight], [f"x{number + 1}"], name=f"{_PRODUCT}{number}", kernel_shape=[1, 1]
            )
        )
    return nodes
