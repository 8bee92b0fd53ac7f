"""Latency of ONNX Runtime: every sample kept, nothing but the inference inside the timed part."""

from __future__ import annotations

import os

from trt_core.backends.host_clock import Clocked, clocked
from trt_core.backends.onnxruntime import gate
from trt_core.backends.onnxruntime.runner import OrtSession
from trt_core.domain.latency import LatencyConditions, LatencyRequest
from trt_core.protocols import Feeds, Reporter


def measure(session: OrtSession, feeds: Feeds, request: LatencyRequest, reporter: Reporter) -> Clocked:
    """Time inferences as `clocked` does, on inputs and outputs that are bound beforehand.

    On a GPU they are bound to its memory, unless the request wants the copies in every sample. Raises JobCancelled,
    InvalidData and BackendError.
    """
    calls = [session.bound(feeds, with_copies=request.transfers) for _ in range(request.streams)]
    with gate.running():
        return clocked(calls, request, reporter)


def conditions_of(session: OrtSession, feeds: Feeds, request: LatencyRequest, *, backend: str) -> LatencyConditions:
    """Under which conditions `measure` times that request."""
    shapes = tuple((spec.name, tuple(feeds[spec.name].shape)) for spec in session.inputs if spec.name in feeds)
    streams = "one stream" if request.streams == 1 else f"{request.streams} threads that run at once"
    bound = "inputs and outputs bound beforehand"
    if session.on_gpu:
        bound = "copied to the GPU and back in every sample" if request.transfers else f"{bound} in the GPU's memory"
        bound += ", FP32 products in TF32 where the GPU has it"  # the provider's default (use_tf32)
    return LatencyConditions(
        device=session.device,
        backend=backend,
        backend_version=session.version,
        method=(
            f"Host wall time of one ONNX Runtime inference on {session.device}, {bound}, {streams}, after "
            f"{request.warmup} warm-up runs that are kept apart. This is no TensorRT latency."
        ),
        shapes=shapes,
        batch=next((shape[0] for _, shape in shapes if shape), 1),
        threads=request.threads,
        warmup=request.warmup,
        streams=request.streams,
        includes_transfers=session.on_gpu and request.transfers,
        load_before=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    )
