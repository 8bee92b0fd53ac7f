"""Every builder option on real TensorRT: taken and seen in the engine, or refused with the reason."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests import models
from tests.gpu.conftest import has_lean_runtime, reference, relative_error
from tests.gpu.networks import residual_network
from tests.gpu.test_building import SHAPES, calibration, images, wide_network
from trt_core.backends.tensorrt.engines import deserialized
from trt_core.domain.precision import KeepRule, Precision
from trt_core.errors import BuildFailed, DependencyMissing, InvalidProfile, NotFound, UnsupportedRequest
from trt_core.testing import CollectingReporter

pytestmark = pytest.mark.gpu


def small() -> onnx.ModelProto:
    return residual_network(blocks=1, channels=32)


def right(workshop, output, proto, *, tolerance=1e-2) -> bool:
    path = workshop.saved(proto)
    return relative_error(workshop.session(output).run(images())[0], reference(path, images())[0]) < tolerance


def two_of_four(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Of every four input channels of a convolution, the weights of two are zero."""
    for weight in proto.graph.initializer:
        if len(weight.dims) == 4 and weight.dims[1] % 4 == 0:
            values = numpy_helper.to_array(weight).copy()
            values[:, 2::4] = values[:, 3::4] = 0.0
            weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    return proto


def expanding() -> onnx.ModelProto:
    """x (1, 4), size (2,) -> relu(x) expanded to size -> y: its shape is what `size` holds."""
    return models.model(
        [
            helper.make_node("Relu", ["x"], ["r"], name="relu"),
            helper.make_node("Expand", ["r", "size"], ["wide"], name="expand"),
            helper.make_node("Neg", ["wide"], ["y"], name="neg"),
        ],
        [models.value("x", [1, 4]), models.value("size", [2], TensorProto.INT64)],
        [models.value("y", ["rows", 4])],
    )


def adding() -> onnx.ModelProto:
    """x (n, 4) + y (m, 4): they fit only where n is m, or one of them is 1."""
    return models.model(
        [helper.make_node("Add", ["x", "y"], ["z"], name="add")],
        [models.value("x", ["n", 4]), models.value("y", ["m", 4])],
        [models.value("z", ["k", 4])],
    )


def test_a_refittable_engine_says_so_and_computes_the_same(workshop):
    output = workshop.built(small(), SHAPES, refit=True)
    assert deserialized(output.engine, "refit").refittable
    assert not deserialized(workshop.built(small(), SHAPES).engine, "plain").refittable
    assert right(workshop, output, small())


def test_sparse_weights_are_seen_and_their_tactics_tried(workshop, figures):
    proto = two_of_four(residual_network(blocks=2, channels=128))
    output = workshop.built(proto, SHAPES, sparsity=True, tf32=True)
    said = [line for line in output.log.splitlines() if "(Sparsity)" in line]
    figures(" ".join(said)[:300])
    assert said, "the log says nothing of sparsity"
    assert "block0_conv1" in " ".join(said)
    assert right(workshop, output, proto)
    assert "(Sparsity)" not in workshop.built(proto, SHAPES, tf32=True).log


def test_a_version_compatible_engine_holds_its_runtime_or_says_that_there_is_none(workshop):
    plain = workshop.built(small(), SHAPES)
    if not has_lean_runtime():
        with pytest.raises(BuildFailed, match="needs the lean runtime, which is not installed"):
            workshop.built(small(), SHAPES, version_compatible=True)
        return
    output = workshop.built(small(), SHAPES, version_compatible=True)
    assert len(output.engine) > len(plain.engine) + (1 << 20), "the lean runtime is some megabytes"
    assert right(workshop, output, small())


def test_a_hardware_compatible_engine_says_for_which_gpus(workshop):
    output = workshop.built(small(), SHAPES, hardware_compatibility="ampere_plus")
    engine = deserialized(output.engine, "compatible")
    assert engine.hardware_compatibility_level.name == "AMPERE_PLUS"
    assert right(workshop, output, small())


