"""The workflow of a bundle, run line by line as continuous integration would."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.deploy.test_generated import our_lines
from tests.pages.engines import stocked
from trt_core.domain.deployment import DeployWish

ROOT = Path(__file__).parents[2]
DIGITS = ROOT / "samples/digits"


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    bench, _, build = stocked(tmp_path_factory.mktemp("workspace"))
    bundle = bench.deploy.bundle(DeployWish(build_id=build.id, to="commands"))
    return our_lines(yaml.safe_load(next(item.content for item in bundle.files if item.path == "ci/rebuild.yml")))


def checkout(folder: Path, *, samples: int | None = None) -> Path:
    """What the workflow wants in the repository; a proof that nothing got worse wants all samples."""
    shutil.copyfile(ROOT / "samples/digits_cnn/model.onnx", folder / "model.onnx")
    shutil.copyfile(DIGITS / "calibration.npz", folder / "calibration.npz")
    np.savez(folder / "validation.npz", image=np.load(DIGITS / "test.npz")["image"][:samples])
    np.savez(folder / "labels.npz", labels=np.load(DIGITS / "test_labels.npz")["labels"][:samples])
    return folder


def exit_codes(lines: list[list[str]], folder: Path) -> list[int]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    codes = []
    for line in lines:
        answer = subprocess.run(
            [sys.executable, *line[1:]], cwd=folder, env=environment, capture_output=True, check=False
        )
        codes.append(answer.returncode)
        if answer.returncode:
            break
    return codes


def test_a_good_variant_passes_and_the_engine_is_there(lines, tmp_path):
    assert exit_codes(lines, checkout(tmp_path)) == [0, 0, 0]
    assert (tmp_path / "digits_cnn.engine").read_bytes()[:4] == b"vtrt"


def test_a_variant_that_calibration_spoiled_fails_the_workflow(lines, tmp_path):
    folder = checkout(tmp_path, samples=600)
    images = np.load(folder / "calibration.npz")["image"]
    np.savez(folder / "calibration.npz", image=images * 1e-3)  # ranges a thousand times too small: everything clips

    assert exit_codes(lines, folder) == [0, 0, 1]
