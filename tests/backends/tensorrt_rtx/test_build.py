from __future__ import annotations

import gc
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests import models
from tests.backends.tensorrt_rtx.conftest import Listener
from trt_core.backends.networks import add_profile
from trt_core.backends.polygraphy_gate import polygraphy_exception
from trt_core.backends.proof import prove_by_build
from trt_core.backends.tensorrt_rtx.compiler import RtxCompiler
from trt_core.backends.tensorrt_rtx.native import library, logger
from trt_core.domain.engine import BuilderOptions, Sm
from trt_core.domain.precision import Precision
from trt_core.domain.profiles import OptimizationProfile, ShapeRange, profile_from_texts, range_from_text
from trt_core.domain.support import Evidence
from trt_core.errors import BuildFailed, InvalidProfile, JobCancelled, ParseFailed, StoreError, UnsupportedRequest
from trt_core.onnx_graph.load import load_model
from trt_core.onnx_graph.read import read_graph
from trt_core.protocols import CompileInput

pytest.importorskip("tensorrt_rtx_bindings", reason="TensorRT-RTX's wheels are not installed")


def request_for(path: Path, *ranges: str, target: Sm | None = None, **options) -> CompileInput:
    profile = OptimizationProfile(ranges=tuple(range_from_text(text) for text in ranges))
    return CompileInput(
        onnx_path=path, target=target, profiles=(profile,) if ranges else (), options=BuilderOptions(**options)
    )


def build(path: Path, *ranges: str, reporter=None, **options):
    return RtxCompiler().build(request_for(path, *ranges, **options), reporter=reporter or Listener())


def static(nodes, *, inputs, outputs, initializers=(), opset=17) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(initializers))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def test_a_small_network_becomes_an_engine_with_a_record(tmp_path, listener):
    path = models.saved(models.conv_block(), tmp_path / "conv.onnx")
    output = build(path, "image=1x3x8x8:2x3x8x8:4x3x8x8", reporter=listener)
    assert bytes(output.engine[:4]) == b"vtrt"
    assert output.backend_version.startswith("1.")
    assert {layer.precision for layer in output.record.working_layers if layer.outputs} == {Precision.FP32}
    assert output.record.io_tensors[0].name == "image"
    assert output.record.passes
    assert output.record.weight_bytes
    assert output.parse_seconds > 0
    assert output.build_seconds > 0
    assert not output.findings


def test_progress_names_the_library_s_phases_and_only_goes_forward(tmp_path, listener):
    path = models.saved(models.mlp(), tmp_path / "mlp.onnx")
    build(path, "x=1x8", reporter=listener)
    phases = {progress.phase for progress in listener.seen}
    assert any(phase.startswith("Building engine > ") for phase in phases)
    shares = [progress.fraction for progress in listener.seen]
    assert shares == sorted(shares)
    assert shares[-1] > 0.5


def test_the_engine_s_bytes_stay_valid_after_everything_else_is_gone(tmp_path):
    path = models.saved(models.mlp(), tmp_path / "mlp.onnx")
    engine = build(path, "x=1x8").engine
    before = bytes(engine)
    gc.collect()
    build(path, "x=2x8")
    gc.collect()
    assert bytes(engine) == before


def test_external_data_are_read_from_beside_the_file(tmp_path):
    path = models.saved_with_data(models.mlp(), tmp_path / "mlp.onnx")
    assert build(path, "x=1x8").engine.nbytes > 0


@pytest.mark.parametrize("checks", [0, 1, 2, 20])
def test_a_build_that_is_told_to_stop_raises_what_it_was_told(tmp_path, checks):
    path = models.saved(models.mlp(), tmp_path / "mlp.onnx")
    with pytest.raises(JobCancelled, match="You stopped it"):
        build(path, "x=1x8", reporter=Listener(checks))


def test_an_error_inside_the_progress_report_is_not_swallowed(tmp_path):
    class Broken(Listener):
        def progress(self, progress):
            if "Building engine" in progress.phase:
                raise StoreError("The workspace is gone.")

    path = models.saved(models.mlp(), tmp_path / "mlp.onnx")
    with pytest.raises(StoreError, match="The workspace is gone"):
        build(path, "x=1x8", reporter=Broken())


