from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.analysis import twins
from trt_core.analysis.divergence import Candidate, compare_runs
from trt_core.analysis.origins import origins, verdict
from trt_core.backends.onnxruntime.runner import OrtRunner
from trt_core.errors import InvalidData, InvalidInput, JobCancelled
from trt_core.onnx_graph.read import read_graph
from trt_core.testing import CollectingReporter

CHAIN = 6


def chain(depth: int = CHAIN, channels: int = 4) -> onnx.ModelProto:
    """`depth` pairs of Conv and Relu on [n, channels, 8, 8], seeded weights that keep the variance."""
    rng = np.random.default_rng(3)
    nodes, weights, source = [], [], "x"
    for number in range(depth):
        weight = rng.standard_normal((channels, channels, 3, 3)) * math.sqrt(2 / (9 * channels))
        weights.append(onnx.numpy_helper.from_array(weight.astype(np.float32), f"w{number}"))
        conv = onnx.helper.make_node("Conv", [source, f"w{number}"], [f"c{number}"], f"conv{number}", pads=[1, 1, 1, 1])
        nodes += [conv, onnx.helper.make_node("Relu", [f"c{number}"], [f"r{number}"], f"relu{number}")]
        source = f"r{number}"
    shape = ["n", channels, 8, 8]
    graph = onnx.helper.make_graph(
        nodes,
        "chain",
        [onnx.helper.make_tensor_value_info("x", 1, shape)],
        [onnx.helper.make_tensor_value_info(source, 1, shape)],
        weights,
    )
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture
def model() -> onnx.ModelProto:
    return chain()


def batches(count: int = 3, channels: int = 4, batch: int = 1):
    def again():
        rng = np.random.default_rng(5)
        for _ in range(count):
            yield {"x": rng.standard_normal((batch, channels, 8, 8)).astype(np.float32)}

    return again


def compare(model, folder: Path, made: dict[str, onnx.ModelProto], data=None, **options):
    baseline = twins.save(model, folder / "model.onnx")
    candidates = [
        Candidate(label=label, path=twins.save(twin, folder / f"{label}.onnx"), tensors=twins.tensors_of(twin, model))
        for label, twin in made.items()
    ]
    options = {"runner": OrtRunner(), "reporter": CollectingReporter(), **options}
    return compare_runs(read_graph(model), baseline, candidates, data or batches(), **options)


def test_every_layer_is_measured_in_file_order_in_every_precision(model, tmp_path: Path) -> None:
    found = compare(model, tmp_path, {"fp16": twins.fp16_twin(model), "int8": twins.int8_twin(model, {}, 0.06)})
    assert [layer.name for layer in found.layers] == [f"{op}{i}" for i in range(CHAIN) for op in ("conv", "relu")]
    assert [layer.tensor for layer in found.layers] == [f"{op}{i}" for i in range(CHAIN) for op in ("c", "r")]
    for layer in found.layers:
        assert [label for label, _ in layer.accumulated] == ["fp16", "int8"]
        assert 55 < layer.error("fp16").sqnr_db < 90
        assert 20 < layer.error("int8").sqnr_db < 50
    assert [output.name for output in found.outputs] == [f"r{CHAIN - 1}"]
    assert found.samples == 3
    assert found.not_compared == ()


def test_the_figures_are_those_of_the_concatenated_arrays(model, tmp_path: Path) -> None:
    twin = twins.fp16_twin(model)
    found = compare(model, tmp_path, {"fp16": twin})
    runner = OrtRunner()
    sessions = [
        runner.load(tmp_path / name, extra_outputs=["c2"], optimize=False) for name in ("model.onnx", "fp16.onnx")
    ]
    x, y = (
        np.concatenate([session.run(feeds, ["c2"])[0].ravel() for feeds in batches()()]).astype(np.float64)
        for session in sessions
    )
    error = found.layers[4].error("fp16")
    assert error.sqnr_db == pytest.approx(10 * math.log10((x @ x) / ((x - y) @ (x - y))), abs=1e-6)
    assert error.max_abs == pytest.approx(np.abs(x - y).max(), rel=1e-6)
    assert error.mean_abs == pytest.approx(np.abs(x - y).mean(), rel=1e-6)


def test_a_model_against_itself_has_no_error(model, tmp_path: Path) -> None:
    found = compare(model, tmp_path, {"same": model})
    assert {layer.error("same").sqnr_db for layer in found.layers} == {math.inf}


def test_tensors_that_a_twin_no_longer_has_are_left_out_and_named(model, tmp_path: Path) -> None:
    twin = twins.fp16_twin(model)
    baseline, path = twins.save(model, tmp_path / "m.onnx"), twins.save(twin, tmp_path / "t.onnx")
    shared = {name: name for name in twins.tensors_of(twin, model) if name != "c1"}
    found = compare_runs(
        read_graph(model),
        baseline,
        [Candidate(label="fp16", path=path, tensors=shared)],
        batches(),
        runner=OrtRunner(),
        reporter=CollectingReporter(),
    )
    assert "conv1" not in [layer.name for layer in found.layers]
    assert found.not_compared == (2,)


