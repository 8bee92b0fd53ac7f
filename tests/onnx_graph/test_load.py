from __future__ import annotations

import hashlib
import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests import models
from trt_core.errors import UnreadableModel
from trt_core.onnx_graph.load import check_model, load_model, model_sha256
from trt_core.onnx_graph.read import describe_model, read_graph


def refusal(model: onnx.ModelProto) -> UnreadableModel:
    with pytest.raises(UnreadableModel) as caught:
        check_model(model)
    assert caught.value.remedy
    assert len(str(caught.value)) < 1000
    return caught.value


def load_refusal(path: Path) -> UnreadableModel:
    with pytest.raises(UnreadableModel) as caught:
        load_model(path)
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize("build", [models.mlp, models.conv_block, models.branching, models.calling_function])
def test_a_sound_model_is_loaded_and_passes(build: Callable[[], onnx.ModelProto], tmp_path: Path):
    original = build()

    model = load_model(models.saved(original, tmp_path / "m.onnx"))
    check_model(model)

    assert model == original


def test_an_empty_file_is_named_as_such(tmp_path: Path):
    path = tmp_path / "m.onnx"
    path.touch()

    assert "'m.onnx' is empty" in str(load_refusal(path))


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(kept: float, tmp_path: Path):
    content = models.mlp().SerializeToString()
    path = tmp_path / "m.onnx"
    path.write_bytes(content[: int(len(content) * kept)])

    with pytest.raises(UnreadableModel):
        check_model(load_model(path))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"hello, this is text\n", "no ONNX model"),
        (b"PK\x03\x04" + bytes(100), "zip archive"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5"),
        (b"\x80\x02}q\x00.", "pickle"),
        (bytes(1000), "no ONNX model"),
        (b"\xff" * 1000, "no ONNX model"),
    ],
)
def test_a_foreign_file_is_refused_in_words(content: bytes, words: str, tmp_path: Path):
    path = tmp_path / "m.onnx"
    path.write_bytes(content)

    assert words in str(load_refusal(path))


def test_a_missing_file_is_refused(tmp_path: Path):
    assert "cannot be read" in str(load_refusal(tmp_path / "m.onnx"))


def test_a_model_without_nodes_is_refused():
    assert "no nodes" in str(refusal(models.model([], [models.value("x", [1])], [models.value("x", [1])])))


def test_a_cycle_is_named_by_its_nodes():
    nodes = [
        helper.make_node("Add", ["x", "c"], ["a"], name="one"),
        helper.make_node("Relu", ["a"], ["b"], name="two"),
        helper.make_node("Neg", ["b"], ["c"], name="three"),
    ]
    message = str(refusal(models.model(nodes, [models.value("x", [1])], [models.value("c", [1])])))

    assert "cycle" in message
    assert all(name in message for name in ("one", "two", "three"))


def test_a_node_that_reads_itself_is_a_cycle():
    node = helper.make_node("Add", ["x", "y"], ["y"], name="self")

    assert "cycle through 'self'" in str(
        refusal(models.model([node], [models.value("x", [1])], [models.value("y", [1])]))
    )


def test_a_cycle_of_ten_thousand_nodes_does_not_exhaust_the_stack():
    nodes = [helper.make_node("Relu", [f"t{(i - 1) % 10_000}"], [f"t{i}"]) for i in range(10_000)]

    assert "and 9995 more" in str(refusal(models.model(nodes, [], [models.value("t0", [1])])))


@pytest.mark.parametrize("opset", [0, 99, -3])
def test_a_wrong_opset_is_refused_with_what_is_known(opset: int):
    model = models.mlp()
    model.opset_import[0].version = opset

    assert f"opset {opset}; known are 1 to" in str(refusal(model))


def test_a_missing_default_opset_is_refused():
    model = models.mlp()
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid("com.example", 1))

    assert "no opset for the default ONNX domain" in str(refusal(model))


