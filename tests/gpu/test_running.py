from __future__ import annotations

import gc
import subprocess
import sys
import time

import numpy as np
import pytest

from tests import models
from tests.gpu.conftest import reference, relative_error
from tests.gpu.networks import finding_nonzero, residual_network
from trt_core.domain.latency import LatencyRequest
from trt_core.errors import BackendError, InvalidData, InvalidProfile, UnreadableModel, UnsupportedRequest
from trt_core.testing import CollectingReporter

pytestmark = pytest.mark.gpu
SHAPES = "x=1x3x32x32:8x3x32x32:8x3x32x32"
WIDER = "x=9x3x32x32:16x3x32x32:32x3x32x32"


def images(batch: int) -> dict[str, np.ndarray]:
    return {"x": np.random.default_rng(batch).standard_normal((batch, 3, 32, 32), dtype=np.float32)}


def test_every_profile_is_used_and_shapes_outside_are_refused_before_the_gpu_sees_them(workshop):
    path = workshop.saved(residual_network())
    session = workshop.session(workshop.built(path, SHAPES, more=[(WIDER,)]))
    for batch in (1, 8, 16, 3, 32):
        assert relative_error(session.run(images(batch))[0], reference(path, images(batch))[0]) < 1e-4
    with pytest.raises(
        InvalidProfile, match=r"profile 0 takes 'x' from \(1, 3, 32, 32\) to \(8, 3, 32, 32\).*profile 1"
    ):
        session.run(images(64))
    with pytest.raises(InvalidData, match="float16; the engine wants float32"):
        session.run({"x": images(1)["x"].astype(np.float16)})
    with pytest.raises(InvalidData, match="Input 'x' is missing"):
        session.run({})
    assert session.run(images(2))[0].shape == (2, 10)


def test_an_output_whose_size_depends_on_the_data_grows(workshop):
    session = workshop.session(workshop.built(finding_nonzero()))
    for values in ([0, 1, 0, 2, 0, 3], [-1] * 6, [1] * 6, [0, 0, 0, 0, 5, 0]):
        x = np.asarray(values, np.float32)
        (found,) = session.run({"x": x})
        assert np.array_equal(found, np.stack(np.nonzero(x > 0)))


def test_sessions_of_one_engine_run_side_by_side(workshop):
    path = workshop.saved(residual_network())
    output = workshop.built(path, SHAPES)
    one, two = workshop.session(output), workshop.session(output)
    assert one.stream.number != two.stream.number
    assert np.array_equal(one.run(images(4))[0], two.run(images(4))[0])


def test_an_engine_of_another_version_or_kind_is_refused_before_it_is_loaded(workshop):
    from trt_core.backends.tensorrt.engines import engine_version, load_engine

    path = workshop.engine_file(workshop.built(models.mlp(), "x=1x8"))
    data = bytearray(path.read_bytes())
    assert engine_version(bytes(data[:28]))[:3] == (8, 6, 0)
    data[25] = 5
    path.write_bytes(data)
    with pytest.raises(UnsupportedRequest, match=r"built by TensorRT 8\.5\.0; this is 8\.6\.0"):
        load_engine(path)
    path.write_bytes(b"vtrt" + data[4:])
    with pytest.raises(UnreadableModel, match="an engine of TensorRT-RTX"):
        load_engine(path)


