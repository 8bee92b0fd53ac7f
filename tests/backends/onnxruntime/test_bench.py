from __future__ import annotations

import gc
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.fake_nvml import FaultyDriver
from trt_core.backends.onnxruntime import runner
from trt_core.backends.onnxruntime.bench import conditions_of, measure
from trt_core.backends.onnxruntime.meter import OrtMeter
from trt_core.backends.onnxruntime.profile import profile_ops, read_profile
from trt_core.backends.onnxruntime.runner import CPU, CUDA, OrtRunner, OrtSession
from trt_core.domain.latency import LatencyRequest
from trt_core.errors import BackendError, DependencyMissing, GpuUnavailable, JobCancelled
from trt_core.testing import CollectingReporter

FEEDS = {"x": np.ones((2, 64), np.float32)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> g (float[n, 64] x) => (float[n, 64] y)'
        "{ a = Add(x, x) b = Softmax(a) y = Relu(b) }"
    )
    model.graph.node[0].name = "first"
    onnx.save(model, tmp_path / "m.onnx")
    return tmp_path / "m.onnx"


def timed(path: Path, reporter: CollectingReporter | None = None, **request):
    session = OrtRunner().load(path, threads=request.get("threads", 0))
    return measure(session, FEEDS, LatencyRequest(**request), reporter or CollectingReporter())


def conditions(path: Path, **request):
    session = OrtRunner().load(path, threads=request.get("threads", 0))
    return conditions_of(session, FEEDS, LatencyRequest(**request), backend="ort")


def test_every_sample_is_kept_apart_from_the_warm_up(path: Path) -> None:
    found = timed(path, warmup=7, iterations=40)
    assert len(found.warmup_ms) == 7
    assert len(found.samples_ms) == 40
    assert min(found.samples_ms) > 0
    assert sum(found.samples_ms) <= found.wall_s * 1e3


def test_a_run_goes_on_until_the_duration_has_passed_too(path: Path) -> None:
    found = timed(path, warmup=0, iterations=3, duration_s=0.3)
    assert found.wall_s >= 0.3
    assert len(found.samples_ms) > 3


def test_streams_share_the_iterations_and_run_at_once(path: Path) -> None:
    found = timed(path, warmup=2, iterations=50, streams=3)
    assert 50 <= len(found.samples_ms) <= 53
    known = conditions(path, streams=3)
    assert known.streams == 3
    assert "3 threads" in known.method


def test_conditions_say_what_the_figures_hold_for(path: Path) -> None:
    known = conditions(path, warmup=1, iterations=2, threads=1)
    assert known.backend == "ort"
    assert known.backend_version
    assert known.shapes == (("x", (2, 64)),)
    assert known.batch == 2
    assert known.threads == 1
    assert "1 thread" in known.device
    assert "no TensorRT latency" in known.method
    assert not known.includes_transfers


def test_a_provider_that_is_not_installed_is_refused_instead_of_replaced_by_the_processor(path: Path) -> None:
    runner = OrtRunner("cuda")
    with pytest.raises(DependencyMissing, match="no CUDA provider") as caught:
        runner.load(path)
    assert "onnxruntime-gpu" in caught.value.remedy
    with pytest.raises(DependencyMissing):
        OrtMeter(runner).check()
    OrtMeter(OrtRunner()).check()


def test_a_provider_that_does_not_load_is_no_gpu(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime falls back to the processor without a word where CUDA's libraries are missing."""
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    native = onnxruntime.InferenceSession
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *a, **k: native(a[0], a[1], providers=[CPU]))
    with pytest.raises(GpuUnavailable, match="did not load"):
        OrtRunner("cuda").load(path)