def test_two_opsets_for_one_domain_are_refused():
    model = models.mlp()
    model.opset_import.append(helper.make_opsetid("ai.onnx", 13))

    assert "[13, 17]" in str(refusal(model))


def test_an_ir_version_from_the_future_is_refused():
    model = models.mlp()
    model.ir_version = 99

    assert "IR version 99" in str(refusal(model))


def test_an_op_that_onnx_does_not_define_is_let_through_as_it_may_be_a_plugin():
    node = helper.make_node("EfficientNMS_TRT", ["x"], ["y"])

    check_model(models.model([node], [models.value("x", [1])], [models.value("y", [1])]))


def test_what_the_checker_refuses_names_the_node():
    node = helper.make_node("Relu", ["x", "x"], ["y"], name="greedy")
    error = refusal(models.model([node], [models.value("x", [1])], [models.value("y", [1])]))

    assert "greedy" in str(error)


def test_a_tensor_that_nothing_writes_is_named_with_its_reader():
    node = helper.make_node("Relu", ["nowhere"], ["y"], name="reader")

    assert "'reader' reads 'nowhere', which nothing" in str(refusal(models.model([node], [], [models.value("y", [1])])))


def test_nodes_out_of_order_are_named():
    model = models.mlp()
    first, *rest = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*rest, first])

    assert "'node_of_a' comes before 'first', which it reads" in str(refusal(model))


def test_two_writers_of_one_tensor_are_refused():
    model = models.mlp()
    model.graph.node.add().CopyFrom(model.graph.node[1])

    assert "'a' is written twice" in str(refusal(model))


def test_outputs_without_a_shape_are_fine():
    model = models.mlp()
    model.graph.output[0].type.tensor_type.ClearField("shape")

    check_model(model)
    assert read_graph(model).outputs[0].shape == ("batch", 4)


@pytest.mark.parametrize("dims", [[1 << 40, 1 << 20], [8, 15], [8, 17], [-1, 16]])
def test_a_tensor_that_holds_other_than_it_declares_is_refused(dims: list[int]):
    model = models.mlp()
    del model.graph.initializer[0].dims[:]
    model.graph.initializer[0].dims.extend(dims)

    assert "'w1'" in str(refusal(model))


def test_typed_fields_are_counted_too():
    model = models.mlp()
    del model.graph.initializer[1].dims[:]
    model.graph.initializer[1].CopyFrom(helper.make_tensor("b1", TensorProto.FLOAT, [16], [1.0] * 16))
    check_model(model)
    model.graph.initializer[1].dims[0] = 1 << 50

    assert "declares 1,125,899,906,842,624 elements" in str(refusal(model))


@pytest.mark.parametrize("dtype", [TensorProto.INT4, TensorProto.UINT4, TensorProto.BFLOAT16, TensorProto.FLOAT8E4M3FN])
@pytest.mark.parametrize("raw", [True, False])
def test_packed_and_small_dtypes_are_counted_right(dtype: int, raw: bool):
    array = np.arange(-3, 4).clip(0 if dtype == TensorProto.UINT4 else -8)
    packed = helper.make_tensor("w", dtype, [7], array.astype(np.float32))
    if raw:
        packed = numpy_helper.from_array(numpy_helper.to_array(packed), "w")
    node = helper.make_node("Constant", [], ["y"], value=packed)
    model = models.model([node], [], [models.value("y", [7], dtype)], opset=21)
    model.ir_version = 10

    check_model(model)


def test_an_input_of_a_terabyte_is_refused():
    model = models.mlp()
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 1 << 40

    assert "Tensor 'x' declares a dimension of 1,099,511,627,776" in str(refusal(model))


def test_a_huge_constant_inside_a_branch_is_refused():
    model = models.branching()
    big = helper.make_tensor("big", TensorProto.FLOAT, [1], [1.0])
    big.dims[0] = 1 << 45
    model.graph.node[1].attribute[0].g.initializer.append(big)

    assert "'big'" in str(refusal(model))


