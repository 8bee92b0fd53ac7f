"""What stands beside TensorRT, and what each of them refuses."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from tests import models
from trt_core.domain.latency import LatencyRequest
from trt_core.domain.requests import BenchSpec
from trt_core.errors import DependencyMissing, InvalidInput, NotFound, UnsupportedRequest
from trt_core.services.baselines import check_baseline, device_of
from trt_core.services.programs import program_names, program_path
from trt_core.settings import settings_from
from trt_core.workbench import open_workbench


@pytest.fixture
def settings(tmp_path):
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "net.pt2").write_bytes(b"program")
    (folder / "notes.txt").write_bytes(b"no program")
    (folder / "away.pt2").symlink_to(tmp_path / "elsewhere.pt2")
    (tmp_path / "elsewhere.pt2").write_bytes(b"program")
    return settings_from({"ENGINESCOPE_TORCH_PROGRAMS": str(folder)}, workspace=tmp_path / "workspace")


@pytest.fixture
def bench(settings):
    return open_workbench(settings)


@pytest.fixture
def spec(bench):
    model = bench.library.add_upload({"mlp.onnx": io.BytesIO(models.mlp().SerializeToString())})
    return BenchSpec(subject_id=model.id, request=LatencyRequest())


def test_only_files_that_lie_in_the_operators_folder_are_programs(settings):
    assert program_names(settings) == ("net.pt2",)
    assert program_path(settings, "net.pt2").read_bytes() == b"program"
    with pytest.raises(InvalidInput, match="none is named") as caught:
        program_path(settings, "")
    assert "net.pt2" in caught.value.remedy
    for wrong in ("away.pt2", "../elsewhere.pt2", "notes.txt"):
        with pytest.raises(NotFound):
            program_path(settings, wrong)
    with pytest.raises(InvalidInput, match="No folder of PyTorch programs") as caught:
        program_path(replace(settings, torch_programs=None), "net.pt2")
    assert "may carry code" in caught.value.remedy


def test_cuda_in_onnx_runtime_is_refused_with_what_installs_it(bench, spec):
    with pytest.raises(DependencyMissing) as caught:
        bench.latency.submit(replace(spec, backend="ort-cuda"))
    assert "onnxruntime-gpu" in caught.value.remedy


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"request": LatencyRequest(transfers=True)}, "no copies to include"),
        ({"request": LatencyRequest(cuda_graph=True)}, "CUDA graphs"),
        ({"program": "net.pt2"}, "runs no PyTorch program"),
        ({"subject_id": "b-0123456789ab"}, "is an engine"),
    ],
)
def test_what_a_baseline_does_not_do_is_refused(settings, spec, changes, said):
    with pytest.raises(UnsupportedRequest, match=said):
        check_baseline(replace(spec, **changes), settings)


def test_a_measurement_has_the_device_to_itself_that_it_runs_on():
    assert device_of("ort") == device_of("pytorch") != device_of("tensorrt")
    assert device_of("ort-cuda") == device_of("pytorch-cuda") == device_of("tensorrt")
