"""`diverge --inside`, over a fake TensorRT whose jobs run in this process."""

from __future__ import annotations

import json

import pytest

from tests.fake_engines import Bench
from trt_core.cli import main as border
from trt_core.testing import FakeTensorRT, Plant


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    def call(bench: Bench, *words: object):
        monkeypatch.setattr(border, "open_workbench", lambda _settings: bench.work)
        capfd.readouterr()
        code = border.main(["diverge", *map(str, words), "--workspace", str(tmp_path / "workspace")])
        out, err = capfd.readouterr()
        return code, out, err

    return call


def test_a_wrong_engine_is_a_no_and_the_layer_is_named(run, tmp_path):
    bench = Bench(tmp_path, FakeTensorRT([Plant(tensor="b3_sum", factor=1.5)]))
    code, out, _ = run(bench, "--inside", bench.build.id, "--samples", "8")
    assert code == 1
    assert "The FP16 engine is wrong: its worst output y is at" in out
    assert "The loss begins at sum3." in out
    assert "the engine is to blame" in out or "the engine loses more" in out


def test_an_intact_engine_is_a_yes_and_json_has_every_answer(run, tmp_path):
    bench = Bench(tmp_path, FakeTensorRT())
    code, out, _ = run(bench, "--inside", bench.build.id, "--samples", "8", "--json")
    assert code == 0
    plain = json.loads(out)
    assert plain["intact"] is True
    assert plain["build"] == bench.build.id
    assert all(layer["believed"] for layer in plain["layers"])
    (group,) = plain["observer"]
    assert group["concludes"] is True
    assert {group["check"][name]["changed"] for name in ("fusions", "output", "latency")} == {False}
    assert plain["square"]["blame"] == "nothing"
    assert plain["bisection"] is None


def test_an_opaque_engine_tells_every_build_with_its_evidence(run, tmp_path):
    bench = Bench(tmp_path, FakeTensorRT([Plant(tensor="b3_down")], opaque=True))
    code, out, _ = run(bench, "--inside", bench.build.id, "--samples", "8", "--no-square")
    assert code == 1
    assert "The fault lies in 4 nodes behind b2_sum and up to b3_sum." in out
    assert "Built with an output at b2_sum: the fault was there, behind the cut (cut" in out


def test_an_engine_that_changes_when_watched_is_refused_with_the_reason(run, tmp_path):
    bench = Bench(tmp_path, FakeTensorRT(nervous=True))
    _, out, _ = run(bench, "--inside", bench.build.id, "--samples", "8")
    assert "Nothing can be concluded about inner tensors. Marking changed the fusions" in out


def test_several_precisions_are_built_and_looked_into_side_by_side(run, tmp_path):
    bench = Bench(tmp_path, FakeTensorRT([Plant(tensor="b3_sum", factor=1.5)]))
    words = [
        bench.model.id,
        "--backend",
        "tensorrt",
        "--against",
        "fp16,bf16",
        "--samples",
        "4",
        "--no-square",
        "--json",
    ]
    code, out, err = run(bench, *words)
    assert code == 2
    assert "does not build BF16" in err  # the fake is as TensorRT 8.6 in that
    assert bench.engines.built == []
    words[4] = "fp16"
    code, out, err = run(bench, *words)
    assert code == 1, err
    plain = json.loads(out)
    assert plain["origin"] == {"fp16": ["sum3"]}
    assert {"index", "name", "op_type", "tensor", "fp16"} <= set(plain["layers"][0])
    assert plain["outputs"][0]["fp16"]["sqnr_db"] < 10
    assert plain["looks"]["fp16"]["intact"] is False


def test_several_precisions_without_a_gpu_say_what_is_missing(run, tmp_path):
    bench = Bench(tmp_path, FakeTensorRT(), absent="No NVIDIA driver is loaded.")
    code, _, err = run(bench, bench.model.id, "--backend", "tensorrt")
    assert code == 3
    assert "No NVIDIA driver is loaded. Compare the numerics twins with --backend ort." in err


def test_looks_are_listed_among_the_runs(run, tmp_path, capfd):
    bench = Bench(tmp_path, FakeTensorRT())
    seen = bench.look()
    run(bench, "--inside", bench.build.id, "--samples", "8")
    assert border.main(["runs", "--json", "--workspace", str(tmp_path / "workspace")]) == 0
    (model,) = json.loads(capfd.readouterr().out)["models"]
    assert {"id": seen.id, "build": bench.build.id} in model["looks"]
    assert len(model["looks"]) == 2


def test_without_a_gpu_it_says_what_is_missing(run, tmp_path):
    bench = Bench(tmp_path, FakeTensorRT(), absent="No NVIDIA driver is loaded.")
    code, _, err = run(bench, "--inside", bench.build.id)
    assert code == 3
    assert err == "error: No NVIDIA driver is loaded. Compare the numerics twins with diverge MODEL instead.\n"


def test_a_model_and_a_build_together_are_refused_and_so_is_neither(run, tmp_path):
    bench = Bench(tmp_path, FakeTensorRT())
    code, _, err = run(bench, "model.onnx", "--inside", bench.build.id)
    assert code == 2
    assert "given a model and a build" in err
    code, _, err = run(bench)
    assert code == 2
    assert "given no model" in err