def test_names_of_five_thousand_characters_are_read_and_cut_in_messages():
    long = "n" * 5000
    node = helper.make_node("Relu", ["x"], [long], name=long)
    model = models.model([node], [models.value("x", [1])], [models.value(long, [1])])
    check_model(model)
    model.graph.node[0].input[0] = long

    assert "nnn…" in str(refusal(model))


def calling(*bodies: list[str]) -> onnx.ModelProto:
    """Functions F0, F1 ..., each a chain of calls; the model calls F0."""
    functions = []
    for index, body in enumerate(bodies):
        nodes = [
            helper.make_node(op, [f"t{i}"], [f"t{i + 1}"], domain="local" if op.startswith("F") else "")
            for i, op in enumerate(body)
        ]
        imports = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
        functions.append(helper.make_function("local", f"F{index}", ["t0"], [f"t{len(body)}"], nodes, imports))
    node = helper.make_node("F0", ["x"], ["y"], domain="local")
    return models.model(
        [node], [models.value("x", [1])], [models.value("y", [1])], domains=["local"], functions=functions
    )


def test_functions_that_call_themselves_are_refused():
    assert "'F0' calls itself" in str(refusal(calling(["F0"])))
    assert "calls itself" in str(refusal(calling(["Relu", "F1"], ["F2"], ["F1"])))


def test_functions_that_multiply_are_refused_without_expanding_them():
    check_model(calling(["F1", "F1"], ["Relu"] * 10))

    doubling = [[f"F{index + 1}"] * 2 for index in range(40)]
    assert "expand to 1,099,511,627,776 nodes" in str(refusal(calling(*doubling, ["Relu"])))


@pytest.mark.parametrize("old", [b"first", b"Relu", b"batch", b"w1"])
def test_names_that_are_not_utf8_are_refused(old: bytes, tmp_path: Path):
    path = tmp_path / "m.onnx"
    path.write_bytes(models.mlp().SerializeToString().replace(old, b"\xff" * len(old)))

    assert "not UTF-8" in str(refusal(load_model(path)))


@pytest.mark.parametrize("old", [b"location", b"weights.bin"])
def test_locations_that_are_not_utf8_are_refused(old: bytes, tmp_path: Path):
    path = models.saved_with_data(models.mlp(), tmp_path / "m.onnx")
    path.write_bytes(path.read_bytes().replace(old, b"\xff" * len(old), 1))

    assert "not UTF-8" in str(load_refusal(path))


def test_external_data_without_a_location_are_refused(tmp_path: Path):
    model = models.mlp()
    model.graph.initializer[0].ClearField("raw_data")
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL

    assert "keeps its data at ''" in str(refusal(model))
    assert "keeps its data at ''" in str(load_refusal(models.saved(model, tmp_path / "m.onnx")))


def test_random_damage_is_survived_or_refused_but_never_crashes(tmp_path: Path):
    rng = random.Random(7)
    originals = [build().SerializeToString() for build in (models.mlp, models.branching, models.calling_function)]
    for _ in range(300):
        content = bytearray(rng.choice(originals))
        for _ in range(rng.choice([1, 3])):
            content[rng.randrange(len(content))] = rng.randrange(256)
        path = tmp_path / "m.onnx"
        path.write_bytes(content)
        try:
            model = load_model(path)
            check_model(model)
        except UnreadableModel:
            continue
        describe_model(model, read_graph(model))


@pytest.mark.parametrize("location", ["weights.bin", "folder/weights.bin"])
def test_external_data_are_read_into_the_model(location: str, tmp_path: Path):
    model = load_model(models.saved_with_data(models.mlp(), tmp_path / "m.onnx", location=location))

    check_model(model)
    assert model == models.mlp()


def test_without_weights_external_initializers_stay_outside_and_the_model_can_be_checked(tmp_path: Path):
    model = load_model(models.saved_with_data(models.mlp(), tmp_path / "m.onnx"), weights=False)

    check_model(model)
    assert not any(item.raw_data for item in model.graph.initializer)