@pytest.mark.parametrize(
    ("ranges", "sentence"),
    [
        ((), "The model has dynamic inputs and no optimization profile was given."),
        (("x=1x9",), "Optimization profile 0 changes a dimension of x that is fixed in the model."),
        (("x=1x8x1",), "Optimization profile 0 gives x 3 dimensions; the model has 2."),
    ],
)
def test_a_profile_that_fails_late_is_explained(tmp_path, ranges, sentence):
    path = models.saved(models.mlp(), tmp_path / "mlp.onnx")
    with pytest.raises(BuildFailed) as failure:
        build(path, *ranges)
    assert failure.value.message == sentence
    assert failure.value.remedy
    assert "[ERROR]" in failure.value.details
    assert "catchCudaError" not in failure.value.details
    assert str(tmp_path) not in failure.value.details


def test_an_input_that_the_parser_refuses_is_named(tmp_path):
    ends = [models.value("words", [1], TensorProto.STRING)], [models.value("y", [1], TensorProto.STRING)]
    proto = static([helper.make_node("Identity", ["words"], ["y"])], inputs=ends[0], outputs=ends[1])
    with pytest.raises(ParseFailed, match=r"Input 'words': A tensor has a data type that the parser does not support"):
        build(models.saved(proto, tmp_path / "words.onnx"))


def test_a_node_with_wrong_shapes_is_named_in_the_parser_s_words(tmp_path, listener):
    with pytest.raises(ParseFailed, match=r"Node .* \(Reshape\): reshape changes volume") as failure:
        build(models.saved(wrong_reshape(), tmp_path / "r.onnx"), reporter=listener)
    assert "layer support" in failure.value.remedy
    assert "[ERROR]" in listener.logged  # the whole log of a failure is kept


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(ParseFailed, match=r"gone\.onnx|The model: "):
        build(tmp_path / "gone.onnx")


def wrong_reshape() -> onnx.ModelProto:
    shape = numpy_helper.from_array(np.array([3, 5], dtype=np.int64), "shape")
    node = helper.make_node("Reshape", ["x", "shape"], ["y"], name="bad")
    return static([node], inputs=[models.value("x", [1, 4])], outputs=[models.value("y", None)], initializers=[shape])


def suppression() -> onnx.ModelProto:
    nodes = [
        helper.make_node("NonMaxSuppression", ["b", "s", "most", "overlap", "least"], ["kept"], name="suppress"),
        helper.make_node("Cast", ["kept"], ["y"], name="cast", to=TensorProto.FLOAT),
    ]
    limits = [
        numpy_helper.from_array(np.array([5], dtype=np.int64), "most"),
        numpy_helper.from_array(np.array([0.5], dtype=np.float32), "overlap"),
        numpy_helper.from_array(np.array([0.1], dtype=np.float32), "least"),
    ]
    boxes = [models.value("b", [1, 10, 4]), models.value("s", [1, 2, 10])]
    return static(nodes, inputs=boxes, outputs=[models.value("y", [None, 3])], initializers=limits)


def test_an_op_that_the_parser_takes_and_the_compiler_does_not_is_refused_by_the_build(tmp_path):
    path = models.saved(suppression(), tmp_path / "nms.onnx")
    believed = RtxCompiler().support(path, read_graph(load_model(path)), target=None, reporter=Listener())
    assert believed.fully_supported
    with pytest.raises(BuildFailed, match=r"no implementation for suppress") as failure:
        build(path)
    known = prove_by_build(believed, failure.value)
    assert [(node.supported, node.evidence) for node in known.nodes] == [
        (False, Evidence.BUILD),
        (True, Evidence.PARSER),
    ]


def test_a_node_that_the_parser_refuses_is_named(tmp_path):
    nodes = [helper.make_node("Nowhere", ["x"], ["y"], name="lost", domain="custom")]
    proto = static(nodes, inputs=[models.value("x", [1])], outputs=[models.value("y", [1])])
    proto.opset_import.append(helper.make_opsetid("custom", 1))
    with pytest.raises(ParseFailed, match=r"Node lost \(Nowhere\): No importer and no plugin is known"):
        build(models.saved(proto, tmp_path / "custom.onnx"))


def test_an_input_whose_values_make_shapes_is_explained(tmp_path):
    node = helper.make_node("Reshape", ["x", "sizes"], ["y"], name="reshape")
    inputs = [models.value("x", [2, 6]), models.value("sizes", [2], TensorProto.INT64)]
    proto = static([node], inputs=inputs, outputs=[models.value("y", [None, None])])
    with pytest.raises(BuildFailed, match="from the values of its input sizes"):
        build(models.saved(proto, tmp_path / "shape.onnx"), "x=2x6")


