"""Write a model to disk, with its weights beside it once one protobuf file cannot hold them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from trt_core.hashing import file_sha256

if TYPE_CHECKING:
    import onnx

_ONE_FILE_BYTES = 1_900_000_000  # a protobuf message ends at 2 GiB


def write_model(model: onnx.ModelProto, path: Path) -> dict[str, str]:
    """Write a model; sha256 of every file written, by file name."""
    import onnx

    if model.ByteSize() < _ONE_FILE_BYTES:
        content = model.SerializeToString()
        path.write_bytes(content)
        return {path.name: hashlib.sha256(content).hexdigest()}
    data = path.with_name(path.name + ".data")
    onnx.save_model(model, path, save_as_external_data=True, location=data.name, convert_attribute=False)
    return {item.name: file_sha256(item) for item in (path, data) if item.exists()}
