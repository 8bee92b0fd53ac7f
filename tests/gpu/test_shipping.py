from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gpu.conftest import has_lean_runtime
from tests.gpu.test_workbench import bench, model, spec_for  # noqa: F401 - fixtures
from trt_core.domain.deployment import DeployWish
from trt_core.domain.precision import Precision
from trt_core.services.deploy import write_bundle
from trt_core.testing import CollectingReporter

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("version_compatible", [False, True])
def test_the_example_of_a_bundle_runs_its_engine_in_process(bench, model, tmp_path, version_compatible):  # noqa: F811
    if version_compatible and not has_lean_runtime():
        pytest.skip("the lean runtime, which version-compatible engines hold, is not installed")
    spec = spec_for(bench, model, Precision.FP16, version_compatible=version_compatible)
    build = bench.builds.perform(spec, CollectingReporter()).record
    write_bundle(bench.deploy.bundle(DeployWish(build_id=build.id)), tmp_path / "bundle")
    plan = tmp_path / "bundle/model_repository/digits_cnn/1/model.plan"
    plan.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(bench.builds.engine_path(build.id), plan)  # no Triton has this TensorRT: it stayed behind

    answer = subprocess.run(
        [sys.executable, tmp_path / "bundle/in_process.py"],
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(Path(__file__).parents[2]), *sys.path))},
        capture_output=True,
        text=True,
    )

    assert answer.returncode == 0, answer.stderr
    assert "ms on NVIDIA" in answer.stdout
