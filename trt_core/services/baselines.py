"""What stands beside TensorRT: which request each baseline takes, and on which device it runs."""

from __future__ import annotations

from trt_core.domain.artifacts import ArtifactKind, checked_id
from trt_core.domain.latency import METERS, ON_HOST
from trt_core.domain.requests import BenchSpec
from trt_core.errors import UnsupportedRequest
from trt_core.services.programs import program_path
from trt_core.services.typing_plan import CPU, GPU
from trt_core.settings import Settings

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
