"""A workflow for continuous integration: build anew, validate, fail on a worse verdict."""

from __future__ import annotations

import shlex

from trt_core.deploy.command_words import FileNames
from trt_core.deploy.commands import cli_line
from trt_core.deploy.order import Order
from trt_core.deploy.yaml_text import Node, yaml_text
from trt_core.domain.deployment import GeneratedFile

_LABELLED = "--data validation.npz --labels labels.npz"
_BUILD_ID = """build_id=$(python -c 'import json; print(json.load(open("build.json"))["build"]["id"])')"""
_ABOUT = """Builds the engine anew and compares its answers with the model's: `validate` fails when it is worse.
Wants in the repository: model.onnx, validation.npz and labels.npz, and calibration.npz for INT8 and FP8.
The repository's variable ENGINESCOPE names the wheel or the checkout to install.
A TensorRT build wants a runner with that GPU (label gpu), where the engine itself is run over the samples;
TensorRT-RTX compiles on any, and the numerics twin of its variant is judged."""


def workflow_file(order: Order) -> GeneratedFile:
    """`ci/rebuild.yml`, in GitHub's format."""
    return GeneratedFile(path="ci/rebuild.yml", content=yaml_text(_workflow(order), about=_ABOUT))


def steps(order: Order) -> tuple[tuple[str, str], ...]:
    """(title, shell lines) of what the workflow runs of ours, every value quoted.

    An engine of TensorRT is itself run and judged: without its GPU the step fails, it does not fall back to a
    simulation. A plan of TensorRT-RTX runs nowhere here, so that its variant is judged. FP32 has no variant to judge.
    """
    build = cli_line(order.spec, FileNames(engine=f"{order.name}.engine", calibration="calibration.cache")).text
    if order.passport.backend == "tensorrt":
        judge = f'{_BUILD_ID}\npython -m trt_core validate "$build_id" --backend tensorrt {_LABELLED}'
        return ("Build the engine", f"{build} --json > build.json"), ("Fail when the engine is worse", judge)
    if not order.passport.precision.value.startswith(("fp32", "tf32")):
        judge = f"python -m trt_core validate model.onnx --against variant.onnx {_LABELLED}"
        made = ("Write the variant", _quantize_line(order))
        return ("Build the engine", build), made, ("Fail when the variant is worse", judge)
    return (("Build the engine", build),)


def _quantize_line(order: Order) -> str:
    recipe = order.spec.variant.recipe
    words = ["python", "-m", "trt_core", "quantize", "model.onnx", "--precision", recipe.precision.value]
    if recipe.needs_data:
        words += ["--data", "calibration.npz", "--method", recipe.method.value]
    if recipe.precision.is_quantized:
        words += ["--rest", recipe.rest.value]
    words += [f"--keep={rule.node}={rule.precision.value}" for rule in recipe.keep]
    return shlex.join([*words, "-o", "variant.onnx"])


def _workflow(order: Order) -> Node:
    runner: str | list[str] = ["self-hosted", "gpu"] if order.passport.backend == "tensorrt" else "ubuntu-24.04"
    run: list[Node] = [
        {"uses": "actions/checkout@v4"},
        {"uses": "actions/setup-python@v5", "with": {"python-version": "3.11"}},
        {
            "name": "Install",
            "env": {"ENGINESCOPE": "${{ vars.ENGINESCOPE }}"},
            "run": 'python -m pip install "${ENGINESCOPE:?set the variable ENGINESCOPE}"',
        },
        *({"name": name, "run": lines} for name, lines in steps(order)),
        {
            "uses": "actions/upload-artifact@v4",
            "with": {"name": order.tag, "path": f"{order.name}.engine"},
        },
    ]
    return {
        "name": f"Rebuild {order.name}",
        "on": {"push": {"paths": ["model.onnx", "*.npz"]}, "workflow_dispatch": {}},
        "permissions": {"contents": "read"},
        "jobs": {"rebuild": {"runs-on": runner, "timeout-minutes": 120, "steps": run}},
    }
