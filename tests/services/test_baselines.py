"""What stands beside TensorRT, and what each of them refuses."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest

from tests import models
from trt_core.backends.onnxruntime.runner import OrtRunner
from trt_core.backends.pytorch import meter as torch_meter
from trt_core.domain.latency import LatencyConditions, LatencyRequest, Measured
from trt_core.domain.requests import BenchSpec
from trt_core.errors import DependencyMissing, InvalidInput, NotFound, UnsupportedRequest
from trt_core.services.baselines import check_baseline, compared_program, device_of
from trt_core.services.programs import program_names, program_path
from trt_core.settings import settings_from
from trt_core.store.npz import random_feeds
from trt_core.testing import CollectingReporter
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


@pytest.mark.parametrize(
    ("factor", "rule"),
    [(1.0, "program-answers-alike"), (1.001, "program-answers-alike"), (2.0, "program-answers-otherwise")],
)
def test_a_program_that_answers_otherwise_is_another_model(bench, spec, monkeypatch, factor, rule):
    path = bench.library.model_path(spec.subject_id)
    runner = OrtRunner()
    session = runner.load(path)
    feeds = random_feeds(session.inputs, {})
    answers = [array.astype(np.float32) * np.float32(factor) for array in session.run(feeds)]
    monkeypatch.setattr(torch_meter, "program_outputs", lambda program, feeds: answers)
    found = compared_program(path.with_name("net.pt2"), path, feeds, runner)

    assert found.rule == rule
    monkeypatch.setattr(torch_meter, "program_outputs", lambda program, feeds: [*answers, *answers])
    assert "shapes" in compared_program(path.with_name("net.pt2"), path, feeds, runner).message


def test_a_measured_program_carries_whether_it_answers_as_the_model_does(bench, spec, monkeypatch):
    class Meter:
        def check(self):
            pass

        def measure(self, path, feeds, request, *, reporter):
            assert path.name == "net.pt2"
            known = LatencyConditions(
                device="d", backend="pytorch", backend_version="2", method="m", shapes=(), batch=1, threads=0, warmup=0
            )
            return Measured(samples_ms=(1.0, 2.0), warmup_ms=(), wall_s=1.0, conditions=known)

    monkeypatch.setitem(bench.latency._context.meters, "pytorch", Meter())
    monkeypatch.setattr(torch_meter, "program_outputs", lambda program, feeds: [np.zeros((7,), np.float32)])
    run = bench.latency.perform(replace(spec, backend="pytorch", program="net.pt2"), CollectingReporter())

    assert "program-answers-otherwise" in {item.rule for item in run.findings}
    assert "program net.pt2 in PyTorch" in run.label
