"""Everything that is generated is read by the tool that it is for; what has a whole file of its own is read there."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.deploy.tools import checked
from tests.deploy.triton_proto import parsed
from tests.pages.engines import stocked
from trt_core.cli.arguments import parser
from trt_core.domain.deployment import DESTINATIONS, DeployWish
from trt_core.errors import InvalidInput
from trt_core.services.deploy import write_bundle, zipped


@pytest.mark.parametrize("to", DESTINATIONS)
def test_shell_passes_shellcheck(folders, to):
    scripts = sorted((folders / to).rglob("*.sh"))

    assert scripts
    assert all(os.access(path, os.X_OK) for path in scripts)
    checked("shellcheck", *scripts)


@pytest.mark.parametrize("to", DESTINATIONS)
def test_python_passes_the_linter_that_finds_mistakes(folders, to):
    checked("ruff", "check", "--isolated", "--select", "E9,F,B,S102,S307,S602", *(folders / to).rglob("*.py"))


def test_every_configuration_is_one_of_tritons(folders):
    found = [*folders.rglob("config.pbtxt")]

    assert len(found) >= 9
    for path in found:
        name = parsed(path.read_text()).name
        assert path.parent.name in (name, "base")


def test_the_dockerfile_passes_hadolint(folders):
    checked("hadolint", folders / "triton/Dockerfile")


def our_lines(workflow: dict) -> list[list[str]]:
    """The words of every line that runs our own program, without where its output goes."""
    runs = [step.get("run", "") for step in workflow["jobs"]["rebuild"]["steps"]]
    lines = [line.partition(" > ")[0] for run in runs for line in run.splitlines()]
    return [shlex.split(line) for line in lines if line.startswith("python -m trt_core")]


def test_the_workflow_runs_commands_that_our_own_grammar_takes(folders):
    workflow = yaml.safe_load((folders / "commands/ci/rebuild.yml").read_text())

    asked = [parser().parse_args(line[3:]).command for line in our_lines(workflow)]

    assert asked == ["build", "validate"]
    assert "on" in workflow  # not True, which YAML 1.1 makes of a bare on
    assert workflow["jobs"]["rebuild"]["runs-on"] == ["self-hosted", "gpu"]


def test_the_workflow_of_an_engine_judges_the_engine_itself_by_the_id_that_build_prints(folders, tmp_path):
    workflow = yaml.safe_load((folders / "commands/ci/rebuild.yml").read_text())
    (judge,) = [step["run"] for step in workflow["jobs"]["rebuild"]["steps"] if "validate" in step.get("run", "")]
    (tmp_path / "build.json").write_text('{"build": {"id": "b-0123456789ab"}}')

    script = judge.replace("python -m trt_core", "echo").replace("python -c", f"{sys.executable} -c")
    said = subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert said.stdout.split()[:4] == ["validate", "b-0123456789ab", "--backend", "tensorrt"]


def test_what_the_workflow_runs_passes_shellcheck(folders, tmp_path):
    workflow = yaml.safe_load((folders / "commands/ci/rebuild.yml").read_text())
    runs = [step["run"] for step in workflow["jobs"]["rebuild"]["steps"] if "run" in step]
    script = tmp_path / "steps.sh"
    script.write_text("#!/usr/bin/env bash\nset -e\n" + "\n".join(runs) + "\n")

    checked("shellcheck", script)


def test_a_plan_that_runs_nowhere_here_has_its_variant_judged(tmp_path):
    bench, _, build = stocked(tmp_path)
    bundle = bench.deploy.bundle(DeployWish(build_id=build.id, to="commands"))
    workflow = yaml.safe_load(next(item.content for item in bundle.files if item.path == "ci/rebuild.yml"))

    asked = [parser().parse_args(line[3:]) for line in our_lines(workflow)]

    assert [item.command for item in asked] == ["build", "quantize", "validate"]
    assert asked[2].against == asked[1].output.name == "variant.onnx"
    assert workflow["jobs"]["rebuild"]["runs-on"] == "ubuntu-24.04"


def test_the_same_bundle_is_the_same_zip(engine):
    bench, build = engine
    wish = DeployWish(build_id=build.id, to="commands")

    assert zipped(bench.deploy.bundle(wish)) == zipped(bench.deploy.bundle(wish))


def test_a_folder_that_has_such_a_file_is_left_alone(folders, engine):
    bench, build = engine

    with pytest.raises(InvalidInput, match="is there already"):
        write_bundle(bench.deploy.bundle(DeployWish(build_id=build.id)), folders / "triton")


def test_the_in_process_example_runs(folders):
    root = Path(__file__).parents[2]

    answer = subprocess.run(
        [sys.executable, folders / "triton/in_process.py"],
        check=False,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
    )

    assert answer.returncode == 0, answer.stderr
    assert "p50" in answer.stdout


# In the place of a GPU: the runner's own class, over a session that answers at once and says which file it was given.
_RUNNER = """
import sys, types
import numpy as np

class Session:
    outputs, device, version = ("y",), "a GPU", "10.7.0"
    def run(self, feeds):
        return [np.zeros((len(next(iter(feeds.values()))), 4), np.float32)]

class TrtRunner:
    def session(self, path):
        print("session over", path.name)
        return Session()

module = types.ModuleType("trt_core.backends.tensorrt.runner")
module.TrtRunner = TrtRunner
sys.modules[module.__name__] = module
"""


def test_where_tensorrt_is_the_example_runs_the_engine_that_came_along(folders, tmp_path):
    (tmp_path / "tensorrt.py").write_text("")
    (tmp_path / "sitecustomize.py").write_text(_RUNNER)

    answer = subprocess.run(
        [sys.executable, folders / "triton/in_process.py"],
        check=False,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"},
        capture_output=True,
        text=True,
    )

    assert answer.returncode == 0, answer.stderr
    assert "session over model.plan" in answer.stdout
    assert "ms on a GPU, 10.7.0" in answer.stdout
