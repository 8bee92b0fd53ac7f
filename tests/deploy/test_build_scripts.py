"""What builds an engine elsewhere: flags that the trtexec there knows, and one build for one model, version and GPU."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.deploy.stock import add_engine, add_model, profile
from tests.deploy.trtexec_table import flags_of, flags_of_major
from trt_core.deploy.building import trtexec_release
from trt_core.deploy.targets import triton_releases
from trt_core.domain.deployment import DeployWish
from trt_core.domain.engine import BuilderOptions
from trt_core.domain.precision import Precision
from trt_core.services.deploy import write_bundle
from trt_core.workbench import workspace_of


def trtexec_calls(text: str) -> list[list[str]]:
    joined = text.replace("\\\n", " ")
    lines = [line.strip().removeprefix("if ! ").removesuffix("; then") for line in joined.splitlines()]
    return [shlex.split(line) for line in lines if re.match(r"trtexec\s+-", line)]


@pytest.mark.parametrize(
    ("release", "name"), [("8.6", "trtexec_8.6.sh"), ("10.x", "trtexec_10.x.sh"), ("11.x", "trtexec_11.x.sh")]
)
@pytest.mark.parametrize("precision", [Precision.FP32, Precision.FP16])
def test_trtexec_knows_every_flag_that_it_is_given(tmp_path, release, name, precision):
    bench = workspace_of(tmp_path / "w")
    options = BuilderOptions(
        optimization_level=4, workspace_mb=512, version_compatible=True, hardware_compatibility="ampere_plus"
    )
    build = add_engine(
        bench, add_model(bench), precision=precision, options=options, profiles=(profile("x=1x8:8x8:32x8"),)
    )
    write_bundle(bench.deploy.bundle(DeployWish(build_id=build.id, to="commands")), tmp_path / "out")

    calls = trtexec_calls((tmp_path / "out/commands" / name).read_text())

    assert len(calls) == 1
    assert {word.split("=")[0] for word in calls[0][1:]} <= flags_of_major(release)


def test_the_flag_table_tells_the_releases_apart():
    assert "--stronglyTyped" not in flags_of("8.6.1.6")
    assert "--fp16" in flags_of("10.16.1.11")
    assert "--fp16" not in flags_of("11.0.0")
    assert "--remoteAutoTuningConfig" not in flags_of_major("10.x")


@pytest.fixture(scope="module")
def plain(engine):
    """An FP16 engine of one profile: what every release can build."""
    bench, _ = engine
    precision, profiles = Precision.FP16, (profile("x=1x8:4x8:8x8"),)
    return bench, add_engine(bench, add_model(bench), precision=precision, profiles=profiles, number=7)


@pytest.mark.parametrize("release", triton_releases(), ids=lambda item: item.release)
def test_the_build_script_uses_flags_that_the_trtexec_of_the_triton_release_knows(plain, release):
    bench, build = plain
    bundle = bench.deploy.bundle(DeployWish(build_id=build.id, triton=release.release))
    script = next(item.content.decode() for item in bundle.files if item.path == "build_plan.sh")

    calls = trtexec_calls(script)

    assert len(calls) == 1
    assert {word.split("=")[0] for word in calls[0][1:]} <= flags_of(release.tensorrt)


@pytest.mark.parametrize(("triton", "jetpack"), [("23.12", "8.6.1"), ("24.12", "10.3.0")])
def test_the_jetson_set_uses_the_flags_of_its_jetpack(plain, triton, jetpack):
    bench, build = plain
    bundle = bench.deploy.bundle(DeployWish(build_id=build.id, to="commands", triton=triton))
    script = next(item.content.decode() for item in bundle.files if item.path.endswith("build_on_jetson.sh"))

    calls = trtexec_calls(script)

    assert len(calls) == 4
    assert all({word.split("=")[0] for word in call[1:]} <= flags_of(jetpack) for call in calls)
    assert "--useDLACore=0 --allowGPUFallback" in script
    assert all(word in script for word in ("nvpmodel -m 0", "jetson_clocks"))


@pytest.mark.parametrize(("version", "release"), [("8.6.1", "8.6"), ("10.7", "10.x"), ("11.1.0", "11.x")])
def test_a_version_has_its_option_parser(version, release):
    assert trtexec_release(version) == release


def fake_tools(folder: Path, *, sm: str = "9.0", version: str = "100700") -> dict[str, str]:
    """trtexec and nvidia-smi as far as the build script uses them."""
    folder.mkdir()
    scripts = {
        "nvidia-smi": f"echo {sm}",
        "trtexec": f'[ "$1" = --help ] && echo "[TensorRT v{version}]" && exit\n'
        'for word in "$@"; do case $word in --saveEngine=*) echo plan > "${word#--saveEngine=}";; esac; done\necho built >> built',
    }
    for name, text in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}


def test_the_build_script_builds_once_for_one_model_version_and_gpu(folders, tmp_path):
    write = tmp_path / "bundle"
    subprocess.run(["cp", "-r", folders / "triton", write], check=True)
    environment = fake_tools(tmp_path / "bin")
    call = {"cwd": write, "env": environment, "capture_output": True, "text": True}

    first = subprocess.run(["./build_plan.sh"], check=False, **call)
    again = subprocess.run(["./build_plan.sh"], check=False, **call)
    (write / "source/model.onnx").write_bytes(b"another model")
    other = subprocess.run(["./build_plan.sh"], check=False, **call)

    assert (first.returncode, again.returncode, other.returncode) == (0, 0, 0), first.stderr
    assert "nothing to build" in again.stdout
    assert (write / "built").read_text().count("built") == 2
    assert all("-trt100700-sm90-" in path.name for path in (write / "engine-cache").iterdir())
    assert (write / "model_repository/My_Mlp_v2/1/model.plan").read_text() == "plan\n"


def test_the_build_script_refuses_another_gpu(folders, tmp_path):
    environment = fake_tools(tmp_path / "bin", sm="8.0")

    answer = subprocess.run(
        ["./build_plan.sh"], check=False, cwd=folders / "triton", env=environment, capture_output=True, text=True
    )

    assert answer.returncode == 1
    assert "this GPU is sm80, the deployment is for sm90" in answer.stderr


def test_a_jetson_without_a_dla_is_timed_on_its_gpu_and_says_so(plain, tmp_path):
    bench, build = plain
    write_bundle(bench.deploy.bundle(DeployWish(build_id=build.id, to="commands")), tmp_path / "bundle")
    environment = fake_tools(tmp_path / "bin")
    (tmp_path / "bin/trtexec").write_text('#!/bin/sh\necho "$@" >> calls\ncase "$*" in *--useDLACore*) exit 1;; esac\n')
    for name in ("nvpmodel", "jetson_clocks"):
        (tmp_path / "bin" / name).write_text("#!/bin/sh\n")
    (tmp_path / "bin/sudo").write_text('#!/bin/sh\nexec "$@"\n')
    for path in (tmp_path / "bin").iterdir():
        path.chmod(0o755)

    answer = subprocess.run(
        ["jetson/build_on_jetson.sh"],
        check=False,
        cwd=tmp_path / "bundle",
        env=environment,
        capture_output=True,
        text=True,
    )

    assert answer.returncode == 0, answer.stderr
    assert "note: no engine for a DLA" in answer.stdout
    assert (tmp_path / "bundle/calls").read_text().count("\n") == 3