def test_missing_external_data_are_named_even_when_weights_are_not_wanted(tmp_path: Path):
    path = models.saved_with_data(models.mlp(), tmp_path / "m.onnx")
    (tmp_path / "weights.bin").unlink()

    with pytest.raises(UnreadableModel, match=r"'weights\.bin' is missing"):
        load_model(path, weights=False)


def test_short_external_data_are_refused(tmp_path: Path):
    path = models.saved_with_data(models.mlp(), tmp_path / "m.onnx")
    os.truncate(tmp_path / "weights.bin", 700)

    assert "'b1' needs 64 bytes from byte 512" not in str(error := load_refusal(path))
    assert "'w2' needs 256 bytes from byte 576" in str(error)


OUTSIDE = [
    "../secret.bin",
    "a/../../secret.bin",
    "/etc/passwd",
    "C:\\secret.bin",
    "..\\secret.bin",
    "",
    "C:/secret",
    "a\0b",
]


@pytest.mark.parametrize("location", OUTSIDE)
def test_external_data_outside_the_folder_are_never_opened(location: str, tmp_path: Path):
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(10_000))
    path = models.saved_with_data(models.mlp(), inside / "m.onnx")
    rewritten(path, "location", location)

    assert "outside the model's folder" in str(load_refusal(path))


def rewritten(path: Path, key: str, text: str) -> None:
    model = onnx.load(path, load_external_data=False)
    for item in model.graph.initializer:
        for entry in item.external_data:
            if entry.key == key:
                entry.value = text
    models.saved(model, path)


@pytest.mark.parametrize("key", ["offset", "length"])
@pytest.mark.parametrize("text", ["-1", "x", "1e3", "9" * 40])
def test_odd_offsets_and_lengths_are_refused(key: str, text: str, tmp_path: Path):
    path = models.saved_with_data(models.mlp(), tmp_path / "m.onnx")
    rewritten(path, key, text)

    assert key in str(load_refusal(path))


def test_a_length_that_does_not_fit_the_shape_is_refused(tmp_path: Path):
    path = models.saved_with_data(models.mlp(), tmp_path / "m.onnx")
    rewritten(path, "length", "8")

    assert "declares 512 bytes and its external data 8" in str(load_refusal(path))


def test_a_symlinked_data_file_is_refused(tmp_path: Path):
    path = models.saved_with_data(models.mlp(), tmp_path / "m.onnx")
    (tmp_path / "weights.bin").rename(tmp_path / "real.bin")
    (tmp_path / "weights.bin").symlink_to(tmp_path / "real.bin")

    assert "reached by a link" in str(load_refusal(path))


def test_a_data_file_below_a_symlinked_folder_is_refused(tmp_path: Path):
    path = models.saved_with_data(models.mlp(), tmp_path / "m.onnx", location="folder/weights.bin")
    (tmp_path / "folder").rename(tmp_path / "real")
    (tmp_path / "folder").symlink_to(tmp_path / "real")

    assert "reached by a link" in str(load_refusal(path))


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_a_data_location_that_is_no_regular_file_is_refused_without_waiting(
    make: Callable[[Path], None], tmp_path: Path
):
    path = models.saved_with_data(models.mlp(), tmp_path / "m.onnx")
    (tmp_path / "weights.bin").unlink()
    make(tmp_path / "weights.bin")

    assert "is not a file" in str(load_refusal(path))


def external(name: str, location: str) -> onnx.TensorProto:
    item = onnx.TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    entry = item.external_data.add()
    entry.key, entry.value = "location", location
    return item


def _in_constant(item: onnx.TensorProto) -> onnx.ModelProto:
    node = helper.make_node("Constant", [], ["y"])
    attribute = node.attribute.add(name="value", type=onnx.AttributeProto.TENSOR)
    attribute.t.CopyFrom(item)
    return models.model([node], [], [models.value("y", [4])])


def _in_branch(item: onnx.TensorProto) -> onnx.ModelProto:
    model = models.branching()
    model.graph.node[1].attribute[0].g.initializer.append(item)
    return model