def test_cuda_is_loaded_out_of_python_packages_and_the_gpu_has_its_name(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import onnxruntime

    steps = []

    class OnGpu:
        def __init__(self, source, options, providers):
            steps.append("session")
            self.native = native(source, options, providers=[CPU])

        def get_providers(self):
            return [CUDA, CPU]

        def __getattr__(self, name):
            return getattr(self.native, name)

    def preload() -> None:
        steps.append("libraries")
        sys.stdout.write("Failed to load libcudnn")

    native = onnxruntime.InferenceSession
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(onnxruntime, "InferenceSession", OnGpu)
    monkeypatch.setattr(onnxruntime, "preload_dlls", preload)
    monkeypatch.setattr(runner, "first_gpu", lambda: "NVIDIA H200")
    assert OrtRunner("cuda").load(path).device == "NVIDIA H200"
    assert steps == ["libraries", "session"]
    printed = capsys.readouterr()
    assert "libcudnn" in printed.err
    assert not printed.out


def test_what_fails_between_samples_is_told_in_our_words(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU that runs out of memory at one point of a sweep must not end the sweep."""
    calls = []

    def bound(self, feeds, outputs=None, *, with_copies=False):
        def once() -> None:
            calls.append(1)
            if len(calls) > 5:
                raise RuntimeError("[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Available memory of 3 is smaller than")

        return once

    monkeypatch.setattr(OrtSession, "bound", bound)
    with pytest.raises(BackendError, match="failed in a run: Available memory"):
        timed(path, warmup=0, iterations=50, streams=2)


def test_on_a_gpu_no_time_of_the_hosts_passes_for_a_nodes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load = OrtRunner.load

    def on_gpu(self, *given, **known):
        session = load(OrtRunner(), *given, **known)
        session.on_gpu, session.bound = True, lambda feeds, with_copies: lambda: None
        return session

    driver = FaultyDriver(reasons=0x4)
    monkeypatch.setitem(sys.modules, "pynvml", driver)
    monkeypatch.setattr(OrtRunner, "load", on_gpu)
    found = OrtMeter(OrtRunner("cuda")).measure(
        path, FEEDS, LatencyRequest(iterations=5), reporter=CollectingReporter()
    )
    assert found.layers == ()
    assert [item.rule for item in found.findings] == ["no-node-times"]
    assert "TF32" in found.conditions.method
    assert {(sample.sm_mhz, sample.held_back_by) for sample in found.gpu} == {(1980, ("power limit",))}


def test_a_run_on_the_processor_asks_no_gpu_for_its_clocks(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", FaultyDriver())
    found = OrtMeter(OrtRunner()).measure(path, FEEDS, LatencyRequest(iterations=5), reporter=CollectingReporter())
    assert found.gpu == ()


def test_progress_is_told_at_most_five_times_a_second(path: Path) -> None:
    reporter = CollectingReporter()
    found = timed(path, reporter, warmup=0, iterations=1, duration_s=0.7)
    assert 1 <= len(reporter.reported) <= 1 + found.wall_s * 5  # the first one may be due when the run begins
    assert all(0 <= progress.fraction <= 1 for progress in reporter.reported)


@pytest.mark.parametrize("streams", [1, 2])
def test_a_cancelled_run_stops(path: Path, streams: int) -> None:
    reporter = CollectingReporter(cancel_after=3)
    with pytest.raises(JobCancelled):
        timed(path, reporter, warmup=0, iterations=10_000_000, streams=streams)


def test_the_garbage_collector_is_back_after_a_run(path: Path) -> None:
    with pytest.raises(JobCancelled):
        timed(path, CollectingReporter(cancel_after=1), warmup=0, iterations=1)
    assert gc.isenabled()


def test_nodes_are_profiled_under_the_names_of_the_file(path: Path) -> None:
    profile = profile_ops(OrtRunner(), path, FEEDS, CollectingReporter(), runs=5)
    assert [(name, op) for name, op, _ in profile.layers] == [
        ("first", "Add"),
        ("node_of_b", "Softmax"),
        ("node_of_y", "Relu"),
    ]
    assert profile.runs == 5
    assert 0 < sum(mean for _, _, mean in profile.layers) <= profile.run_ms


def test_profiles_count_only_what_came_after_the_skipped_runs() -> None:
    def run(start: int, node_us: int) -> list[dict]:
        return [
            {"cat": "Session", "name": "model_run", "ts": start, "dur": 100},
            {
                "cat": "Node",
                "name": "conv1_nchwc_kernel_time",
                "ts": start + 1,
                "dur": node_us,
                "args": {"op_name": "Conv"},
            },
        ]

    profile = read_profile([*run(0, 90), *run(200, 10), *run(400, 30)], skip=1, known={"conv1"})
    assert profile.layers == (("conv1", "Conv", 0.02),)
    assert profile.run_ms == 0.1
    assert profile.runs == 2


def test_names_that_a_transformation_added_to_are_traced_back() -> None:
    event = {"cat": "Node", "ts": 1, "dur": 1000, "args": {"op_name": "FusedMatMul"}}
    events = [
        {"cat": "Session", "name": "model_run", "ts": 0, "dur": 1000},
        {**event, "name": "block/scores/MatMulScaleFusion/_kernel_time"},
        {**event, "name": "BiasGelu_7_kernel_time"},
    ]
    profile = read_profile(events, skip=0, known={"block/scores", "block"})
    assert [name for name, _, _ in profile.layers] == ["block/scores", "BiasGelu_7"]
