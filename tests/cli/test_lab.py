"""The lab's commands, each in this process."""

from __future__ import annotations

import io
import json
import shutil

import pytest
from onnx import helper

from tests import models
from tests.analysis.trt86 import FOLDER
from trt_core.cli.main import main


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings")
    for name in ("r50_fp16", "r50_int8_calib", "r18_fp16"):
        for part in ("layers.json.gz", "log.gz"):
            shutil.copy(FOLDER / f"{name}.{part}", folder)
    shutil.copy(FOLDER / "results.json.gz", folder)
    workspace = tmp_path_factory.mktemp("workspace")
    arguments = ["import-recordings", str(folder), "--device", "NVIDIA H200", "--workspace", str(workspace), "--quiet"]
    assert main(arguments) == 0
    return workspace


def _json(capsys, *arguments: str) -> dict:
    capsys.readouterr()
    assert main([*arguments, "--json", "--quiet"]) == 0
    return json.loads(capsys.readouterr().out)


def test_two_recordings_are_compared_by_name(workspace, capsys):
    said = _json(capsys, "compare", "r50_fp16", "r50_int8_calib", "--workspace", str(workspace))
    assert said["aligned_by"] == "nodes"

    change = sum(step["delta_ms"] for step in said["steps"])
    assert said["second"]["layers_ms"] - said["first"]["layers_ms"] == pytest.approx(change)
    assert "quantized-asked-not-run" in {item["rule"] for item in said["findings"]}


def test_what_the_workspace_holds_names_recordings(workspace, capsys):
    said = _json(capsys, "runs", "--workspace", str(workspace))
    assert {(item["name"], item["device"]) for item in said["recordings"]} >= {("r18_fp16", "NVIDIA H200")}


def test_tactics_are_listed_layer_by_layer(workspace, capsys):
    said = _json(capsys, "tactics", "r18_fp16", "--workspace", str(workspace))
    assert said["timings"] == 1062
    first = next(item for item in said["layers"] if item["layer"] == "/conv1/Conv + /relu/Relu")
    assert first["gap"] == pytest.approx(0.285, abs=1e-3)


@pytest.mark.parametrize(
    "arguments",
    [
        ("compare", "nothing", "r50_fp16"),
        ("tactics", "r-000000000000"),
        ("import-recordings", "nowhere"),
        ("sweep", "nowhere.onnx"),
    ],
)
def test_what_is_not_there_is_bad_input_in_one_line(workspace, capsys, arguments):
    assert main([*arguments, "--workspace", str(workspace), "--quiet"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert len(said.strip().splitlines()) == 1


def test_a_sweep_answers_no_when_no_point_keeps_the_limit(tmp_path, capsys):
    path = tmp_path / "mlp.onnx"
    path.write_bytes(io.BytesIO(models.mlp().SerializeToString()).getvalue())
    arguments = ["sweep", str(path), "--batches", "1,2", "--iterations", "3", "--warmup", "1"]
    arguments += ["--workspace", str(tmp_path / "workspace"), "--quiet"]

    assert main([*arguments, "--limit-ms", "1e9"]) == 0
    assert "sweet spot" in capsys.readouterr().out
    assert main([*arguments, "--limit-ms", "0"]) == 1
    assert main([*arguments, "--streams", "a"]) == 2


def test_another_axis_than_the_batch_is_swept_by_its_symbol(tmp_path, capsys):
    path = tmp_path / "mlp.onnx"
    path.write_bytes(models.mlp().SerializeToString())
    arguments = ["sweep", str(path), "--iterations", "3", "--warmup", "1", "--workspace", str(tmp_path / "workspace")]

    assert main([*arguments, "--quiet", "--axis", "batch", "--sizes", "2,5"]) == 0
    said = capsys.readouterr().out
    assert "x 2x8" in said
    assert "x 5x8" in said
    assert main([*arguments, "--quiet", "--axis", "batch"]) == 2
    assert "belong together" in capsys.readouterr().err
    assert main([*arguments, "--quiet", "--axis", "width", "--sizes", "2"]) == 2
    assert "Its open axes are: batch." in capsys.readouterr().err


def test_a_sweep_none_of_whose_points_could_be_measured_failed_and_is_no_answer(tmp_path, capsys):
    proto = models.model(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        [models.value("x", ["batch", "length"])],
        [models.value("y", ["batch", 4])],
        [models.tensor("w", (8, 4), seed=0)],
    )
    path = models.saved(proto, tmp_path / "product.onnx")
    arguments = ["sweep", str(path), "--axis", "length", "--workspace", str(tmp_path / "workspace"), "--quiet"]
    assert main([*arguments, "--sizes", "3,5", "--iterations", "3"]) == 4
    assert "no point could be measured" in capsys.readouterr().out
    assert main([*arguments, "--sizes", "3,8", "--iterations", "3"]) == 0


def test_a_request_is_built_again_and_the_attempts_are_compared(tmp_path, capsys):
    path = tmp_path / "mlp.onnx"
    path.write_bytes(models.mlp().SerializeToString())
    where = ("--workspace", str(tmp_path / "workspace"))
    build = _json(capsys, "build", str(path), "--precision", "fp16", *where)["build"]["id"]
    said = _json(capsys, "rebuild", build, "--times", "2", *where)

    assert said["attempts"] == [build, f"{build}-2", f"{build}-3"]
    assert len(said["plans"]["seconds"]) == 3
    assert said["latency_spread"] is None
    assert "compiled ahead of time" in said["not_run"]
    assert main(["rebuild", build, "--times", "0", *where, "--quiet"]) == 2


def test_the_recordings_of_the_samples_come_in_without_a_folder_and_answer_in_the_first_line(tmp_path, capsys):
    where = ("--workspace", str(tmp_path))
    names = {item["name"] for item in _json(capsys, "import-recordings", *where)["recordings"]}
    assert {"r18_fp16", "r50_int8_calib", "enc_int8_calib"} <= names

    assert main(["compare", "r50_int8_qdq", "r50_fp16", *where, "--quiet"]) == 0
    assert capsys.readouterr().out.startswith("r50_int8_qdq takes 0.8")
    assert main(["compare", "enc_fp16", "enc_int8_calib", *where, "--quiet"]) == 0
    assert "0 of 1 layers with matrix work run in it" in capsys.readouterr().out
