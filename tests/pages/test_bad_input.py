"""Every kind of bad file, brought in as a reader would: a red box with what and what to do, and nothing left behind."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import helper

from tests import models
from tests.pages.conftest import open_expanders

MLP = models.mlp().SerializeToString()
Files = list[tuple[str, bytes]]


def packed(*entries: tuple[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return target.getvalue()


def cyclic() -> bytes:
    nodes = [helper.make_node("Add", ["x", "b"], ["a"], name="one"), helper.make_node("Relu", ["a"], ["b"], name="two")]
    return models.model(nodes, [models.value("x", [1])], [models.value("b", [1])]).SerializeToString()


def without_nodes() -> bytes:
    return models.model([], [models.value("x", [1])], [models.value("x", [1])]).SerializeToString()


def of_opset(version: int) -> bytes:
    proto = models.mlp()
    proto.opset_import[0].version = version
    return proto.SerializeToString()


def pointing_to(location: str) -> bytes:
    """The small model with its first weight in a file at that place."""
    proto = models.mlp()
    weight = proto.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    weight.external_data.add(key="location", value=location)
    return proto.SerializeToString()


BAD: dict[str, tuple[Callable[[], Files], str]] = {
    "truncated": (lambda: [("m.onnx", MLP[: len(MLP) // 2])], "is no ONNX model, or was cut"),
    "empty": (lambda: [("m.onnx", b"")], "is empty"),
    "text": (lambda: [("m.onnx", b"hello")], "is no ONNX model, or was cut"),
    "pickle": (lambda: [("m.onnx", b"\x80\x04\x95" + bytes(40))], "is a Python pickle"),
    "no nodes": (lambda: [("m.onnx", without_nodes())], "has no nodes"),
    "cyclic": (lambda: [("m.onnx", cyclic())], "has a cycle through"),
    "opset 0": (lambda: [("m.onnx", of_opset(0))], "asks for opset 0"),
    "opset 99": (lambda: [("m.onnx", of_opset(99))], "asks for opset 99"),
    "data missing": (lambda: [("m.onnx", pointing_to("w.bin"))], "'w.bin'"),
    "data short": (lambda: [("m.onnx", pointing_to("w.bin")), ("w.bin", b"abc")], "needs 512 bytes"),
    "data above": (lambda: [("m.onnx", pointing_to("../../w.bin"))], "outside the model's folder"),
    "data absolute": (lambda: [("m.onnx", pointing_to("/etc/passwd"))], "outside the model's folder"),
    "zip slip": (lambda: [("m.zip", packed(("m.onnx", MLP), ("../../evil.txt", b"x")))], "points outside"),
    "nested zip": (lambda: [("m.zip", packed(("in.zip", packed(("m.onnx", MLP)))))], "holds another archive"),
    "zip without a model": (lambda: [("m.zip", packed(("a.txt", b"x")))], "holds no .onnx file"),
    "broken zip": (lambda: [("m.zip", b"PK\x03\x04" + bytes(50))], "is no readable zip archive"),
    "zip bomb": (lambda: [("m.zip", packed(("m.onnx", bytes(3 << 20))))], "the limit is 1,048,576"),
}

X = np.random.default_rng(0).standard_normal((16, 8)).astype(np.float32)


def with_nan() -> np.ndarray:
    values = X.copy()
    values[3, 2] = np.nan
    return values


def arrays(**named: np.ndarray) -> bytes:
    target = io.BytesIO()
    np.savez(target, **named)
    return target.getvalue()


BAD_DATA: dict[str, tuple[Callable[[], bytes], str]] = {
    "objects": (lambda: arrays(x=np.array([{"a": 1}], dtype=object)), "holds Python objects"),
    "wrong names": (lambda: arrays(y=X), "the model's inputs are 'x'"),
    "wrong dtype": (lambda: arrays(x=X.astype(np.int32)), "is int32; the model's input is float32"),
    "wrong shape": (lambda: arrays(x=X[:, :4]), "the model's input is batch × 8"),
    "NaN": (lambda: arrays(x=with_nan()), "holds NaN, first in sample 3"),
    "no samples": (lambda: arrays(x=X[:0]), "hold no samples"),
    "cut": (lambda: arrays(x=X)[:60], "'bad.npz' is no complete .npz file"),
    "no archive": (lambda: b"abc", "'bad.npz' is no complete .npz file"),
}


def told(app) -> str:
    return "\n".join(box.value for box in app.error).replace("\\", "")


def is_clean(bench) -> bool:
    return not list((bench.settings.workspace / "tmp").iterdir())


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_model_is_a_red_box_with_what_to_do_and_leaves_nothing_behind(kind, open_page, bench, monkeypatch):
    if kind == "zip bomb":
        monkeypatch.setenv("ENGINESCOPE_UPLOAD_MB", "1")
    made, said = BAD[kind]
    app = open_page("models")

    app.file_uploader[0].set_value([(name, content, "application/octet-stream") for name, content in made()]).run()
    app.button(key="models.add").click().run()

    assert not app.exception
    assert said in told(app)
    assert "What to do:" in told(app)
    assert bench.library.models() == []
    assert is_clean(bench)


@pytest.mark.parametrize("kind", BAD_DATA)
def test_bad_samples_are_a_red_box_with_what_to_do_and_leave_nothing_behind(kind, open_page, bench, mlp):
    made, said = BAD_DATA[kind]
    app = open_page("build", model=mlp.id)
    app.button("build.precision.int8").click().run()

    open_expanders(app, "build.data_file")
    app.file_uploader[0].set_value([("bad.npz", made(), "application/octet-stream")]).run()
    app.button("build.data_add").click().run()

    assert not app.exception
    assert said in told(app)
    assert "What to do:" in told(app)
    assert bench.library.data_sets(mlp.id) == []
    assert is_clean(bench)
