"""A workflow for continuous integration: build anew, validate, fail on a worse verdict."""

from __future__ import annotations

import shlex

from trt_core.deploy.command_words import FileNames
from trt_core.deploy.commands import cli_line
from trt_core.deploy.order import Order
from trt_core.deploy.yaml_text import Node, yaml_text
from trt_core.domain.deployment import GeneratedFile

_ABOUT = """Builds the engine anew and compares the variant with its model: `validate` fails when it is worse.
Wants in the repository: model.onnx, validation.npz and labels.npz, and calibration.npz for INT8 and FP8.
The repository's variable ENGINESCOPE names the wheel or the checkout to install.
A TensorRT build wants a runner with that GPU (label gpu); TensorRT-RTX compiles on any."""


def workflow_file(order: Order) -> GeneratedFile:
    """`ci/rebuild.yml`, in GitHub's format."""
    return GeneratedFile(path="ci/rebuild.yml", content=yaml_text(_workflow(order), about=_ABOUT))


def commands(order: Order) -> tuple[str, ...]:
    """The two commands of ours that the workflow runs, quoted for a shell."""
    build = cli_line(order.spec, FileNames(engine=f"{order.name}.engine", calibration="calibration.cache")).text
    words = ["python", "-m", "trt_core", "quantize", "model.onnx", "--precision", order.passport.precision.value]
    if order.spec.variant.recipe.needs_data:
        words += ["--data", "calibration.npz", "--method", order.spec.variant.recipe.method.value]
    if order.passport.precision.is_quantized:
        words += ["--rest", order.spec.variant.recipe.rest.value]
    words += [f"--keep={rule.node}={rule.precision.value}" for rule in order.spec.variant.recipe.keep]
    quantize = shlex.join([*words, "-o", "variant.onnx"])
    judged = "python -m trt_core validate model.onnx --against variant.onnx --data validation.npz --labels labels.npz"
    quantized = order.passport.precision.value not in ("fp32", "tf32")
    return (build, quantize, judged) if quantized else (build,)


def _workflow(order: Order) -> Node:
    runner: str | list[str] = ["self-hosted", "gpu"] if order.passport.backend == "tensorrt" else "ubuntu-24.04"
    names = ("Build the engine", "Write the variant", "Fail when the variant is worse")
    steps: list[Node] = [
        {"uses": "actions/checkout@v4"},
        {"uses": "actions/setup-python@v5", "with": {"python-version": "3.11"}},
        {
            "name": "Install",
            "env": {"ENGINESCOPE": "${{ vars.ENGINESCOPE }}"},
            "run": 'python -m pip install "${ENGINESCOPE:?set the variable ENGINESCOPE}"',
        },
        *({"name": name, "run": line} for name, line in zip(names, commands(order), strict=False)),
        {
            "uses": "actions/upload-artifact@v4",
            "with": {"name": order.tag, "path": f"{order.name}.engine"},
        },
    ]
    return {
        "name": f"Rebuild {order.name}",
        "on": {"push": {"paths": ["model.onnx", "*.npz"]}, "workflow_dispatch": {}},
        "permissions": {"contents": "read"},
        "jobs": {"rebuild": {"runs-on": runner, "timeout-minutes": 120, "steps": steps}},
    }
