"""What every EngineObserver keeps to; TensorRT's own is asked the same on a GPU.

The model: `middle = Conv(x, w)`, `end = relu(middle)`, `y = Conv(end, w)`, x float32 [1, 4, 8, 8].
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from tests import models
from trt_core.backends.onnxruntime.runner import OrtRunner
from trt_core.domain.engine import BuilderOptions
from trt_core.domain.engine_divergence import Marking
from trt_core.errors import JobCancelled
from trt_core.observing import EngineObserver
from trt_core.protocols import CompileInput
from trt_core.testing import CollectingReporter, FakeObserver, FakeTensorRT

X = np.random.default_rng(0).standard_normal((1, 4, 8, 8), dtype=np.float32)


def convolutions():
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["middle"], name="first", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["middle"], ["end"], name="act"),
        helper.make_node("Conv", ["end", "w"], ["y"], name="second", pads=[1, 1, 1, 1]),
    ]
    shape = [1, 4, 8, 8]
    weights = [models.tensor("w", (4, 4, 3, 3))]
    return models.model(nodes, [models.value("x", shape)], [models.value("y", shape)], weights)


class ObserverContract:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return models.saved(convolutions(), tmp_path / "convolutions.onnx")

    @pytest.fixture
    def wish(self, path: Path) -> CompileInput:
        return CompileInput(onnx_path=path, target=None, profiles=(), options=BuilderOptions(optimization_level=1))

    @pytest.fixture
    def marked(self, observer: EngineObserver, wish: CompileInput):
        names = ["end", "middle", "nowhere"]
        return observer.build(wish, names, Marking.OUTPUTS, reporter=CollectingReporter())

    @pytest.fixture
    def session(self, observer: EngineObserver, marked, path: Path):
        engine = path.with_name("marked.engine")
        engine.write_bytes(marked.output.engine)
        session = observer.load(engine, tensors=marked.tensors)
        yield session
        session.close()

    def test_nothing_is_missing_and_outputs_can_always_be_marked(self, observer: EngineObserver) -> None:
        assert observer.why_not() == ""
        assert Marking.OUTPUTS in observer.markings()

    def test_tensors_are_marked_in_the_order_asked_for_and_unknown_ones_are_refused(self, marked) -> None:
        assert marked.tensors == ("end", "middle")
        assert marked.refused == (("nowhere", "the network has no such tensor"),)

    def test_a_marked_engine_hands_out_what_the_model_computes(self, session, path: Path) -> None:
        assert set(session.outputs) == {"y", "end", "middle"}
        wanted = OrtRunner().load(path, extra_outputs=["end", "middle"]).run({"x": X}, ["y", "end", "middle"])
        for found, exact in zip(session.run({"x": X}, ["y", "end", "middle"]), wanted, strict=True):
            np.testing.assert_allclose(found, exact, rtol=1e-3, atol=1e-3)

    @pytest.fixture
    def plain(self, observer: EngineObserver, wish: CompileInput):
        return observer.build(wish, [], Marking.OUTPUTS, reporter=CollectingReporter())

    def test_a_plain_engine_hands_out_its_outputs_only(self, observer, plain, path: Path) -> None:
        engine = path.with_name("plain.engine")
        engine.write_bytes(plain.output.engine)
        session = observer.load(engine)
        assert session.outputs == ("y",)
        session.close()

    def test_marking_what_lies_inside_a_fusion_splits_it(self, plain, marked) -> None:
        fused = {frozenset(layer.source_names) for layer in plain.output.record.working_layers}
        split = {frozenset(layer.source_names) for layer in marked.output.record.working_layers}
        assert {"first", "act"} in fused
        assert {"first", "act"} not in split

    def test_times_are_as_many_as_asked_for_and_positive(self, session) -> None:
        times = session.times_ms({"x": X}, 20)
        assert len(times) == 20
        assert min(times) > 0

    def test_layers_have_times_and_copies_are_among_them(self, session, marked) -> None:
        times = session.layer_times_ms({"x": X})
        assert min(times.values()) >= 0
        assert sum(times.values()) > 0
        layers = marked.output.record.working_layers
        copies = {layer.name for layer in layers if layer.name.startswith("Reformatting") and layer.kind != "NoOp"}
        assert copies <= set(times)

    def test_timing_leaves_the_values_as_they_are(self, session) -> None:
        before = [array.copy() for array in session.run({"x": X})]
        session.times_ms({"x": X}, 5)
        for first, second in zip(before, session.run({"x": X}), strict=True):
            np.testing.assert_array_equal(first, second)

    def test_a_build_can_be_cancelled(self, observer, wish) -> None:
        with pytest.raises(JobCancelled):
            observer.build(wish, ["end"], Marking.OUTPUTS, reporter=CollectingReporter(cancel_after=1))


class TestFakeObserver(ObserverContract):
    @pytest.fixture
    def observer(self) -> FakeObserver:
        return FakeObserver(FakeTensorRT())
