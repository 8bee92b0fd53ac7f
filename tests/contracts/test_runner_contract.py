"""What every Runner keeps to, asked of the fake and of ONNX Runtime alike.

The model: `middle = x + x`, `y = relu(middle)`, x float32 [n, 3].
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from trt_core.backends.onnxruntime.runner import OrtRunner
from trt_core.domain.tensors import TensorSpec
from trt_core.errors import InvalidData, NotFound
from trt_core.protocols import Runner
from trt_core.testing import FakeModel, FakeRunner

X = np.array([[-1.0, 0.0, 2.0]], np.float32)


def _doubled(feeds):
    middle = feeds["x"] + feeds["x"]
    return {"middle": middle, "y": np.maximum(middle, 0)}


class RunnerContract:
    def test_capabilities_say_that_it_runs_and_what_it_is(self, runner: Runner) -> None:
        capabilities = runner.capabilities()
        assert capabilities.can_run
        assert capabilities.backend == runner.name
        assert capabilities.version

    def test_a_session_knows_its_inputs_outputs_device_and_version(self, runner: Runner, path: Path) -> None:
        session = runner.load(path)
        assert session.inputs == (TensorSpec(name="x", dtype="float32", shape=("n", 3)),)
        assert session.outputs == ("y",)
        assert session.device
        assert session.version

    def test_running_gives_all_outputs_in_order(self, runner: Runner, path: Path) -> None:
        (y,) = runner.load(path).run({"x": X})
        np.testing.assert_array_equal(y, [[0.0, 0.0, 4.0]])

    def test_inner_tensors_come_after_the_models_own_outputs(self, runner: Runner, path: Path) -> None:
        session = runner.load(path, extra_outputs=["middle"], optimize=False)
        assert session.outputs == ("y", "middle")
        y, middle = session.run({"x": X})
        np.testing.assert_array_equal(middle, [[-2.0, 0.0, 4.0]])
        np.testing.assert_array_equal(y, [[0.0, 0.0, 4.0]])

    def test_an_output_that_is_asked_for_twice_appears_once(self, runner: Runner, path: Path) -> None:
        assert runner.load(path, extra_outputs=["y", "middle", "middle"]).outputs == ("y", "middle")

    def test_outputs_may_be_picked(self, runner: Runner, path: Path) -> None:
        (middle,) = runner.load(path, extra_outputs=["middle"]).run({"x": X}, ["middle"])
        np.testing.assert_array_equal(middle, [[-2.0, 0.0, 4.0]])

    def test_an_unknown_output_is_not_found(self, runner: Runner, path: Path) -> None:
        with pytest.raises(NotFound, match="nowhere"):
            runner.load(path).run({"x": X}, ["nowhere"])

    def test_an_unknown_inner_tensor_is_not_found(self, runner: Runner, path: Path) -> None:
        with pytest.raises(NotFound, match="nowhere"):
            runner.load(path, extra_outputs=["nowhere"])

    def test_a_missing_input_is_invalid_data(self, runner: Runner, path: Path) -> None:
        with pytest.raises(InvalidData, match="'x'"):
            runner.load(path).run({})

    def test_an_unknown_input_is_invalid_data(self, runner: Runner, path: Path) -> None:
        with pytest.raises(InvalidData, match="'z'"):
            runner.load(path).run({"x": X, "z": X})

    def test_a_wrong_dtype_is_invalid_data(self, runner: Runner, path: Path) -> None:
        with pytest.raises(InvalidData, match="float32"):
            runner.load(path).run({"x": X.astype(np.float64)})

    def test_a_file_that_is_not_there_is_not_found(self, runner: Runner, path: Path) -> None:
        with pytest.raises(NotFound, match=r"absent\.onnx"):
            runner.load(path.with_name("absent.onnx"))

    def test_arrays_outlive_the_next_run_and_the_session(self, runner: Runner, path: Path) -> None:
        session = runner.load(path)
        (first,) = session.run({"x": X})
        session.run({"x": X * 7})
        del session
        np.testing.assert_array_equal(first, [[0.0, 0.0, 4.0]])


class TestFakeRunner(RunnerContract):
    @pytest.fixture
    def runner(self) -> FakeRunner:
        spec = TensorSpec(name="x", dtype="float32", shape=("n", 3))
        model = FakeModel(inputs=(spec,), outputs=("y",), tensors=("x", "middle", "y"), compute=_doubled)
        return FakeRunner({"doubled.onnx": model})

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "doubled.onnx"


class TestOrtRunner(RunnerContract):
    @pytest.fixture
    def runner(self) -> OrtRunner:
        return OrtRunner()

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        model = onnx.parser.parse_model(
            '<ir_version: 8, opset_import: ["" : 17]> doubled (float[n, 3] x) => (float[n, 3] y)'
            "{ middle = Add(x, x) y = Relu(middle) }"
        )
        path = tmp_path / "doubled.onnx"
        onnx.save(model, path)
        return path
