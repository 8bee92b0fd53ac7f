from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from trt_core.backends.onnxruntime.runner import OrtRunner
from trt_core.domain.precision import Precision, Recipe, TensorRange
from trt_core.errors import UnsupportedRequest
from trt_core.onnx_graph.load import load_model
from trt_core.precision.calibrate import tensors_to_calibrate
from trt_core.precision.normalize import normalize
from trt_core.precision.shadow import make_detached_shadow, make_shadow
from trt_core.precision.twin import make_twin
from trt_core.precision.variant import make_variant

X = np.array([[0.1, 1.0, 3.3]], np.float32)


def parsed(body: str, opset: int = 17) -> onnx.ModelProto:
    return onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : {opset}]> g (float[n, 3] x) => (float[n, 3] y) {body}'
    )


@pytest.fixture
def baseline() -> onnx.ModelProto:
    return parsed("<float[3] w = {1.0, 2.0, 3.0}> { a = Mul(x, w) b = Exp(a) y = Neg(b) }")


@pytest.fixture
def twin() -> onnx.ModelProto:
    """Adds 1 after the first layer, and doubles after the second: errors that can be told apart."""
    return parsed(
        "<float[3] w = {1.0, 2.0, 3.0}, float one = {1.0}, float two = {2.0}>"
        "{ a0 = Mul(x, w) a = Add(a0, one) b0 = Exp(a) b = Mul(b0, two) y = Neg(b) }"
    )


def run(model: onnx.ModelProto, names: list[str], folder: Path):
    path = folder / "m.onnx"
    onnx.save(model, path)
    found = OrtRunner().load(path, extra_outputs=names, optimize=False).run({"x": X}, names)
    return dict(zip(names, found, strict=True))


def test_each_shadow_reads_the_baselines_exact_tensors(baseline, twin, tmp_path: Path) -> None:
    shadow = make_shadow(baseline, twin, ["a", "b", "y"])
    names = ["a", "b", "y", *shadow.tensors.values()]
    found = run(shadow.model, names, tmp_path)
    np.testing.assert_array_equal(found[shadow.tensors["a"]], found["a"] + 1)
    np.testing.assert_array_equal(found[shadow.tensors["b"]], found["b"] * 2)
    np.testing.assert_array_equal(found[shadow.tensors["y"]], found["y"])


def test_the_baseline_inside_computes_what_it_computes_alone(baseline, twin, tmp_path: Path) -> None:
    alone = run(baseline, ["a", "b", "y"], tmp_path)
    joined = run(make_shadow(baseline, twin, ["a", "b", "y"]).model, ["a", "b", "y"], tmp_path)
    for name, expected in alone.items():
        np.testing.assert_array_equal(joined[name], expected)


def test_a_tensor_that_is_not_named_keeps_its_error_for_the_next(baseline, twin, tmp_path: Path) -> None:
    shadow = make_shadow(baseline, twin, ["b"])
    found = run(shadow.model, ["a", "b", shadow.tensors["b"]], tmp_path)
    np.testing.assert_allclose(found[shadow.tensors["b"]], 2 * np.exp(found["a"] + 1), rtol=1e-6)


def test_equal_weights_are_held_once(baseline, twin) -> None:
    names = [tensor.name for tensor in make_shadow(baseline, twin, ["a"]).model.graph.initializer]
    assert names == ["w", "shadow/one", "shadow/two"]


def test_bodies_of_control_flow_read_the_exact_tensors_too(tmp_path: Path) -> None:
    body = "{ {first} yes = Constant <value_ints = [1]> () flag = Cast <to = 9> (yes) only = Squeeze(flag)"
    body += " y = If (only) <then_branch = t () => (float[n, 3] u) { u = Neg(a) },"
    body += " else_branch = e () => (float[n, 3] v) { v = Abs(a) }> }"
    baseline = parsed(body.replace("{first}", "a = Mul(x, x)"))
    twin = parsed(body.replace("{first}", "a = Add(x, x)"))
    shadow = make_shadow(baseline, twin, ["a", "y"])
    found = run(shadow.model, ["a", "y", *shadow.tensors.values()], tmp_path)
    np.testing.assert_array_equal(found["shadow/a"], X + X)
    np.testing.assert_array_equal(found["shadow/y"], -X * X)


