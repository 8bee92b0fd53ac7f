"""The smoke client asks a served model what was recorded, and says whether the answer is the same."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.deploy.kserve import serving
from tests.deploy.stock import add_engine, add_model, profile
from trt_core.domain.deployment import DeployWish
from trt_core.domain.precision import Precision
from trt_core.services.deploy import write_bundle
from trt_core.workbench import workspace_of


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A written bundle of an FP16 engine of the convolutional sample, and the model as uploaded."""
    root = tmp_path_factory.mktemp("smoke")
    bench = workspace_of(root / "workspace")
    model = bench.library.add_sample("digits_cnn")
    build = add_engine(bench, model, profiles=(profile("image=1x1x16x16:4x1x16x16:8x1x16x16"),))
    write_bundle(bench.deploy.bundle(DeployWish(build_id=build.id)), root / "bundle")
    return root / "bundle", bench.library.model_path(model.id)


def asked(folder, url, *words):
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    return subprocess.run(
        [sys.executable, folder / "smoke/smoke_client.py", "--url", url, "--timeout", "10", *words],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
    )


@pytest.mark.parametrize("binary", [True, False])
def test_the_same_model_passes(bundle, binary):
    folder, model = bundle
    with serving(model, "digits_cnn", binary=binary) as url:
        answer = asked(folder, url)

    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "ok logits: relative L2" in answer.stdout
    assert "digits/" in answer.stdout


def test_rounding_within_the_precision_passes_and_another_answer_fails(bundle):
    folder, model = bundle
    with serving(model, "digits_cnn", change=lambda array: array * 1.001) as url:
        assert asked(folder, url).returncode == 0
    with serving(model, "digits_cnn", change=lambda array: array[:, ::-1].copy()) as url:
        answer = asked(folder, url)

    assert answer.returncode == 1
    assert "FAIL logits" in answer.stdout


@pytest.mark.parametrize("change", [lambda array: array * float("nan"), lambda array: array[:, :5].copy()])
def test_nan_and_another_shape_fail(bundle, change):
    folder, model = bundle
    with serving(model, "digits_cnn", change=change) as url:
        assert asked(folder, url).returncode == 1


def test_a_server_that_refuses_or_is_not_there_is_told_in_one_line(bundle):
    folder, model = bundle
    with serving(model, "digits_cnn") as url:
        refused = asked(folder, url, "--model", "other")
    silent = asked(folder, url)

    assert (refused.returncode, silent.returncode) == (2, 2)
    assert "unknown path" in refused.stderr
    assert "does not answer" in silent.stderr
    assert "Traceback" not in refused.stderr + silent.stderr


def test_a_datatype_that_numpy_has_not_is_told_in_one_line(bundle, tmp_path):
    folder, model = bundle
    shutil.copytree(folder / "smoke", tmp_path / "smoke")
    facts = json.loads((tmp_path / "smoke/tensors.json").read_text())
    facts["inputs"][0]["datatype"] = "BF16"
    (tmp_path / "smoke/tensors.json").write_text(json.dumps(facts))

    with serving(model, "digits_cnn") as url:
        answer = asked(tmp_path, url)

    assert (answer.returncode, answer.stderr) == (2, "error: image is BF16, which numpy has not\n")


def test_the_recording_says_what_it_is_worth(bundle):
    facts = json.loads((bundle[0] / "smoke/tensors.json").read_text())

    assert "FP32" in facts["reference"]
    assert "ONNX Runtime" in facts["reference"] or "onnxruntime" in facts["reference"].lower()
    assert facts["tolerance"] == pytest.approx(2e-2)


def test_a_model_that_nobody_can_run_here_has_no_smoke_test_and_says_so(tmp_path):
    bench = workspace_of(tmp_path)
    model = bench.library.add_sample("unsupported_op")
    build = add_engine(bench, model, precision=Precision.FP32)

    bundle = bench.deploy.bundle(DeployWish(build_id=build.id))

    assert not any(item.path.startswith("smoke/") for item in bundle.files)
    assert any(item.rule == "no-smoke-test" for item in bundle.findings)


def test_a_model_without_data_is_asked_with_random_input(tmp_path):
    bench = workspace_of(tmp_path)
    build = add_engine(bench, add_model(bench), profiles=(profile("x=1x8:4x8:8x8"),))
    write_bundle(bench.deploy.bundle(DeployWish(build_id=build.id)), tmp_path / "out")

    facts = json.loads((tmp_path / "out/smoke/tensors.json").read_text())

    assert "random input (seed 0)" in facts["reference"]
