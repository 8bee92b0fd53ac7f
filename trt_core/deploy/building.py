"""The scripts that build an engine where it will run."""

from __future__ import annotations

import hashlib
import shlex

from trt_core.deploy.command_words import CALIBRATION_FILE, FileNames
from trt_core.deploy.order import Order
from trt_core.deploy.targets import release_of
from trt_core.deploy.templating import filled
from trt_core.deploy.trtexec import trtexec_line
from trt_core.domain.deployment import GeneratedFile
from trt_core.errors import UnsupportedRequest

_BUILD_IMAGE = "nvcr.io/nvidia/tensorrt:{release}-py3"


def trtexec_release(tensorrt: str) -> str:
    """Which of the known option parsers a TensorRT version has."""
    major = release_of(tensorrt)[0]
    return "8.6" if major <= 8 else "10.x" if major <= 10 else "11.x"


def build_image(order: Order) -> str:
    """NVIDIA's TensorRT image of the same month as the Triton image: it has the same TensorRT, and trtexec."""
    return _BUILD_IMAGE.format(release=order.target.triton) if order.target.triton else ""


def trtexec_flags(order: Order) -> list[str]:
    """The flags for the target's trtexec without file names; UnsupportedRequest where that version cannot do it."""
    names = FileNames(calibration=CALIBRATION_FILE)
    line = trtexec_line(order.spec, names, trtexec_release(order.target.tensorrt))
    if line.refused:
        raise UnsupportedRequest(line.refused, remedy="Choose another target, precision or profile.")
    words = [word for word in shlex.split(line.text)[1:] if not word.startswith(("--onnx=", "--saveEngine="))]
    return [word.replace("--staticPlugins=", "--staticPlugins=plugins/", 1) for word in words]


def build_script(order: Order) -> GeneratedFile:
    """`build_plan.sh`: builds with the target's trtexec, and caches by model, version, architecture and flags."""
    # The cache lies beside the ONNX file, wherever that is: the script names it.
    flags = shlex.join(word for word in trtexec_flags(order) if not word.startswith("--calib="))
    number = release_of(order.target.tensorrt)
    digits = 1 if number[0] < 10 else 2  # 8.6.1 is v8601, 10.7.0 is v100700
    text = filled(
        "build_plan.sh",
        name=order.name,
        version=order.target.tensorrt,
        version_number=f"{number[0]}{number[1]:0{digits}d}{number[2] if len(number) > 2 else 0:02d}",
        sm=str(order.target.sm.number) if order.target.sm else "",
        image=build_image(order) or "NVIDIA's TensorRT image",
        flags=flags,
        calibration="yes" if order.implicit else "",
        flags_key=hashlib.sha256(flags.encode()).hexdigest()[:8],
    )
    return GeneratedFile(path="build_plan.sh", content=text, executable=True)


def docker_build_script(order: Order) -> GeneratedFile:
    """`build_in_docker.sh`: the same inside NVIDIA's image."""
    text = filled("build_in_docker.sh", build_image=build_image(order))
    return GeneratedFile(path="build_in_docker.sh", content=text, executable=True)


def source_files(order: Order) -> list[GeneratedFile]:
    """The ONNX that is built, beside the engine: it is what every rebuild starts from."""
    if order.variant is None:
        return []
    files = [GeneratedFile(path="source/model.onnx", source=order.variant)]
    if order.variant_data is not None:
        files.append(GeneratedFile(path="source/model.onnx.data", source=order.variant_data))
    if order.calibration is not None:
        files.append(GeneratedFile(path=CALIBRATION_FILE, source=order.calibration))
    return files