def test_only_as_many_samples_as_asked_for_are_read(model, tmp_path: Path) -> None:
    endless = batches(10**9)
    found = compare(model, tmp_path, {"fp16": twins.fp16_twin(model)}, endless, samples=5)
    assert found.samples == 5


def test_samples_in_batches_count_one_by_one(model, tmp_path: Path) -> None:
    found = compare(model, tmp_path, {"fp16": twins.fp16_twin(model)}, batches(10, batch=4), samples=8)
    assert found.samples == 8


def test_no_sample_is_refused(model, tmp_path: Path) -> None:
    with pytest.raises(InvalidData, match="no sample"):
        compare(model, tmp_path, {"fp16": twins.fp16_twin(model)}, batches(0))


def test_candidates_of_another_model_are_refused(model, tmp_path: Path) -> None:
    path = twins.save(model, tmp_path / "m.onnx")
    with pytest.raises(InvalidInput, match="share no tensor"):
        compare_runs(
            read_graph(model),
            path,
            [Candidate(label="fp16", path=path, tensors={"other": "other"})],
            batches(),
            runner=OrtRunner(),
            reporter=CollectingReporter(),
        )


def test_cancelling_stops_between_runs(model, tmp_path: Path) -> None:
    reporter = CollectingReporter(cancel_after=4)
    with pytest.raises(JobCancelled):
        compare(model, tmp_path, {"fp16": twins.fp16_twin(model)}, batches(10**9), samples=10**9, reporter=reporter)
    assert reporter.checks == 4


def test_progress_ends_at_the_whole(model, tmp_path: Path) -> None:
    reporter = CollectingReporter()
    compare(model, tmp_path, {"fp16": twins.fp16_twin(model)}, reporter=reporter, samples=3)
    assert reporter.reported[-1].fraction == 1.0
    assert reporter.reported[-1].steps == 3
    assert all(item.phase[0].isupper() and " " in item.phase for item in reporter.reported), "phases are read by people"


def test_histograms_have_common_edges_and_count_the_strided_sample(model, tmp_path: Path) -> None:
    made = {"fp16": twins.fp16_twin(model), "int8": twins.int8_twin(model, {}, 0.06)}
    found = compare(model, tmp_path, made, batches(6), histogram_samples=2)
    for layer in found.layers:
        assert [histogram.label for histogram in layer.histograms] == ["fp32", "fp16", "int8"]
        assert len({histogram.edges for histogram in layer.histograms}) == 1
        assert {sum(histogram.counts) for histogram in layer.histograms} == {2 * 4 * 8 * 8}


@pytest.mark.parametrize("guilty", range(CHAIN))
def test_a_corrupted_scale_is_found_first(model, tmp_path: Path, guilty: int) -> None:
    source = "x" if guilty == 0 else f"r{guilty - 1}"
    twin = twins.int8_twin(model, {source: 0.06 / 20}, default=0.06)
    found = compare(model, tmp_path, {"int8": twin})
    ranked = origins(read_graph(model), found.layers, "int8")
    assert ranked[0].name == f"conv{guilty}"
    assert f"at conv{guilty}" in verdict("int8", ranked)


def test_an_overflow_begins_where_the_first_infinity_is(tmp_path: Path) -> None:
    model = chain()
    scaled = onnx.numpy_helper.to_array(model.graph.initializer[2]) * np.float32(5e4)
    model.graph.initializer[2].CopyFrom(onnx.numpy_helper.from_array(scaled, "w2"))
    found = compare(model, tmp_path, {"fp16": twins.fp16_twin(model)})
    error = found.layers[4].error("fp16")
    assert error.inf > 0
    assert error.sqnr_db == -math.inf
    ranked = origins(read_graph(model), found.layers, "fp16")
    assert ranked[0].name == "conv2"
    assert verdict("fp16", ranked).startswith("FP16 is not finite from conv2 on")


def test_a_healthy_run_has_no_origin(model, tmp_path: Path) -> None:
    found = compare(model, tmp_path, {"fp16": twins.fp16_twin(model)})
    assert origins(read_graph(model), found.layers, "fp16") == ()


@pytest.mark.serial
def test_memory_does_not_grow_with_the_number_of_samples(tmp_path: Path) -> None:
    """A sample of this chain makes 26 MB of activations in each run: kept, they would show."""

    program = Path(__file__).with_name("divergence_memory.py")
    few, many = (
        int(subprocess.run([sys.executable, program, tmp_path, count], check=True, capture_output=True).stdout)
        for count in ("4", "32")
    )
    assert many < 1.1 * few


def test_baselines_run_once_a_sample_and_unoptimized(model, tmp_path: Path) -> None:
    class CountingRunner(OrtRunner):
        def __init__(self) -> None:
            super().__init__()
            self.loads = []

        def load(self, onnx_path, **options):
            self.loads.append((onnx_path.name, options["optimize"]))
            return super().load(onnx_path, **options)

    runner = CountingRunner()
    compare(model, tmp_path, {"a": twins.fp16_twin(model), "b": twins.fp16_twin(model)}, runner=runner)
    assert runner.loads == [("model.onnx", False), ("a.onnx", False), ("b.onnx", False)]
