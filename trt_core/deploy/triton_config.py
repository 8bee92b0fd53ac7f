"""`config.pbtxt`: Triton's model configuration in protobuf text format, from an engine's own inputs and profiles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from trt_core.deploy.batching import chosen_batch, preferred_sizes, served_dims, served_shape
from trt_core.deploy.order import Order
from trt_core.domain.tensors import TensorSpec
from trt_core.errors import InvalidInput

_TYPES = {
    "float32": "TYPE_FP32",
    "float16": "TYPE_FP16",
    "bfloat16": "TYPE_BF16",
    "float64": "TYPE_FP64",
    "int8": "TYPE_INT8",
    "uint8": "TYPE_UINT8",
    "int16": "TYPE_INT16",
    "int32": "TYPE_INT32",
    "int64": "TYPE_INT64",
    "bool": "TYPE_BOOL",
}
Lines = list[str]


def model_config(order: Order) -> str:
    """The configuration; InvalidInput for a batch that the engine has not, or a dtype that Triton does not serve."""
    batch = chosen_batch(order.passport, order.wish.max_batch)
    lines = [
        f"name: {quoted(order.name)}",
        'platform: "tensorrt_plan"',
        f"max_batch_size: {batch}",
        "version_policy { latest { num_versions: 1 } }",
    ]
    for field, specs in (("input", order.passport.inputs), ("output", order.passport.outputs)):
        for spec in specs:
            lines += _tensor(field, spec, order, batched=batch > 0)
    lines += _instances(order)
    if batch > 1:
        sizes = preferred_sizes(order.passport, batch, order.sweep)
        lines.append("dynamic_batching {")
        lines += [f"  preferred_batch_size: [ {', '.join(map(str, sizes))} ]"] if sizes else []
        lines += [f"  max_queue_delay_microseconds: {order.wish.queue_delay_us}", "}"]
    for size in sorted({1, batch} - {0}) if batch else [0]:
        lines += _warmup(order, size)
    return "\n".join(lines) + "\n"


def triton_type(spec: TensorSpec, tensorrt: str) -> str:
    """Triton's name of a dtype. TensorRT before 10 has no 64-bit integers: its engines take and give 32-bit ones."""
    dtype = "int32" if spec.dtype == "int64" and tensorrt.startswith("8.") else spec.dtype
    if dtype not in _TYPES:
        raise InvalidInput(
            f"{spec.name!r} is {spec.dtype}, which Triton does not serve.",
            remedy="Cast it to float32, float16 or an integer inside the model.",
        )
    return _TYPES[dtype]


def _tensor(field: str, spec: TensorSpec, order: Order, *, batched: bool) -> Lines:
    dims = served_dims(spec, batched=batched)
    lines = [
        f"{field} {{",
        f"  name: {quoted(spec.name)}",
        f"  data_type: {triton_type(spec, order.served_by)}",
        f"  dims: [ {', '.join(map(str, dims or (1,)))} ]",
    ]
    if not dims:
        # Triton has no empty dims: one element, reshaped to none.
        lines.append("  reshape { shape: [ ] }")
    if _is_vectorized(dict(order.passport.formats).get(spec.name, "")):
        lines.append("  is_non_linear_format_io: true")
    return [*lines, "}"]


def _is_vectorized(format_text: str) -> bool:
    return bool(format_text) and "linear" not in format_text.lower()


def _instances(order: Order) -> Lines:
    profiles = [quoted(str(number)) for number in range(len(order.passport.profiles))]
    lines = ["instance_group {", f"  count: {order.wish.instances}", "  kind: KIND_GPU"]
    if order.wish.gpus > 1:
        lines.append(f"  gpus: [ {', '.join(map(str, range(order.wish.gpus)))} ]")
    if len(profiles) > 1:
        lines.append(f"  profile: [ {', '.join(profiles)} ]")
    return [*lines, "}"]


def _warmup(order: Order, batch: int) -> Lines:
    lines = ["model_warmup {", f"  name: {quoted(f'batch {batch}' if batch else 'first request')}"]
    lines += [f"  batch_size: {batch}"] if batch else []
    for spec in order.passport.inputs:
        shape = served_shape(spec, order.passport, batched=batch > 0)
        # Random integers could be indices outside of a table.
        content = "random_data: true" if spec.is_floating else "zero_data: true"
        lines += [
            "  inputs {",
            f"    key: {quoted(spec.name)}",
            "    value {",
            f"      data_type: {triton_type(spec, order.served_by)}",
            f"      dims: [ {', '.join(map(str, shape or (1,)))} ]",
            f"      {content}",
            "    }",
            "  }",
        ]
    return [*lines, "}"]


def quoted(text: str) -> str:
    """A string of protobuf's text format: quotes, backslashes and control characters escaped, other text as UTF-8."""
    return '"' + "".join(_escaped(text)) + '"'


def _escaped(text: Sequence[str]) -> Iterable[str]:
    for char in text:
        if char in '\\"':
            yield f"\\{char}"
        elif ord(char) < 32 or ord(char) == 127:
            yield f"\\{ord(char):03o}"
        else:
            yield char