def _in_sparse(item: onnx.TensorProto) -> onnx.ModelProto:
    model = models.mlp()
    sparse = model.graph.sparse_initializer.add(dims=[8])
    sparse.values.CopyFrom(item)
    sparse.indices.CopyFrom(numpy_helper.from_array(np.arange(4), "i"))
    return model


def _in_function(item: onnx.TensorProto) -> onnx.ModelProto:
    model = models.calling_function()
    model.functions[0].node.append(_in_constant(item).graph.node[0])
    return model


@pytest.mark.parametrize("place", [_in_constant, _in_branch, _in_sparse, _in_function])
def test_a_location_is_checked_wherever_the_tensor_hides(place: Callable[..., onnx.ModelProto], tmp_path: Path):
    path = models.saved(place(external("hidden", "../secret.bin")), tmp_path / "m.onnx")

    assert "outside the model's folder" in str(load_refusal(path))


def test_external_data_in_a_branch_are_read_even_without_weights(tmp_path: Path):
    (tmp_path / "w.bin").write_bytes(np.arange(4, dtype=np.float32).tobytes())
    path = models.saved(_in_branch(external("w", "w.bin")), tmp_path / "m.onnx")

    body = load_model(path, weights=False).graph.node[1].attribute[0].g

    assert numpy_helper.to_array(body.initializer[0]).tolist() == [0, 1, 2, 3]


def test_the_identity_of_a_single_file_is_its_own_hash(tmp_path: Path):
    path = models.saved(models.mlp(), tmp_path / "m.onnx")

    assert model_sha256(tmp_path, [Path("m.onnx")]) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_identity_covers_external_data_and_not_the_name_of_the_model(tmp_path: Path):
    models.saved_with_data(models.mlp(), tmp_path / "m.onnx")
    files = [Path("m.onnx"), Path("weights.bin")]
    before = model_sha256(tmp_path, files)
    (tmp_path / "m.onnx").rename(tmp_path / "renamed.onnx")
    files[0] = Path("renamed.onnx")

    assert model_sha256(tmp_path, files) == before

    with (tmp_path / "weights.bin").open("r+b") as file:
        file.write(b"\1")
    assert model_sha256(tmp_path, files) != before


@pytest.mark.serial
def test_a_model_of_100_megabytes_is_loaded_and_checked_in_half_a_second(tmp_path: Path):
    weights = [numpy_helper.from_array(np.zeros((1024, 2560), np.float32), f"w{i}") for i in range(10)]
    nodes = [helper.make_node("MatMul", ["x", item.name], [f"y{i}"]) for i, item in enumerate(weights)]
    outputs = [models.value(f"y{i}", [1, 2560]) for i in range(10)]
    path = models.saved(models.model(nodes, [models.value("x", [1, 1024])], outputs, weights), tmp_path / "m.onnx")

    began = time.process_time()
    check_model(load_model(path))

    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    ("op", "inputs", "opset", "said"),
    [
        ("Gemm", ["x", "w"], 6, "a Gemm as opset 11 has it: in opset 6 it takes other inputs"),
        ("Squeeze", ["x", "axes"], 11, "a Squeeze as opset 13 has it: in opset 11 it takes other inputs"),
    ],
)
def test_a_node_newer_than_the_files_opset_is_named_with_the_opset_to_export_at(op, inputs, opset, said):
    float32 = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node(op, inputs, ["y"], name="second")],
        "newer",
        [helper.make_tensor_value_info("x", float32, [1, 4])],
        [helper.make_tensor_value_info("y", float32, [1, 4])],
        [helper.make_tensor("w", float32, [4, 4], [0.0] * 16), helper.make_tensor("axes", TensorProto.INT64, [1], [0])],
    )
    error = refusal(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7))

    assert "second" in str(error)
    assert said in str(error)
    assert "Export the model at opset 17" in error.remedy
    assert "checker" not in str(error)
