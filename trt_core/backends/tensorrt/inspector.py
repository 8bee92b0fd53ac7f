"""The engine's record out of the inspector's JSON, in the dialects of TensorRT 8.6, 10 and 11.

Pure text: needs neither the library nor a GPU. Keys are read whatever their case; unknown keys and layers that cannot
be read are left out. The JSON may hold raw control characters (0x1E, 0x1F), which strict parsers refuse.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from trt_core.backends.layer_names import names_in, source_names
from trt_core.backends.layer_precision import precision_of_layer
from trt_core.backends.tensorrt.build_log import read_log
from trt_core.domain.engine import EngineLayer, EngineRecord, EngineTensor
from trt_core.errors import BackendError

# The words that name a dtype inside a sentence such as "Row major linear FP16 format".
_DTYPE = re.compile(
    r"\b(?P<dtype>FP32|FP16|BF16|FP8|FP4|INT8|INT4|INT32|INT64|UINT8|BOOL|Float|Half|BFloat16)\b", re.IGNORECASE
)
_SPELLED = {"fp32": "float", "fp16": "half", "bf16": "bfloat16"}


def engine_record_from_json(text: str, *, log: str = "") -> EngineRecord:
    """The record of an engine; `log` is the verbose log of its build, for passes, fusions and memory.

    BackendError for a text that is no JSON object. An engine that was built without details gives layers with names
    only.
    """
    try:
        whole = json.loads(text, strict=False)
    except ValueError as error:
        raise BackendError(
            f"The inspector's record is no JSON: {error}.", remedy="Build again with detailed profiling verbosity."
        ) from error
    if not isinstance(whole, dict):
        raise BackendError("The inspector's record is no JSON object.", remedy="Give the whole record.")
    fields = _lower(whole)
    listed = fields.get("layers")
    layers = [_layer(item, index) for index, item in enumerate(listed if isinstance(listed, list) else ())]
    said = read_log(log)
    layers = [layer if layer is None else _with_dtypes(layer, said.layers) for layer in layers]
    return EngineRecord(
        layers=tuple(layer for layer in layers if layer is not None),
        io_tensors=_border(fields, layers),
        passes=said.passes,
        fusions=said.fusions,
        activation_bytes=said.activation_bytes,
        weight_bytes=said.weight_bytes,
    )


def _with_dtypes(layer: EngineLayer, said: Sequence[EngineLayer]) -> EngineLayer:
    """The layer with dtypes out of the build's log where the inspector wrote none: 8.6, dynamic shapes."""
    tensors = (*layer.inputs, *layer.outputs)
    if all(tensor.dtype for tensor in tensors) or layer.index >= len(said):
        return layer
    told = said[layer.index]
    if told.name != layer.name:
        return layer
    dtypes = {tensor.name: tensor.dtype for tensor in (*told.inputs, *told.outputs)}
    inputs, outputs = (
        tuple(replace(tensor, dtype=tensor.dtype or dtypes.get(tensor.name, "")) for tensor in side)
        for side in (layer.inputs, layer.outputs)
    )
    precision = precision_of_layer(
        name=layer.name, kind=layer.kind, kernel=layer.kernel, inputs=inputs, outputs=outputs, constants=layer.constants
    )
    return replace(layer, inputs=inputs, outputs=outputs, precision=precision)


def _lower(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {str(key).lower(): value for key, value in fields.items()}


def _layer(item: object, index: int) -> EngineLayer | None:
    if isinstance(item, str):  # LAYER_NAMES_ONLY
        return EngineLayer(index=index, name=item, source_names=names_in(item), sources_inferred=True)
    if not isinstance(item, dict):
        return None
    fields = _lower(item)
    name, kind, kernel = (_text(fields, key) for key in ("name", "layertype", "tacticname"))
    inputs, outputs = _tensors(fields.get("inputs")), _tensors(fields.get("outputs"))
    constants = _tensors(fields.get("constants")) or _weights(fields)
    named = source_names(_text(fields, "metadata"))
    guessed = () if named or kind.lower() == "constant" else names_in(name)
    stream = fields.get("streamid")
    return EngineLayer(
        index=index,
        name=name,
        kind=kind,
        kernel=kernel or _text(fields, "tacticvalue"),
        precision=precision_of_layer(
            name=name, kind=kind, kernel=kernel, inputs=inputs, outputs=outputs, constants=constants
        ),
        source_names=named or guessed,
        sources_inferred=bool(guessed),
        stream=stream if isinstance(stream, int) else 0,
        inputs=inputs,
        outputs=outputs,
        constants=constants,
    )


def _text(fields: Mapping[str, Any], key: str) -> str:
    value = fields.get(key, "")
    return value if isinstance(value, str) else ""


def _tensors(listed: object) -> tuple[EngineTensor, ...]:
    found: Sequence[object] = listed if isinstance(listed, list) else ()
    return tuple(_tensor(_lower(item)) for item in found if isinstance(item, dict))


def _tensor(fields: Mapping[str, Any]) -> EngineTensor:
    both = _text(fields, "format/datatype")
    dtype = _text(fields, "datatype") or _dtype_in(both)
    dims = fields.get("dimensions")
    sizes = dims if isinstance(dims, list) else ()
    return EngineTensor(
        name=_text(fields, "name"),
        dtype=_SPELLED.get(dtype.lower(), dtype.lower()),
        shape=tuple(size for size in sizes if isinstance(size, int)),
        format=_text(fields, "format") or both,
    )


def _dtype_in(text: str) -> str:
    found = _DTYPE.search(text)
    return found["dtype"] if found else ""


def _weights(fields: Mapping[str, Any]) -> tuple[EngineTensor, ...]:
    """Weights and bias of a convolution: their dtype and count is all that 8.6 and 10 say."""
    found = []
    for key in ("weights", "bias"):
        value = fields.get(key)
        if isinstance(value, dict):
            inner = _lower(value)
            dtype, count = _text(inner, "type").lower(), inner.get("count")
            if dtype and isinstance(count, int) and count:
                found.append(EngineTensor(name=key, dtype=_SPELLED.get(dtype, dtype), shape=(count,)))
    return tuple(found)


def _border(fields: Mapping[str, Any], layers: Sequence[EngineLayer | None]) -> tuple[EngineTensor, ...]:
    """The engine's inputs and outputs: objects in TensorRT 11, names in 8.6 and 10, looked up at the layers."""
    described = _tensors(fields.get("i/o tensors"))
    if described:
        return described
    seen = {tensor.name: tensor for layer in layers if layer is not None for tensor in (*layer.outputs, *layer.inputs)}
    names = fields.get("bindings")
    listed = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    return tuple(seen.get(name, EngineTensor(name=name)) for name in listed)
