"""The one place where ONNX Runtime's exceptions become ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from trt_core.errors import BackendError, InvalidData, TrtCoreError, UnreadableModel, UnsupportedRequest

_LOADING: dict[str, tuple[type[TrtCoreError], str]] = {
    "InvalidProtobuf": (UnreadableModel, "The file is damaged or is no ONNX model: export it again."),
    "InvalidGraph": (UnreadableModel, "The graph breaks ONNX's rules: run onnx.checker on it and export it again."),
    "InvalidArgument": (UnreadableModel, "The graph breaks ONNX's rules: run onnx.checker on it and export it again."),
    "NoSuchFile": (UnreadableModel, "Give the path of a model that exists, with its external data beside it."),
    "NoModel": (UnreadableModel, "Give the path of a model that exists."),
    "NotImplemented": (
        UnsupportedRequest,
        "ONNX Runtime has no kernel for it: leave it to TensorRT, or replace the op.",
    ),
}
_RUNNING: dict[str, tuple[type[TrtCoreError], str]] = {
    "InvalidArgument": (InvalidData, "Give every input with the dtype and shape that the model declares."),
    "NotImplemented": (
        UnsupportedRequest,
        "ONNX Runtime has no kernel for it: leave it to TensorRT, or replace the op.",
    ),
}

_NO_SUCH_OP = "is not a registered function/op"
# Codes, and the path inside our own store: neither helps the reader of one line.
_PREFIX = re.compile(r"^(\[ONNXRuntimeError\] : \d+ : \w+ : )?(Load model from .*? failed:\s*)?")


@contextmanager
def loading(name: str) -> Iterator[None]:
    """Translate what ONNX Runtime raises while it loads the model `name`."""
    with _translated(f"ONNX Runtime cannot load {name}", _LOADING, "Read its words below; check the model."):
        yield


@contextmanager
def running() -> Iterator[None]:
    """Translate what ONNX Runtime raises while it runs a model."""
    with _translated("ONNX Runtime failed in a run", _RUNNING, "Read its words below; check the input's shapes."):
        yield


@contextmanager
def _translated(what: str, table: dict[str, tuple[type[TrtCoreError], str]], otherwise: str) -> Iterator[None]:
    try:
        yield
    except TrtCoreError:
        raise
    except MemoryError as error:
        raise BackendError(f"{what}: out of memory.", remedy="Take a smaller batch, or free memory.") from error
    except Exception as error:
        # ONNX Runtime's exceptions share no base of their own, so they are told apart by name.
        text = str(error).strip() or type(error).__name__
        key = "NotImplemented" if _NO_SUCH_OP in text else type(error).__name__
        kind, remedy = table.get(key, (BackendError, otherwise))
        first = _PREFIX.sub("", text.splitlines()[0])[:400].rstrip(".")
        raise kind(f"{what}: {first}.", remedy=remedy, details=text) from error
