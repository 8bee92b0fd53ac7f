"""Write a model to disk, with its weights beside it once one protobuf file cannot hold them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from trt_core.hashing import file_sha256, write_hashed

if TYPE_CHECKING:
    import onnx

_ONE_FILE_BYTES = 1_900_000_000  # a protobuf message ends at 2 GiB
_LARGEST_ELEMENT_BYTES = 8


def write_model(model: onnx.ModelProto, path: Path) -> dict[str, str]:
    """Write a model; sha256 of every file written, by file name."""
    import onnx

    # From the shapes, because ByteSize would serialize the whole model to count.
    elements = sum(math.prod(tensor.dims) for tensor in model.graph.initializer)
    if elements * _LARGEST_ELEMENT_BYTES < _ONE_FILE_BYTES or model.ByteSize() < _ONE_FILE_BYTES:
        return {path.name: write_hashed(path, model.SerializeToString())}
    data = path.with_name(path.name + ".data")
    onnx.save_model(model, path, save_as_external_data=True, location=data.name, convert_attribute=False)
    return {item.name: file_sha256(item) for item in (path, data) if item.exists()}
