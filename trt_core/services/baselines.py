"""What stands beside TensorRT: which request each baseline takes, and on which device it runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trt_core.domain.artifacts import ArtifactKind, checked_id
from trt_core.domain.findings import Finding, Severity
from trt_core.domain.latency import METERS, ON_HOST
from trt_core.domain.requests import BenchSpec
from trt_core.errors import UnsupportedRequest
from trt_core.protocols import Array, Feeds, Runner
from trt_core.services.places import CPU, GPU
from trt_core.services.programs import program_path
from trt_core.settings import Settings

_SAME = 1e-2  # relative L2: far above the rounding of FP16, far below another model's answer
_PYTORCH = frozenset({"pytorch", "pytorch-cuda"})


def device_of(backend: str) -> str:
    """The device that a measurement has to itself."""
    return CPU if backend in ON_HOST else GPU


def check_baseline(spec: BenchSpec, settings: Settings) -> None:
    """Refuse what a backend other than TensorRT does not do; UnsupportedRequest, and what `program_path` raises."""
    title = METERS[spec.backend]
    if checked_id(spec.subject_id)[0] == ArtifactKind.BUILD.value:
        raise UnsupportedRequest(
            f"{spec.subject_id} is an engine, which {title} does not run.",
            remedy="Measure the model or the variant it was built from.",
        )
    if spec.request.cuda_graph:
        raise UnsupportedRequest(f"{title} is not measured with CUDA graphs.", remedy="Leave --cuda-graph out.")
    if spec.request.transfers and spec.backend in ON_HOST:
        raise UnsupportedRequest(
            f"{title} computes in host memory here: there are no copies to include.",
            remedy="Leave the transfers out, or measure on a GPU.",
        )
    if spec.backend in _PYTORCH:
        program_path(settings, spec.program)
    elif spec.program:
        raise UnsupportedRequest(f"{title} runs no PyTorch program.", remedy="Ask for --backend pytorch.")


def compared_program(program: Path, model: Path, feeds: Feeds, runner: Runner) -> Finding:
    """Whether an exported program answers as the model does on one input: a time of another model is no baseline.

    The largest relative L2 over the outputs, in their order, against the model in the reference runner.
    """
    from trt_core.backends.pytorch.meter import program_outputs

    session = runner.load(model)
    wanted, given = session.run(feeds), program_outputs(program, feeds)
    shapes = [tuple(array.shape) for array in wanted], [tuple(array.shape) for array in given]
    if shapes[0] != shapes[1]:
        return _other_model(program, f"its outputs have the shapes {shapes[1]}, the model's {shapes[0]}")
    apart = max((_relative_l2(one, other) for one, other in zip(wanted, given, strict=True)), default=0.0)
    if not apart <= _SAME:
        return _other_model(program, f"its outputs lie {apart:.3g} away from the model's (relative L2)")
    return Finding(
        rule="program-answers-alike",
        severity=Severity.NOTE,
        message=f"On this input {program.name} answers as the model does: relative L2 {apart:.2g} at most.",
        evidence=f"against {session.version} on {session.device}",
    )


def _other_model(program: Path, how: str) -> Finding:
    return Finding(
        rule="program-answers-otherwise",
        severity=Severity.WARNING,
        message=f"{program.name} does not answer as the model does: {how}. Its time is another model's.",
        remedy="Export the program and the ONNX file from one module, with the same weights.",
    )


def _relative_l2(one: Array, other: Array) -> float:
    first, second = one.astype(np.float64), other.astype(np.float64)
    norm = float(np.linalg.norm(first)) or 1.0
    return float(np.linalg.norm(first - second)) / norm
