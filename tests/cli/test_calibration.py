"""Calibration caches on the command line."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from tests import models
from tests.analysis.trt86 import FOLDER
from tests.fake_tensorrt import CalibratingFake
from trt_core.cli import main as border
from trt_core.cli.arguments import parser
from trt_core.cli.main import main
from trt_core.cli.wishes import build_spec
from trt_core.settings import settings_from
from trt_core.workbench import open_workbench

CACHE = "TRT-8600-MinMaxCalibration\nx: 3c010a14\nh: 3d010a14\n"


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A folder with a model and its cache, on a machine whose TensorRT calibrates."""
    models.saved(models.mlp(), tmp_path / "mlp.onnx")
    (tmp_path / "mlp.calib").write_text(CACHE)

    def opened(settings):
        return open_workbench(settings, compilers={"tensorrt": CalibratingFake()})

    monkeypatch.setattr(border, "open_workbench", opened)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys, *arguments: str, code: int = 0) -> dict:
    assert main([*arguments, "--json", "--workspace", "workspace"]) == code
    out = capsys.readouterr().out
    return json.loads(out) if out else {}


@pytest.mark.usefixtures("here")
def test_a_file_is_shown_as_a_table_of_ranges(capsys):
    plain = said(capsys, "calibration", "show", str(FOLDER / "r18.calib"))

    assert (plain["tensorrt"], plain["algorithm"]) == ("8.6.0", "EntropyCalibration2")
    assert plain["ranges"][0]["tensor"] == "x"
    assert plain["ranges"][0]["high"] == pytest.approx(4.6847, abs=1e-3)
    assert "(Unnamed Layer* 0) [Constant]_output" in plain["without_scale"]


def test_a_cache_goes_in_and_comes_out_as_it_was(capsys, here):
    record = said(capsys, "calibration", "import", "mlp.calib", "--model", "mlp.onnx")["cache"]
    said(capsys, "calibration", "export", record["id"], "-o", "out.calib")

    assert (here / "out.calib").read_bytes() == CACHE.encode()
    assert [item["id"] for item in said(capsys, "calibration", "list")["caches"]] == [record["id"]]
    assert [item["tensor"] for item in said(capsys, "calibration", "show", record["id"])["ranges"]] == ["x", "h"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("calibration", "show"), "was given no cache"),
        (("calibration", "show", "gone.calib"), "There is no file 'gone.calib'"),
        (("calibration", "show", "mlp.onnx"), "no calibration cache"),
        (("calibration", "show", "k-0123456789ab"), "k-0123456789ab"),
        (("calibration", "import", "mlp.calib"), "for no model"),
        (("calibration", "export", "k-0123456789ab"), "no file to write to"),
        (("build", "mlp.onnx", "--precision", "int8", "--calibration-cache", "mlp.calib"), "--calibration implicit"),
    ],
)
@pytest.mark.usefixtures("here")
def test_what_cannot_be_done_is_one_line(capsys, words, sentence):
    assert main([*words, "--workspace", "workspace"]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert sentence in lines[0]


def test_a_build_is_given_the_cache_in_place_of_data(tmp_path):
    bench = open_workbench(settings_from(workspace=tmp_path / "w"), compilers={"tensorrt": CalibratingFake()})
    model = bench.library.add_upload({"mlp.onnx": io.BytesIO(models.mlp().SerializeToString())})
    (tmp_path / "mlp.calib").write_text(CACHE)
    words = ["build", model.id, "--backend", "tensorrt", "--precision", "int8", "--calibration", "implicit"]

    by_file = build_spec(
        bench, parser().parse_args([*words, "--calibration-cache", str(tmp_path / "mlp.calib")]), model.id
    )
    (record,) = bench.caches.caches(model.id)
    by_id = build_spec(bench, parser().parse_args([*words, "--calibration-cache", record.id]), model.id)

    assert by_file == by_id
    assert by_file.variant.data_id == record.id
    assert by_file.is_implicit
    bench.builds.check(by_file)