def test_memory_pools_and_the_workspace_are_limited_as_asked(workshop):
    output = workshop.built(small(), SHAPES, workspace_mb=16, memory_pools_mb=(("tactic_dram", 512),))
    assert right(workshop, output, small())
    with pytest.raises(UnsupportedRequest, match=r"TensorRT refused DLA_MANAGED_SRAM of"):
        workshop.built(small(), SHAPES, memory_pools_mb=(("dla_managed_sram", 3),))


def test_tactic_sources_are_those_asked_for(workshop):
    output = workshop.built(small(), SHAPES, tactic_sources=("EDGE_MASK_CONVOLUTIONS",))
    assert "tactic-sources-off" not in {item.rule for item in output.findings}
    assert right(workshop, output, small())
    with pytest.raises(UnsupportedRequest, match=r"has no tactic source 'SORCERY'"):
        workshop.built(small(), SHAPES, tactic_sources=("SORCERY",))


def test_a_dla_core_is_refused_where_there_is_none(workshop):
    with pytest.raises(UnsupportedRequest, match=r"DLA"):
        workshop.built(small(), SHAPES, dla_core=0)


def test_a_plugin_library_that_is_not_there_or_none_is_refused_by_name(workshop, tmp_path):
    from trt_core.backends.tensorrt.compiler import TrtCompiler

    odd = tmp_path / "libodd.so"
    odd.write_bytes(b"no library")
    request = workshop.request(small(), SHAPES)
    with pytest.raises(NotFound, match=r"There is no plugin library .*libgone\.so"):
        TrtCompiler(plugins=[tmp_path / "libgone.so"]).build(request, reporter=CollectingReporter())
    with pytest.raises(DependencyMissing, match=r"does not load the plugin library libodd\.so"):
        TrtCompiler(plugins=[odd]).build(request, reporter=CollectingReporter())
    with pytest.raises(UnsupportedRequest, match=r"names no plugin library 'libother\.so'"):
        workshop.built(small(), SHAPES, plugins=("libother.so",))


def test_what_is_kept_stays_in_fp32_under_implicit_calibration(workshop):
    rule = KeepRule(node="block1_conv1", precision=Precision.FP32)
    output = workshop.built(
        wide_network(), SHAPES, calibration=calibration(data="kept"), implicit=True, keep=(rule,)
    )  # fmt: skip
    of = {name: layer.precision for layer in output.record.layers for name in layer.source_names}
    assert of["block1_conv1"] is Precision.FP32
    assert of["block0_conv1"] is Precision.INT8
    with pytest.raises(NotFound, match="No layer is named 'nowhere'"):
        workshop.built(wide_network(), SHAPES, keep=(KeepRule(node="nowhere", precision=Precision.FP32),))


def test_a_profile_that_no_engine_can_have_fails_with_a_cause(workshop):
    with pytest.raises((BuildFailed, InvalidProfile)) as failure:
        workshop.built(adding(), "x=1x4:4x4:8x4")
    assert failure.value.message == "Optimization profile 0 has no shapes for the dynamic input y."
    with pytest.raises((BuildFailed, InvalidProfile)) as failure:
        workshop.built(adding(), "x=2x4:3x4:4x4", "y=5x4:6x4:7x4")
    assert "no reason" not in failure.value.message
    with pytest.raises((BuildFailed, InvalidProfile), match=r"profile"):
        workshop.built(small(), "x=1x3:8x3:8x3")


def test_an_input_whose_values_are_a_shape_is_built_run_and_held_to_its_range(workshop, figures):
    session = workshop.session(workshop.built(expanding(), "size=[1x4]:[4x4]:[8x4]"))
    x = np.asarray([[-1, 0, 1, 2]], np.float32)
    for rows in (1, 4, 8, 2):
        (found,) = session.run({"x": x, "size": np.asarray([rows, 4])})
        assert np.array_equal(found, np.broadcast_to(-np.maximum(x, 0), (rows, 4)))
    figures(f"on the host: {sorted(session.border.host)}, {session.border.profiles}")
    assert session.border.host == {"size"}
    with pytest.raises(InvalidProfile, match=r"profile 0 takes 'size' from \(1,.*\) to \(8,.*\), not \(9,"):
        session.run({"x": x, "size": np.asarray([9, 4])})
    with pytest.raises(BuildFailed, match="computes shapes from the values of its input size"):
        workshop.built(expanding(), "x=1x4")
