"""Ask an engine what it is made of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from trt_core.backends.names import lookup
from trt_core.backends.tensorrt.bindings import border_of
from trt_core.backends.tensorrt.inspector import engine_record_from_json
from trt_core.backends.tensorrt.native import library
from trt_core.domain.engine import EngineRecord


def inspect_engine(engine: Any, *, log: str = "") -> EngineRecord:
    """The record of a loaded engine, shapes at the usual point of its first profile; `log` is that of its build."""
    text = engine_json(engine)
    record = engine_record_from_json(text, log=log)
    if record.activation_bytes is not None:
        return record
    return replace(record, activation_bytes=device_memory_bytes(engine))


def engine_json(engine: Any) -> str:
    """The inspector's own JSON."""
    trt = library()
    inspector = engine.create_engine_inspector()
    context = engine.create_execution_context()
    if context is not None:
        border = border_of(engine, context, trt)
        for name, (_, usual, _) in border.profiles[0].items() if border.profiles else ():
            context.set_input_shape(name, usual)
        for spec in border.outputs:
            context.get_tensor_shape(spec.name)  # makes the library work shapes out; until then it writes none
        inspector.execution_context = context  # without one, dynamic shapes are not written
    return str(inspector.get_engine_information(lookup(trt, "LayerInformationFormat.JSON")))


def device_memory_bytes(engine: Any) -> int:
    """The memory that one execution context needs."""
    newer = getattr(engine, "device_memory_size_v2", None)
    return int(engine.device_memory_size if newer is None else newer)
