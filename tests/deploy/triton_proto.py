"""Triton's own protobuf of a model configuration.

The module is loaded by its path: importing `tritonclient.grpc` would want grpcio and an older protobuf, and neither is
needed to parse a text.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from functools import cache

from google.protobuf import text_format


@cache
def _module():
    files = importlib.metadata.files("tritonclient") or []
    path = next(item for item in files if str(item) == "tritonclient/grpc/model_config_pb2.py").locate()
    spec = importlib.util.spec_from_file_location("model_config_pb2", str(path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def parsed(text: str | bytes):
    """The configuration as Triton reads it; a field that Triton does not know fails."""
    return text_format.Parse(text if isinstance(text, str) else text.decode(), _module().ModelConfig())


def type_name(value: int) -> str:
    return _module().DataType.Name(value)
