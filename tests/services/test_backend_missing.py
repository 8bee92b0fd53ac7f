from __future__ import annotations

from pathlib import Path

import pytest

from tests import models
from trt_core.domain.capabilities import Capabilities
from trt_core.domain.latency import LatencyRequest
from trt_core.domain.precision import Precision, Recipe
from trt_core.domain.requests import BenchSpec, BuildSpec, InspectSpec, QuantizeSpec
from trt_core.errors import Unavailable
from trt_core.settings import settings_from
from trt_core.workbench import Workbench, open_workbench

REASON = "CUDA finds no driver. Install the NVIDIA driver."


class WithoutDriver:
    """A TensorRT whose package is installed on a machine without a GPU, as its probe answers there."""

    name = "tensorrt"
    default_target = None

    def version(self) -> str:
        return "10.0"

    def capabilities(self) -> Capabilities:
        missing = tuple((ability, REASON) for ability in ("parse", "build", "run"))
        return Capabilities(backend=self.name, title="TensorRT", missing=missing)


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return open_workbench(settings_from({}, workspace=tmp_path / "workspace"), compilers={"tensorrt": WithoutDriver()})


def test_a_package_without_a_gpu_is_missing_something_whatever_is_asked(bench, tmp_path, monkeypatch):
    record = bench.library.add_file(models.saved(models.mlp(), tmp_path / "m.onnx"), trusted=True)
    wish = QuantizeSpec(model_id=record.id, recipe=Recipe(precision=Precision.FP16))
    monkeypatch.setitem(bench.latency._context.meters, "tensorrt", object())
    for ask in (
        lambda: bench.builds.check(BuildSpec(variant=wish, backend="tensorrt")),
        lambda: bench.builds.require_implicit_calibration("tensorrt"),
        lambda: bench.builds.require_timing_cache("tensorrt"),
        lambda: bench.support.submit(InspectSpec(model_id=record.id, backend="tensorrt")),
        lambda: bench.latency.submit(BenchSpec(subject_id=record.id, request=LatencyRequest(), backend="tensorrt")),
    ):
        with pytest.raises(Unavailable, match="Install the NVIDIA driver") as caught:
            ask()
        assert caught.value.exit_code == 3