def test_an_older_baseline_is_lifted_to_the_twins_opset(twin, tmp_path: Path) -> None:
    older = parsed("<float[3] w = {1.0, 2.0, 3.0}> { a = Mul(x, w) b = Exp(a) y = Neg(b) }", opset=13)
    shadow = make_shadow(older, twin, ["a"])
    found = run(shadow.model, ["a", shadow.tensors["a"]], tmp_path)
    np.testing.assert_array_equal(found["shadow/a"], found["a"] + 1)


def test_a_twin_of_an_older_opset_is_refused(baseline) -> None:
    with pytest.raises(UnsupportedRequest, match="opset"):
        make_shadow(baseline, parsed("{ y = Neg(x) }", opset=13), ["y"])


def test_a_model_that_lists_its_initializers_as_inputs_is_joined(baseline, twin, tmp_path: Path) -> None:
    baseline.ir_version = 3
    baseline.graph.input.append(onnx.helper.make_tensor_value_info("w", onnx.TensorProto.FLOAT, [3]))
    shadow = make_shadow(baseline, twin, ["a"])
    found = run(shadow.model, ["a", shadow.tensors["a"]], tmp_path)
    np.testing.assert_array_equal(found[shadow.tensors["a"]], found["a"] + 1)


def test_names_that_begin_like_a_shadow_are_not_overwritten(tmp_path: Path) -> None:
    def named(text: str) -> onnx.ModelProto:
        model = parsed("<float[3] w = {1.0, 2.0, 3.0}> { a = Mul(x, w) b = Exp(a) y = Neg(b) }")
        model.graph.node[1].output[0] = model.graph.node[2].input[0] = text
        return model

    baseline, twin = named("shadow/a"), named("shadow/a")
    shadow = make_shadow(baseline, twin, ["a", "shadow/a", "y"])
    names = ["a", "shadow/a", *shadow.tensors.values()]
    found = run(shadow.model, names, tmp_path)
    np.testing.assert_array_equal(found[shadow.tensors["a"]], found["a"])


SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.mark.parametrize("name", ["digits_transformer", "digits_cnn", "data_dependent_if"])
@pytest.mark.parametrize("recipe", [Recipe(precision=Precision.INT8), Recipe(precision=Precision.FP16)])
def test_a_detached_shadow_that_is_handed_the_baselines_tensors_gives_what_the_joined_one_gives(
    name: str, recipe: Recipe, tmp_path: Path
) -> None:
    path = SAMPLES / name / "model.onnx"
    model = load_model(path)
    ranges = [
        TensorRange(tensor=t, low=-3.0, high=3.0, scale=1.0) for t in tensors_to_calibrate(normalize(model), recipe)
    ]
    twin = make_twin(make_variant(model, recipe, ranges).model, recipe)
    known = {tensor for node in model.graph.node for tensor in node.output if tensor}
    shared = [tensor for node in twin.graph.node for tensor in node.output if tensor in known]
    detached, joined = make_detached_shadow(model, twin, shared), make_shadow(model, twin, shared)
    image = np.random.default_rng(0).random((2, 1, 16, 16), np.float32)
    runner, names = OrtRunner(), list(joined.tensors.values())
    onnx.save(joined.model, tmp_path / "joined.onnx")
    onnx.save(detached.model, tmp_path / "detached.onnx")

    whole = runner.load(tmp_path / "joined.onnx", extra_outputs=names, optimize=False).run({"image": image}, names)
    handed = runner.load(path, extra_outputs=detached.inputs, optimize=False).run({"image": image}, detached.inputs)
    given = {"image": image, **dict(zip(detached.inputs, handed, strict=True))}
    alone = runner.load(tmp_path / "detached.onnx", extra_outputs=names, optimize=False).run(given, names)

    assert detached.tensors == joined.tensors
    assert not {tensor.name for tensor in detached.model.graph.initializer} & set(detached.inputs)
    # In bodies of If the library chooses other kernels for the same nodes: now and then the last digit of FP16 differs.
    tolerance = 1e-3 if name == "data_dependent_if" else 0.0
    for first, second in zip(whole, alone, strict=True):
        np.testing.assert_allclose(first, second, rtol=0.0, atol=tolerance)


def test_a_tensor_of_unknown_rank_cannot_be_handed_over(baseline: onnx.ModelProto) -> None:
    strange = parsed("{ a = Mul(x, x) y = Neg(a) }")
    strange.graph.node[0].domain = "com.example"
    strange.opset_import.add(domain="com.example", version=1)
    assert make_detached_shadow(strange, strange, ["a", "y"]) is None
