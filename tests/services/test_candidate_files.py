"""A file in low precision that was made elsewhere, held against its model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from tests import models
from trt_core.domain.precision import Precision
from trt_core.domain.requests import DivergeSpec
from trt_core.errors import InvalidInput
from trt_core.settings import settings_from
from trt_core.testing import CollectingReporter
from trt_core.workbench import open_workbench

SAMPLES = Path(__file__).parents[2] / "samples"
GUILTY = "/encoder/layer1/attention/value/MatMul"


class Images(CalibrationDataReader):
    """Samples as ONNX Runtime's own quantizer reads them."""

    def __init__(self) -> None:
        self._images = iter(np.load(SAMPLES / "digits" / "calibration.npz")["image"][:32])

    def get_next(self):
        image = next(self._images, None)
        return None if image is None else {"image": image[None]}


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    """The transformer in INT8 as ONNX Runtime quantizes it: UINT8 activations, stored INT8 weights."""
    path = tmp_path_factory.mktemp("theirs") / "quantized.onnx"
    quantize_static(
        SAMPLES / "digits_transformer" / "model.onnx",
        path,
        Images(),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    return path


@pytest.fixture
def bench(tmp_path):
    return open_workbench(settings_from(workspace=tmp_path / "workspace"))


@pytest.fixture
def model(bench):
    return bench.library.add_file(SAMPLES / "digits_transformer" / "model.onnx", trusted=True)


@pytest.fixture
def data(bench, model):
    return bench.library.add_data(SAMPLES / "digits" / "test.npz", name="test.npz", model_id=model.id)


def corrupted(source: Path, target: Path, *, position: int) -> Path:
    """The file with one scale of the guilty node's inputs forty times as large."""
    made = onnx.load(source)
    node = next(node for node in made.graph.node if node.name == GUILTY)
    pair = next(item for item in made.graph.node if item.output[0] == node.input[position])
    scale = next(tensor for tensor in made.graph.initializer if tensor.name == pair.input[1])
    scale.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(scale) * np.float32(40.0), scale.name))
    onnx.save(made, target)
    return target


def compared(bench, model, data, path: Path, **wish):
    candidate = bench.library.add_file(path, trusted=True)
    assert candidate.id in [item.id for item in bench.divergence.files(model.id)]
    spec = DivergeSpec(
        model_id=model.id, candidate_id=candidate.id, data_id=data.id, samples=8, **{"mode": "both"} | wish
    )
    return bench.divergence.perform(spec, CollectingReporter())


def test_a_file_of_another_tool_is_compared_in_its_own_precision(bench, model, data, theirs):
    run = compared(bench, model, data, theirs)

    assert run.candidates == ("int8",)
    assert run.candidate_file == "quantized"
    assert {"scale-does-not-fit"} & {finding.rule for finding in run.findings} == set()
    errors = [layer.error("int8", isolated=True) for layer in run.layers]
    assert sum(error is not None for error in errors) > 60
    assert all(label == "int8" for layer in run.layers for label, _ in layer.isolated)
    assert bench.divergence.run(run.id) == run


@pytest.mark.parametrize("position", [0, 1], ids=["of the activation", "of stored weights"])
def test_a_corrupt_scale_is_blamed_first_and_named_with_the_one_that_fits(bench, model, data, theirs, position):
    path = bench.settings.workspace.parent / "corrupt.onnx"

    run = compared(bench, model, data, corrupted(theirs, path, position=position))

    begins = dict(run.origin)["int8"]
    # Query, key and value read one activation: a scale of it is the fault of all three.
    assert GUILTY in begins[:3] if position == 0 else begins[0] == GUILTY
    finding = next(item for item in run.findings if item.rule == "scale-does-not-fit" and item.nodes == (GUILTY,))
    assert "in the file" in finding.evidence
    layer = next(item for item in run.layers if item.name == GUILTY)
    assert dict(layer.avoidable_db)["int8"] > 10.0


def test_a_file_that_is_fp16_from_end_to_end_is_compared_on_the_models_samples(bench, model, data, tmp_path):
    made = onnx.load(SAMPLES / "digits_transformer" / "model.onnx")
    for value in (*made.graph.input, *made.graph.output):
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    del made.graph.value_info[:]
    for tensor in made.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name))
    onnx.save(made, tmp_path / "half.onnx")

    run = compared(bench, model, data, tmp_path / "half.onnx")

    assert run.candidates == ("fp16",)
    assert all(40.0 < output.errors[0][1].sqnr_db < 90.0 for output in run.outputs)


def test_a_model_that_gives_nan_is_told_of_and_compared_all_the_same(bench, tmp_path):
    exact = models.model(
        [helper.make_node("Log", ["x"], ["r"]), helper.make_node("Relu", ["r"], ["y"])],
        [models.value("x", ["N", 4])],
        [models.value("y", ["N", 4])],
    )
    onnx.save(exact, tmp_path / "exact.onnx")
    del exact.graph.node[1]
    for op, names, out in (("QuantizeLinear", "r", "q"), ("DequantizeLinear", "q", "d"), ("Relu", "d", "y")):
        inputs = [names] if op == "Relu" else [names, "s", "z"]
        exact.graph.node.append(helper.make_node(op, inputs, [out]))
    exact.graph.initializer.extend(
        [numpy_helper.from_array(np.float32(0.1), "s"), numpy_helper.from_array(np.int8(0), "z")]
    )
    onnx.save(exact, tmp_path / "lowered.onnx")
    np.savez(tmp_path / "x.npz", x=np.linspace(-1.0, 3.0, 32, dtype=np.float32).reshape(8, 4))
    model = bench.library.add_file(tmp_path / "exact.onnx", trusted=True)
    data = bench.library.add_data(tmp_path / "x.npz", name="x", model_id=model.id)

    run = compared(bench, model, data, tmp_path / "lowered.onnx")

    assert "baseline-gives-nan" in {finding.rule for finding in run.findings}


def test_cumulative_errors_alone_judge_no_scale(bench, model, data, theirs, tmp_path):
    path = corrupted(theirs, tmp_path / "corrupt.onnx", position=1)

    run = compared(bench, model, data, path, mode="cumulative")

    assert all(not layer.avoidable_db and not layer.isolated for layer in run.layers)


def test_files_that_are_no_version_of_the_model_are_refused(bench, model, data):
    cnn = bench.library.add_file(SAMPLES / "digits_cnn" / "model.onnx", trusted=True)
    assert bench.divergence.files(model.id) == []

    for candidate, said in ((model.id, "the model itself"), (cnn.id, "is in FP32")):
        with pytest.raises(InvalidInput, match=said):
            bench.divergence.perform(
                DivergeSpec(model_id=model.id, candidate_id=candidate, data_id=data.id), CollectingReporter()
            )


def test_a_file_and_precisions_are_two_runs():
    with pytest.raises(InvalidInput, match="two runs"):
        DivergeSpec(model_id="m-1", against=(Precision.FP16,), candidate_id="m-2")
