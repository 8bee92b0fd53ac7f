from __future__ import annotations

import numpy as np
import pytest

from tests import models
from tests.gpu.conftest import SAMPLES, reference, relative_error
from tests.gpu.networks import residual_network, unknown_op
from trt_core.domain.precision import CalibrationMethod, KeepRule, Precision, Recipe, TensorRange
from trt_core.errors import InvalidData, JobCancelled, ParseFailed, UnsupportedRequest
from trt_core.onnx_graph.load import load_model
from trt_core.onnx_graph.read import read_graph
from trt_core.protocols import CalibrationInput
from trt_core.store.npz import batches
from trt_core.testing import CollectingReporter

pytestmark = pytest.mark.gpu
SHAPES = "x=1x3x32x32:8x3x32x32:8x3x32x32"


def wide_network():
    """Wide enough for reduced precisions to be worth it: a weakly typed library takes what is fastest."""
    return residual_network(blocks=2, channels=128)


def images(batch: int = 8, seed: int = 0) -> dict[str, np.ndarray]:
    return {"x": np.random.default_rng(seed).standard_normal((batch, 3, 32, 32), dtype=np.float32)}


def calibration(method=CalibrationMethod.ENTROPY, *, samples=32, size=32, data="seeded", ranges=()) -> CalibrationInput:
    def stream(batch):
        stream.calls += 1
        for seed in range(samples // batch):
            yield {"x": np.random.default_rng(seed).standard_normal((batch, 3, size, size), dtype=np.float32)}

    stream.calls = 0
    return CalibrationInput(batches=stream, data_sha256=data, method=method, ranges=tuple(ranges))


def variant(workshop, proto, precision, *, rest=Precision.FP16, keep=()):
    from functools import partial

    from trt_core.backends.onnxruntime.runner import OrtRunner
    from trt_core.precision.calibrate import calibrate, tensors_to_calibrate
    from trt_core.precision.normalize import normalize
    from trt_core.precision.variant import make_variant

    recipe = Recipe(precision=precision, rest=rest, keep=tuple(keep))
    normalized = normalize(proto)
    ranges = ()
    if recipe.needs_data:
        path = workshop.saved(proto)
        found = calibrate(
            path, tensors_to_calibrate(normalized.model, recipe), partial(calibration().batches, 8),
            method=recipe.method, percentile=99.99, runner=OrtRunner(), reporter=CollectingReporter(),
        )  # fmt: skip
        ranges = found.ranges
    return make_variant(proto, recipe, ranges, normalized=normalized).model


def test_an_fp32_engine_computes_what_onnx_runtime_does(workshop):
    path = workshop.saved(wide_network())
    reporter = CollectingReporter()
    output = workshop.built(path, SHAPES, reporter=reporter)
    assert bytes(output.engine[:4]) == b"ftrt"
    assert set(output.record.precisions) <= {"fp32", "unknown"}
    assert output.record.precisions["fp32"] > 0.8 * len(output.record.working_layers)
    assert {tensor.name for tensor in output.record.io_tensors} == {"x", "y"}
    assert any("block0_conv1" in layer.source_names for layer in output.record.layers)
    assert output.record.passes
    assert any(step == "ConvReluFusion" for step, _, _ in output.record.fusions)
    assert [item.fraction for item in reporter.reported] == sorted(item.fraction for item in reporter.reported)
    assert "Timing tactics" in {item.phase for item in reporter.reported}
    assert relative_error(workshop.session(output).run(images())[0], reference(path, images())[0]) < 1e-4


def test_tf32_is_off_unless_asked_for(workshop):
    path = workshop.saved(wide_network())
    fast = workshop.built(path, SHAPES, tf32=True)
    exact = workshop.built(path, SHAPES)
    wanted = reference(path, images())[0]
    errors = [relative_error(workshop.session(output).run(images())[0], wanted) for output in (exact, fast)]
    assert errors[0] < 1e-5
    assert errors[0] < errors[1] < 1e-2
    assert "tf32" in fast.record.precisions


def test_an_fp16_variant_runs_in_fp16_and_keeps_what_was_to_be_kept(workshop):
    proto = wide_network()
    kept = KeepRule(node="block1_conv1", precision=Precision.FP32)
    plain = workshop.built(variant(workshop, proto, Precision.FP16), SHAPES)
    held = workshop.built(variant(workshop, proto, Precision.FP16, keep=[kept]), SHAPES)
    assert plain.record.precisions["fp16"] > 0.6 * len(plain.record.working_layers)
    of = {name: layer.precision for layer in held.record.layers for name in layer.source_names}
    assert of["block1_conv1"] is Precision.FP32
    assert of["block0_conv1"] is Precision.FP16
    wanted = reference(workshop.saved(proto), images())[0]
    assert relative_error(workshop.session(plain).run(images())[0], wanted) < 1e-2


@pytest.mark.parametrize("method", [CalibrationMethod.ENTROPY, CalibrationMethod.MINMAX])
def test_implicit_calibration_gives_ranges_and_int8_layers_and_is_used_again(workshop, method):
    path = workshop.saved(wide_network())
    asked = calibration(method, data=f"first {method.value}")
    output = workshop.built(path, SHAPES, calibration=asked, implicit=True)
    assert asked.batches.calls == 1
    assert output.record.precisions["int8"] >= 3
    assert {item.tensor for item in output.ranges} >= {"x", "b0", "b2"}
    assert output.calibration_cache.startswith("TRT-8")
    again = calibration(method, data=f"first {method.value}")
    second = workshop.built(path, SHAPES, calibration=again, implicit=True)
    assert again.batches.calls == 0
    assert second.ranges == output.ranges
    wanted = reference(path, images())[0]
    assert relative_error(workshop.session(output).run(images())[0], wanted) < 0.15


def test_ranges_of_our_own_replace_calibration(workshop):
    path = workshop.saved(wide_network())
    tensors = [name for spec in [read_graph(load_model(path))] for node in spec.nodes for name in node.outputs]
    ranges = [TensorRange(tensor=name, low=-6.35, high=6.35, scale=0.05) for name in ("x", *tensors)]
    asked = calibration(CalibrationMethod.PERCENTILE, data="own ranges", ranges=ranges)
    output = workshop.built(path, SHAPES, calibration=asked, implicit=True)
    assert asked.batches.calls == 0
    assert {round(item.scale, 6) for item in output.ranges} == {0.05}
    assert output.record.precisions["int8"] >= 3


def test_calibration_data_of_another_shape_are_refused_by_name(workshop):
    with pytest.raises(InvalidData, match=r"Input 'x' has the shape \(8, 3, 16, 16\)"):
        workshop.built(wide_network(), SHAPES, calibration=calibration(size=16, data="small"), implicit=True)


def test_calibration_data_that_fill_no_batch_are_refused(workshop):
    with pytest.raises(InvalidData, match="do not fill one batch of 8"):
        workshop.built(wide_network(), SHAPES, calibration=calibration(samples=4, data="few"), implicit=True)


def test_a_qdq_variant_runs_in_int8(workshop):
    proto = wide_network()
    output = workshop.built(variant(workshop, proto, Precision.INT8, rest=Precision.FP32), SHAPES, rest=Precision.FP16)
    assert output.record.precisions["int8"] > 0.6 * len(output.record.working_layers)
    wanted = reference(workshop.saved(proto), images())[0]
    assert relative_error(workshop.session(output).run(images())[0], wanted) < 0.15


@pytest.mark.parametrize("precision", [Precision.BF16, Precision.FP8])
def test_what_8_6_does_not_have_is_refused_with_the_reason(workshop, precision):
    proto = variant(workshop, wide_network(), precision)
    with pytest.raises(UnsupportedRequest, match=rf"TensorRT 8\.6\S* has no {precision.value.upper()}"):
        workshop.built(proto, SHAPES)


def test_a_transformer_is_one_opaque_layer_and_right(workshop, digits):
    path = SAMPLES / "digits_transformer" / "model.onnx"
    (spec,) = read_graph(load_model(path)).inputs
    first = next(batches(digits, batch=8))
    sizes = "x".join(map(str, first[spec.name].shape[1:]))
    output = workshop.built(path, f"{spec.name}=1x{sizes}:8x{sizes}:8x{sizes}")
    assert any("ForeignNode" in layer.name for layer in output.record.layers)
    assert relative_error(workshop.session(output).run(first)[0], reference(path, first)[0]) < 1e-4


def test_timings_are_kept_and_spare_the_next_build_the_timing(workshop):
    path = workshop.saved(residual_network(blocks=2, channels=24))
    notes = [
        next(item for item in workshop.built(path, SHAPES).findings if item.rule == "timing-cache") for _ in range(2)
    ]
    assert "needed no timing" in notes[0].message
    assert "(100%)" in notes[1].message
    assert "timings loaded" in notes[1].evidence


def test_an_op_without_importer_is_a_parse_error_with_a_next_step(workshop):
    with pytest.raises(ParseFailed, match="No importer and no plugin is known") as failure:
        workshop.built(unknown_op())
    assert "plugin" in failure.value.remedy


def test_the_parser_is_asked_about_every_node(workshop):
    path = workshop.saved(unknown_op())
    report = workshop.compiler().support(path, read_graph(load_model(path)), target=None, reporter=CollectingReporter())
    assert [node.supported for node in report.nodes] == [True, False]
    path = workshop.saved(models.mlp())
    report = workshop.compiler().support(path, read_graph(load_model(path)), target=None, reporter=CollectingReporter())
    assert all(node.supported for node in report.nodes)


def test_a_cancelled_build_ends_in_cancellation(workshop):
    with pytest.raises(JobCancelled):
        workshop.built(residual_network(blocks=2), SHAPES, reporter=CollectingReporter(cancel_after=5))
