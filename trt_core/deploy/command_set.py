"""The same engine by other tools: a script for each, a set for Jetson, and a workflow for continuous integration."""

from __future__ import annotations

import shlex

from trt_core.deploy.command_words import CALIBRATION_FILE, CommandLine, FileNames
from trt_core.deploy.commands import command_lines
from trt_core.deploy.order import Order
from trt_core.deploy.templating import filled
from trt_core.deploy.triton import common_files, readme_text
from trt_core.deploy.trtexec import trtexec_line
from trt_core.deploy.workflow import workflow_file
from trt_core.domain.deployment import GeneratedFile
from trt_core.domain.precision import Precision
from trt_core.errors import InvalidInput

_ON_DLA = (Precision.FP16, Precision.INT8)


def commands_bundle(order: Order) -> list[GeneratedFile]:
    """A folder of scripts; what a tool cannot do is said in the README with the reason."""
    lines = command_lines(order.spec, _names(order))
    files = [_script(line) for line in lines if not line.refused]
    refused = [f"{line.tool} is left out: {line.refused}" for line in lines if line.refused]
    steps = ["`commands/` has one script for each tool; run it from this folder.", *refused]
    steps.append("`jetson/build_on_jetson.sh` builds and times on a Jetson, with its DLA where it has the precision.")
    steps.append("`ci/rebuild.yml` goes to `.github/workflows/`: it builds anew and fails on a worse verdict.")
    return [
        *files,
        jetson_file(order),
        workflow_file(order),
        *common_files(order),
        GeneratedFile(path="README.md", content=readme_text(order, "other tools", steps)),
    ]


def _names(order: Order) -> FileNames:
    return FileNames(
        model="model.onnx",
        variant="source/model.onnx",
        engine=f"{order.name}.engine",
        data="calibration.npz",
        calibration=CALIBRATION_FILE,
    )


def _script(line: CommandLine) -> GeneratedFile:
    slug = line.tool.replace(" ", "_")
    text = f"#!/usr/bin/env bash\n# {line.tool}: {line.note}\nset -euo pipefail\n\n{line.text}\n"
    return GeneratedFile(path=f"commands/{slug}.sh", content=text.encode(), executable=True)


def jetson_file(order: Order) -> GeneratedFile:
    """A script that uses the flags of the trtexec that JetPack 5 (8.5, 8.6) and 6 (8.6, 10.3) bring, by its major."""
    major = "10.x" if order.target.tensorrt.startswith(("10", "11")) else "8.6"
    line = trtexec_line(order.spec, _names(order), major)
    if line.refused:
        raise InvalidInput(f"A Jetson's trtexec cannot build this. {line.refused}", remedy="Choose FP16 or INT8.")
    flags = [word for word in shlex.split(line.text)[1:] if not word.startswith(("--onnx=", "--saveEngine="))]
    precision = order.passport.precision
    flags = [word for word in flags if not word.startswith(("--useDLACore", "--allowGPUFallback"))]
    dla = [word for word in flags if word not in ("--stronglyTyped", "--noTF32")]
    no_dla = ""
    if precision not in _ON_DLA:
        no_dla = f"it runs FP16 and INT8, and this engine is {precision.value.upper()}"
    elif major == "10.x" and precision is Precision.INT8 and not order.implicit:
        # A strongly typed network has no DLA; Q/DQ pairs need it to keep their types.
        no_dla = "a network with Q/DQ pairs is strongly typed from TensorRT 10 on, which DLA does not take"
    elif major == "10.x" and "--fp16" not in dla:
        dla.insert(0, "--fp16")
    shapes = [word.replace("--optShapes=", "--shapes=") for word in flags if word.startswith("--optShapes=")]
    text = filled(
        "jetson.sh",
        version="8.6" if major == "8.6" else "10",
        flags=shlex.join(flags),
        dla="" if no_dla else shlex.join(dla),
        no_dla=no_dla,
        shapes=shlex.join(shapes[:1]),
    )
    return GeneratedFile(path="jetson/build_on_jetson.sh", content=text, executable=True)