def fp8_matmul() -> onnx.ModelProto:
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"], name="q"),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["d"], name="dq"),
        helper.make_node("MatMul", ["d", "w"], ["y"], name="mm"),
    ]
    weights = [
        numpy_helper.from_array(np.float32(0.1).reshape(()), "scale"),
        helper.make_tensor("zero", TensorProto.FLOAT8E4M3FN, [], [0.0]),
        numpy_helper.from_array(rng.standard_normal((64, 64), dtype=np.float32), "w"),
    ]
    ends = {"inputs": [models.value("x", [16, 64])], "outputs": [models.value("y", [16, 64])]}
    return static(nodes, **ends, initializers=weights, opset=19)


def test_a_target_without_the_data_type_is_said_and_a_newer_one_builds(tmp_path):
    path = models.saved(fp8_matmul(), tmp_path / "fp8.onnx")
    with pytest.raises(BuildFailed, match=r"The target sm86 does not have the data type fp8_e4m3"):
        build(path)
    assert build(path, target=Sm(major=8, minor=9)).engine.nbytes > 0


@pytest.mark.parametrize(
    ("target", "advice"),
    [(Sm(major=9, minor=0), "For H100 or H200 use TensorRT"), (Sm(major=10, minor=0), "For B200 use TensorRT")],
)
def test_a_data_centre_gpu_is_refused_with_what_to_use_instead(tmp_path, target, advice):
    path = models.saved(models.mlp(), tmp_path / "mlp.onnx")
    with pytest.raises(UnsupportedRequest, match="is not among TensorRT-RTX's targets") as refusal:
        build(path, "x=1x8", target=target)
    assert advice in refusal.value.remedy
    assert "SM 8.6" in refusal.value.remedy


def test_options_without_effect_are_findings(tmp_path):
    path = models.saved(models.mlp(), tmp_path / "mlp.onnx")
    output = build(path, "x=1x8", optimization_level=5, timing_cache="abc", tf32=True)
    assert [finding.rule for finding in output.findings] == [
        "rtx-optimization-level-ignored",
        "rtx-timing-cache-ignored",
        "rtx-tf32-not-visible",
    ]


@pytest.mark.parametrize(
    "options",
    [
        {"version_compatible": True},
        {"hardware_compatibility": "ampere_plus"},
        {"calibration": "implicit"},
        {"sparsity": True},
        {"refit": True},
        {"memory_pools_mb": (("tactic_dram", 512),)},
        {"tactic_sources": ("JIT_CONVOLUTIONS",)},
        {"dla_core": 0},
        {"plugins": ("libfish.so",)},
    ],
)
def test_options_that_would_change_the_engine_and_cannot_are_refused(tmp_path, options):
    path = models.saved(models.mlp(), tmp_path / "mlp.onnx")
    with pytest.raises(UnsupportedRequest):
        build(path, "x=1x8", **options)


def test_a_workspace_that_is_too_small_is_the_cause(tmp_path):
    rng = np.random.default_rng(0)
    weights = [numpy_helper.from_array(rng.standard_normal((8, 3, 3, 3), dtype=np.float32), "w")]
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"], name="conv"), helper.make_node("Relu", ["c"], ["y"], name="r")]
    size = [256, 3, 64, 64]
    proto = static(nodes, inputs=[models.value("x", size)], outputs=[models.value("y", None)], initializers=weights)
    path = models.saved(proto, tmp_path / "conv.onnx")
    with pytest.raises(BuildFailed, match="No implementation fits into the workspace limit"):
        build(path, workspace_mb=1)


def test_nothing_of_the_library_reaches_standard_output(tmp_path):
    path = models.saved(fp8_matmul(), tmp_path / "fp8.onnx")
    code = (
        "import sys, os; from pathlib import Path\n"
        "from tests.backends.tensorrt_rtx.test_build import build, BuildFailed\n"
        "try: build(Path(sys.argv[1]))\n"
        "except BuildFailed: pass\n"
        "os.write(1, b'only this')"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, check=True)
    assert done.stdout == b"only this"


def added(*names: str) -> onnx.ModelProto:
    """The sum of two inputs of any first dimension."""
    ends = [models.value(name, ["n", 8]) for name in names], [models.value("sum", ["n", 8])]
    return static([helper.make_node("Add", [*names], ["sum"], name="add")], inputs=ends[0], outputs=ends[1])


