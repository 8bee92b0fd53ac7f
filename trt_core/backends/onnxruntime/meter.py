"""ONNX Runtime as a meter: every sample in one run, the time of each node in another."""

from __future__ import annotations

from pathlib import Path

from trt_core.backends.gpu_name import first_gpu_bus_id
from trt_core.backends.nvml import watched
from trt_core.backends.onnxruntime.bench import conditions_of, measure
from trt_core.backends.onnxruntime.profile import profile_ops
from trt_core.backends.onnxruntime.runner import OrtRunner
from trt_core.domain.findings import Finding, Severity
from trt_core.domain.jobs import Progress
from trt_core.domain.latency import GpuSample, LatencyRequest, Measured
from trt_core.protocols import Feeds, Reporter

_NO_NODES = Finding(
    rule="no-node-times",
    severity=Severity.NOTE,
    message="No node has a time: on a GPU, ONNX Runtime's profile says how long the host took to launch each one.",
    remedy="Measure on the processor, or a TensorRT engine, to see where the time goes.",
)


class OrtMeter:
    """Measures ONNX files in ONNX Runtime, on the runner's device."""

    def __init__(self, runner: OrtRunner) -> None:
        self._runner = runner
        self.name = "ort-cuda" if runner.device == "cuda" else "ort"

    def check(self) -> None:
        """DependencyMissing where ONNX Runtime, or its CUDA provider, is not installed."""
        self._runner.check()

    def measure(self, path: Path, feeds: Feeds, request: LatencyRequest, *, reporter: Reporter) -> Measured:
        """Load, warm up, keep every sample; then profile in a run of its own where the request wants layers.

        Not on a GPU: nodes end on the host before their kernels do, and the profile knows the host's times only.
        """
        reporter.progress(Progress(phase="Loading"))
        session = self._runner.load(path, threads=request.threads)
        conditions = conditions_of(session, feeds, request, backend=self.name)
        gpu: tuple[GpuSample, ...] = ()
        notes: tuple[Finding, ...] = ()
        if session.on_gpu:
            measurement, gpu, notes = watched(
                lambda: measure(session, feeds, request, reporter), bus_id=first_gpu_bus_id()
            )
        else:
            measurement = measure(session, feeds, request, reporter)
        layers: tuple[tuple[str, str, float], ...] = ()
        if request.profile_layers and not session.on_gpu:
            layers = profile_ops(self._runner, path, feeds, reporter, threads=request.threads).layers
        return Measured(
            samples_ms=measurement.samples_ms,
            warmup_ms=measurement.warmup_ms,
            wall_s=measurement.wall_s,
            conditions=conditions,
            layers=layers,
            gpu=gpu,
            findings=(_NO_NODES, *notes) if request.profile_layers and session.on_gpu else notes,
        )
