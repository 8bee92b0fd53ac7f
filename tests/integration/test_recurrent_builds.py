"""GRU and LSTM through the real compiler, in a process of its own: where it does not end, the test ends it."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests import models

pytest.importorskip("tensorrt_rtx_bindings", reason="TensorRT-RTX's wheels are not installed")

ROOT = Path(__file__).parents[2]
_IN_PLACE = """
import sys
from pathlib import Path
from trt_core.domain.precision import Precision, Recipe
from trt_core.domain.requests import BuildSpec, QuantizeSpec
from trt_core.settings import settings_from
from trt_core.testing import CollectingReporter
from trt_core.workbench import open_workbench

bench = open_workbench(settings_from(workspace=Path(sys.argv[2])))
model = bench.library.add_file(Path(sys.argv[1]), trusted=True)
spec = BuildSpec(variant=QuantizeSpec(model_id=model.id, recipe=Recipe(precision=Precision.FP32)))
record = bench.builds.perform(spec, CollectingReporter()).record
print([item.rule for item in record.findings if item.rule.startswith("recurrent")], record.request.profiles[0].ranges[0].max)
"""


def _limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (12 << 30, 12 << 30))


@pytest.mark.parametrize("op", ["GRU", "LSTM"])
def test_a_recurrent_model_is_built_without_a_profile(op, tmp_path):
    path = models.saved(models.recurrent(op), tmp_path / "m.onnx")
    command = [sys.executable, "-c", _IN_PLACE, str(path), str(tmp_path / "workspace")]
    done = subprocess.run(
        command, cwd=ROOT, timeout=90, preexec_fn=_limited, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "['recurrent-batch-open'] (8, 10, 8)"


def test_what_the_file_fixes_is_told_before_and_beside_its_support(tmp_path):
    path = models.saved(models.recurrent("LSTM", batch=1), tmp_path / "m.onnx")
    command = [sys.executable, "-m", "trt_core", "inspect", str(path), "--json", "--workspace", str(tmp_path / "w")]
    done = subprocess.run(command, cwd=ROOT, timeout=90, capture_output=True, text=True, check=False)
    assert "recurrent-batch-of-one" in {item["rule"] for item in json.loads(done.stdout)["findings"]}