def test_an_input_that_a_profile_leaves_out_is_not_given_a_shape_of_somebody_s_choice(tmp_path):
    path = models.saved(added("x", "y"), tmp_path / "sum.onnx")
    with pytest.raises(BuildFailed, match=r"^Optimization profile 0 has no shapes for the dynamic input y\. "):
        build(path, "x=1x8")


def test_a_profile_for_an_input_that_is_not_there_is_refused_with_those_that_are(tmp_path):
    path = models.saved(models.mlp(), tmp_path / "mlp.onnx")
    with pytest.raises(InvalidProfile, match=r"no input 'z' .* Its inputs: x\."):
        build(path, "z=1x8")


@pytest.mark.parametrize(("text", "wanted"), [("x=[1x8]", "sizes"), ("size=2", "values")])
def test_values_are_not_taken_for_sizes_nor_sizes_for_values(tmp_path, text, wanted):
    request = replace(request_for(expanding(tmp_path)), profiles=(profile_from_texts([text]),))
    with pytest.raises(InvalidProfile, match=rf"a profile must give the {wanted}"):
        RtxCompiler().build(request, reporter=Listener())


def test_an_input_s_name_is_no_pattern(tmp_path):
    path = models.saved(added("x[0]", "x*"), tmp_path / "sum.onnx")
    shapes = {"x[0]": (1, 2, 4), "x*": (1, 3, 4)}
    ranges = [
        ShapeRange(tensor=name, min=(low, 8), opt=(opt, 8), max=(high, 8)) for name, (low, opt, high) in shapes.items()
    ]
    trt = library()
    builder = trt.Builder(logger())
    network = builder.create_network()
    assert trt.OnnxParser(network, logger()).parse_from_file(str(path))
    native = add_profile(
        builder, builder.create_builder_config(), network, OptimizationProfile(ranges=tuple(ranges)), title="TensorRT"
    )
    given = {name: native.get_shape(name)[1][0] for name in shapes}
    assert given == {"x[0]": 2, "x*": 3}


def test_a_profile_that_the_library_drops_in_silence_is_refused():
    trt = library()
    builder = trt.Builder(logger())
    network = builder.create_network()
    network.add_input("x", trt.float32, (-1, 8))
    impossible = SimpleNamespace(tensor="x", min=(4, 8), opt=(2, 8), max=(1, 8))
    with pytest.raises(InvalidProfile, match=r"refused the optimization profile x \(4, 8\)"):
        add_profile(
            builder,
            builder.create_builder_config(),
            network,
            SimpleNamespace(ranges=(impossible,), values=()),
            title="TensorRT-RTX",
        )


@pytest.mark.parametrize("part", ["Profile.to_trt", "util.check_profile"])
def test_polygraphy_makes_the_profile_and_what_it_refuses_is_ours_to_say(tmp_path, monkeypatch, part):
    def refuse(*_given):
        raise polygraphy_exception()("not today")

    monkeypatch.setattr(f"polygraphy.backend.trt.{part}", refuse)
    path = models.saved(models.mlp(), tmp_path / "mlp.onnx")
    with pytest.raises(InvalidProfile, match=r"TensorRT-RTX refused the optimization profile x \(1, 8\)"):
        build(path, "x=1x8")


def expanding(folder: Path) -> Path:
    """x (1, 4) expanded to the sizes that the input `size` holds."""
    nodes = [
        helper.make_node("Relu", ["x"], ["r"], name="relu"),
        helper.make_node("Expand", ["r", "size"], ["y"], name="expand"),
    ]
    size = models.value("size", [2], TensorProto.INT64)
    proto = static(nodes, inputs=[models.value("x", [1, 4]), size], outputs=[models.value("y", ["n", 4])])
    return models.saved(proto, folder / "expanding.onnx")


def test_an_input_whose_values_are_a_shape_is_built_with_their_range_and_refused_without(tmp_path):
    path = expanding(tmp_path)
    profile = profile_from_texts(["size=[1x4]:[4x4]:[8x4]"])
    request = replace(request_for(path), profiles=(profile,))
    assert RtxCompiler().build(request, reporter=Listener()).engine
    with pytest.raises(BuildFailed, match="from the values of its input size"):
        build(path, "x=1x4")