@pytest.mark.parametrize("share", [0.001, 0.5, 0.99])
def test_a_truncated_engine_is_an_error_and_no_crash(workshop, share):
    path = workshop.engine_file(workshop.built(residual_network(blocks=1), SHAPES))
    data = path.read_bytes()
    path.write_bytes(data[: max(40, int(len(data) * share))])
    code = (
        "import sys; from pathlib import Path; from trt_core.backends.tensorrt.engines import load_engine\n"
        "from trt_core.errors import TrtCoreError\n"
        "try:\n    load_engine(Path(sys.argv[1]))\nexcept TrtCoreError as error:\n    print('refused:', error)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "refused:" in done.stdout


def test_damaged_bytes_name_the_cause(workshop):
    from trt_core.backends.tensorrt.engines import load_engine

    path = workshop.engine_file(workshop.built(models.mlp(), "x=1x8"))
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(BackendError) as failure:
        load_engine(path)
    assert "damaged or incomplete" in str(failure.value), failure.value.details


def bare_loop(session, runs: int) -> tuple[float, float]:
    """Median GPU time and median enqueue time in ms: events around the enqueue, and nothing of ours."""
    from cuda.bindings import runtime as cuda

    stream = session.stream.handle
    start, end = cuda.cudaEventCreate()[1], cuda.cudaEventCreate()[1]
    gpu, host = [], []
    for _ in range(runs):
        cuda.cudaEventRecord(start, stream)
        began = time.perf_counter_ns()
        session.context.execute_async_v3(session.stream.number)
        host.append((time.perf_counter_ns() - began) / 1e6)
        cuda.cudaEventRecord(end, stream)
        cuda.cudaEventSynchronize(end)
        gpu.append(cuda.cudaEventElapsedTime(start, end)[1])
    return float(np.median(gpu)), float(np.median(host))


def bare_graph(session, runs: int) -> float:
    """Median GPU time in ms of launches of a graph captured with CUDA's own calls."""
    from cuda.bindings import runtime as cuda

    stream = session.stream.handle
    cuda.cudaStreamSynchronize(stream)
    cuda.cudaStreamBeginCapture(stream, cuda.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal)
    session.context.execute_async_v3(session.stream.number)
    graph = cuda.cudaStreamEndCapture(stream)[1]
    executable = cuda.cudaGraphInstantiate(graph, 0)[1]
    start, end = cuda.cudaEventCreate()[1], cuda.cudaEventCreate()[1]
    gpu = []
    for _ in range(runs):
        cuda.cudaEventRecord(start, stream)
        cuda.cudaGraphLaunch(executable, stream)
        cuda.cudaEventRecord(end, stream)
        cuda.cudaEventSynchronize(end)
        gpu.append(cuda.cudaEventElapsedTime(start, end)[1])
    return float(np.median(gpu))


def test_our_times_are_those_of_a_bare_loop_over_the_same_context(workshop, figures):
    from trt_core.backends.tensorrt.timed_loop import time_inferences

    session = workshop.session(workshop.built(residual_network(blocks=8, channels=64), SHAPES, tf32=True))
    session.run(images(8))
    plain = LatencyRequest(warmup=100, iterations=2000)
    graph = LatencyRequest(warmup=100, iterations=2000, cuda_graph=True)
    ours = time_inferences([session], plain, CollectingReporter())
    bare_ms, bare_enqueue_ms = bare_loop(session, 2000)
    graphed = time_inferences([session], graph, CollectingReporter())
    bare_graph_ms = bare_graph(session, 2000)
    p50, enqueue, graph_p50 = (float(np.median(item)) for item in (ours.compute, ours.enqueue, graphed.compute))
    figures(
        f"p50 {p50:.4f} bare {bare_ms:.4f}; enqueue {enqueue:.4f} bare {bare_enqueue_ms:.4f}; "
        f"graph {graph_p50:.4f} bare {bare_graph_ms:.4f} ms"
    )
    assert graphed.used_graph
    assert p50 == pytest.approx(bare_ms, rel=0.03)
    assert enqueue == pytest.approx(bare_enqueue_ms, rel=0.10)
    assert graph_p50 == pytest.approx(bare_graph_ms, rel=0.03)


def test_a_measurement_has_samples_transfers_layers_and_the_gpu_beside_them(workshop):
    from trt_core.backends.tensorrt.meter import TrtMeter

    path = workshop.engine_file(workshop.built(residual_network(), SHAPES))
    request = LatencyRequest(iterations=300, duration_s=0.5)
    measured = TrtMeter().measure(path, images(8), request, reporter=CollectingReporter())
    assert len(measured.samples_ms) >= 300
    assert measured.wall_s >= 0.5
    assert 0 < measured.enqueue_ms < 5
    assert 0 < measured.h2d_ms < 5
    assert 0 < measured.d2h_ms < 5
    assert any("conv" in name for name, _, _ in measured.layers)
    assert any(kind == "CaskConvolution" for _, kind, _ in measured.layers)
    assert "layer-profile-overhead" in {item.rule for item in measured.findings}
    assert measured.conditions.device.endswith("(SM 9.0)")
    assert "GPU compute between CUDA events" in measured.conditions.method
    two = TrtMeter().measure(
        path, images(8), LatencyRequest(iterations=200, streams=2, profile_layers=False), reporter=CollectingReporter()
    )
    assert two.conditions.streams == 2
    assert not two.layers


def test_what_cannot_be_captured_is_enqueued_and_said(workshop):
    from trt_core.backends.tensorrt.meter import TrtMeter

    path = workshop.engine_file(workshop.built(finding_nonzero()))
    request = LatencyRequest(iterations=20, warmup=1, cuda_graph=True, profile_layers=False)
    x = {"x": np.ones(6, np.float32)}
    measured = TrtMeter().measure(path, x, request, reporter=CollectingReporter())
    assert not measured.conditions.cuda_graph
    assert "cuda-graph-refused" in {item.rule for item in measured.findings}


def test_gpu_memory_is_back_at_its_start_after_twenty_builds_and_runs(workshop, figures):
    from trt_core.backends.tensorrt.cuda import free_and_total_bytes
    from trt_core.backends.tensorrt.runner import TrtRunner

    path = workshop.saved(residual_network(blocks=1, channels=16))

    def once() -> None:
        output = workshop.built(path, SHAPES, level=0)
        session = TrtRunner().session(workshop.engine_file(output))
        session.run(images(8))
        session.close()
        del session, output
        gc.collect()

    once()  # the libraries load their kernels once
    once()
    before, _ = free_and_total_bytes()
    for _ in range(20):
        once()
    after, _ = free_and_total_bytes()
    figures(f"free before {before >> 20} MiB, after {after >> 20} MiB")
    assert before - after <= 2 << 20


def test_a_gpu_that_vanishes_is_an_error_with_a_next_step(workshop, monkeypatch):
    from trt_core.backends.tensorrt import cuda

    session = workshop.session(workshop.built(models.mlp(), "x=1x8"))
    feeds = {"x": np.ones((1, 8), np.float32)}
    session.run(feeds)

    class Gone:
        def __getattr__(self, name):
            real = getattr(cuda_runtime, name)
            if name != "cudaMemcpyAsync":
                return real
            return lambda *_: (cuda_runtime.cudaError_t.cudaErrorLaunchFailure,)

    cuda_runtime = cuda.runtime()
    monkeypatch.setattr(cuda, "runtime", Gone)
    with pytest.raises(BackendError, match="The GPU stopped answering") as failure:
        session.run(feeds)
    assert "Xid" in failure.value.remedy
    monkeypatch.undo()
    assert session.run(feeds)[0].shape == (1, 4)
