"""The committed samples are what their README says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from samples import make_small
from samples.training.data import digit_splits
from samples.training.report import KEPT, top1
from tests.light_models import light_input, light_model

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
MODELS = ("digits_cnn", "digits_transformer", "unsupported_op", "data_dependent_if", "external_data")
DIGITS = SAMPLES / "digits"


@pytest.mark.parametrize("name", MODELS)
def test_every_sample_is_small_and_valid_and_shapes_can_be_inferred(name: str) -> None:
    path = SAMPLES / name / "model.onnx"

    onnx.checker.check_model(path, full_check=True)
    inferred = onnx.shape_inference.infer_shapes(onnx.load(path), strict_mode=True, data_prop=True)

    assert sum(file.stat().st_size for file in path.parent.iterdir()) < 1_000_000
    assert inferred.ir_version == 8
    assert inferred.opset_import[0].version == 17
    known = {value.name for value in [*inferred.graph.value_info, *inferred.graph.output]}
    assert {output for node in inferred.graph.node for output in node.output} <= known


@pytest.mark.parametrize("name", MODELS)
def test_node_names_are_unique_scopes(name: str) -> None:
    names = [node.name for node in onnx.load(SAMPLES / name / "model.onnx").graph.node]

    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"(/\w+)+", node) for node in names)


def test_the_data_is_large_enough_and_in_range() -> None:
    calibration, test = np.load(DIGITS / "calibration.npz"), np.load(DIGITS / "test.npz")
    labels = np.load(DIGITS / "test_labels.npz")["labels"]

    assert calibration.files == test.files == ["image"]
    assert len(calibration["image"]) >= 512
    assert len(test["image"]) == len(labels) >= 5000
    assert labels.dtype == np.int64
    for images in (calibration["image"], test["image"]):
        assert images.shape[1:] == (1, 16, 16)
        assert images.dtype == np.float32
        assert 0 <= images.min() < images.max() <= 1


def test_no_original_is_in_two_splits() -> None:
    origins = np.load(DIGITS / "origins.npz")
    train, calibration, test = (set(origins[name].tolist()) for name in ("train", "calibration", "test"))

    assert not train & calibration
    assert not train & test
    assert not calibration & test
    assert len(train | calibration | test) == 1797


def test_labels_are_those_of_the_originals() -> None:
    test = digit_splits(seed=20)["test"]
    label_of = dict(zip(test.origin.tolist(), test.labels.tolist(), strict=True))
    origins, labels = np.load(DIGITS / "origins.npz")["test"], np.load(DIGITS / "test_labels.npz")["labels"]

    assert [label_of[origin] for origin in origins.tolist()] == labels.tolist()


@pytest.mark.parametrize("name", KEPT)
def test_fp32_accuracy_is_the_one_in_the_readme(name: str) -> None:
    row = re.search(rf"^\| `{name}` \| \d+ \| ([\d.]+) \|", (SAMPLES / "README.md").read_text(), re.MULTILINE)
    assert row, f"samples/README.md has no row for {name}"
    images, labels = np.load(DIGITS / "test.npz")["image"], np.load(DIGITS / "test_labels.npz")["labels"]

    measured = top1(onnx.load(SAMPLES / name / "model.onnx"), images, labels)

    assert measured == pytest.approx(float(row[1]), abs=0.2)


def test_the_transformer_has_the_outlier_channels_it_is_known_for() -> None:
    model = onnx.load(SAMPLES / "digits_transformer" / "model.onnx")
    normal = "/encoder/layer2/ffn_norm/LayerNormalization_output_0"
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info(normal))
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])

    (values,) = session.run([normal], {"image": np.load(DIGITS / "calibration.npz")["image"][:64]})
    largest = np.abs(values).max(axis=(0, 1))

    assert set(np.argsort(largest)[-2:].tolist()) == {19, 50}
    assert np.sort(largest)[-2] > 10 * np.sort(largest)[-3]


def test_the_if_takes_both_branches() -> None:
    model = onnx.load(SAMPLES / "data_dependent_if" / "model.onnx")
    bright = "/enhance/Greater_output_0"
    model.graph.output.append(onnx.helper.make_tensor_value_info(bright, onnx.TensorProto.BOOL, []))
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    images = np.load(DIGITS / "test.npz")["image"]

    taken = {bool(session.run([bright], {"image": images[row : row + 1]})[0]) for row in range(100)}

    assert taken == {True, False}


def test_external_data_is_the_transformer_in_two_files() -> None:
    whole = onnx.load(SAMPLES / "digits_transformer" / "model.onnx")
    split = onnx.load(SAMPLES / "external_data" / "model.onnx", load_external_data=False)
    locations = {entry.value for t in split.graph.initializer for entry in t.external_data if entry.key == "location"}

    assert locations == {"model.onnx.data"}
    onnx.load_external_data_for_model(split, str(SAMPLES / "external_data"))
    weights = [onnx.numpy_helper.to_array(tensor) for tensor in split.graph.initializer]
    for mine, theirs in zip(weights, whole.graph.initializer, strict=True):
        np.testing.assert_array_equal(mine, onnx.numpy_helper.to_array(theirs))


@pytest.mark.parametrize("make", [make_small.unsupported_op, make_small.data_dependent_if])
def test_the_derived_samples_are_what_the_script_makes(make) -> None:
    made = make(onnx.load(SAMPLES / "digits_cnn" / "model.onnx"))

    assert made == onnx.load(SAMPLES / made.graph.name / "model.onnx")


def test_the_catalog_points_at_files_that_exist() -> None:
    catalog = json.loads((SAMPLES / "catalog.json").read_text())

    assert [entry["key"] for entry in catalog] == list(MODELS)
    for entry in catalog:
        files = [entry[key] for key in ("model", "calibration", "test", "labels") if entry[key]]
        assert all((SAMPLES / file).is_file() for file in files)


@pytest.mark.parametrize("name", ["inception_v1", "resnet50", "shufflenet", "squeezenet"])
def test_light_models_are_valid_and_finite(name: str) -> None:
    model = light_model(name)
    onnx.checker.check_model(model, full_check=True)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])

    (output,) = session.run(None, light_input(model))

    assert np.isfinite(output).all()
    assert np.ptp(output) > 0


def test_a_light_model_is_the_same_for_the_same_seed_only() -> None:
    assert light_model("squeezenet", seed=1) == light_model("squeezenet", seed=1)
    assert light_model("squeezenet", seed=1) != light_model("squeezenet", seed=2)
