"""Workspaces with engines to ship: real RTX plans cost a second, TensorRT's are a header that nobody deserializes."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import onnx

from tests import models
from trt_core.domain.artifacts import ArtifactKind, BuildRecord, ModelRecord
from trt_core.domain.codec import to_plain
from trt_core.domain.engine import BuilderOptions, BuildRequest, EngineRecord, EngineTensor, Sm
from trt_core.domain.precision import Precision, Recipe
from trt_core.domain.profiles import OptimizationProfile, range_from_text
from trt_core.domain.requests import QuantizeSpec
from trt_core.testing import CollectingReporter
from trt_core.workbench import Workbench

H100 = Sm(major=9, minor=0)
HOST = (("os", "linux x86_64"), ("gpu", "NVIDIA H100 PCIe"), ("driver", "560.35.05"), ("cuda", "12.6.3"))


def plan_bytes(version: str, body: bytes = b"not an engine") -> bytes:
    """The first 64 bytes as TensorRT writes them, and a body that no test may ever deserialize."""
    start = bytearray(64)
    start[:4] = b"ftrt"
    start[24:28] = bytes(int(part) for part in version.split("."))
    return bytes(start) + body


def profile(*texts: str) -> OptimizationProfile:
    return OptimizationProfile(ranges=tuple(range_from_text(text) for text in texts))


def add_model(bench: Workbench, model: onnx.ModelProto | None = None, name: str = "mlp") -> ModelRecord:
    content = (model or models.mlp()).SerializeToString()
    return bench.library.add_upload({f"{name}.onnx": io.BytesIO(content)})


def add_engine(
    bench: Workbench,
    model: ModelRecord,
    *,
    version: str = "10.7.0.23",
    sm: Sm | None = H100,
    profiles: tuple[OptimizationProfile, ...] = (),
    precision: Precision = Precision.FP16,
    options: BuilderOptions | None = None,
    host: tuple[tuple[str, str], ...] = HOST,
    formats: dict[str, str] | None = None,
    number: int = 1,
) -> BuildRecord:
    """A stored TensorRT build of the model."""
    variant = bench.variants.perform(
        QuantizeSpec(model_id=model.id, recipe=Recipe(precision=precision)), CollectingReporter()
    )
    plan = plan_bytes(version)
    record = BuildRecord(
        id=f"b-{number:012x}",
        model_id=model.id,
        created_at=1_700_000_000.0 + number,
        request=BuildRequest(
            variant_id=variant.id, backend="tensorrt", target=sm, profiles=profiles, options=options or BuilderOptions()
        ),
        recipe=variant.recipe,
        attempt=1,
        backend_version=version,
        target=str(sm or "this GPU"),
        seconds=1.0,
        engine_bytes=len(plan),
        engine_sha256=hashlib.sha256(plan).hexdigest(),
        layer_count=1,
        precisions={precision.value: 1},
        node_states={},
        host=host,
    )
    tensors = tuple(
        EngineTensor(name=spec.name, dtype="", format=(formats or {}).get(spec.name, ""))
        for spec in (*model.inputs, *model.outputs)
    )
    files: dict[str, Path | bytes | memoryview] = {
        "model.engine": plan,
        "record.json": json.dumps(to_plain(EngineRecord(layers=(), io_tensors=tensors))).encode(),
    }
    store = bench.builds._context.store
    store.put(ArtifactKind.BUILD, record.id, record, files, parents=(model.id, variant.id))
    return record
