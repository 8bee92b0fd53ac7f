"""Which precisions a backend builds for a GPU architecture, and why not."""

from __future__ import annotations

from trt_core.domain.capabilities import Capabilities
from trt_core.domain.engine import Sm
from trt_core.domain.precision import Precision

# The first architecture whose tensor cores have the format: NVIDIA's CUDA C++ programming guide, arithmetic
# instructions by compute capability; TensorRT-RTX was seen to refuse older targets with "HW-specific datatypes".
_FIRST_TARGET: dict[Precision, Sm] = {
    Precision.TF32: Sm(major=8, minor=0),
    Precision.BF16: Sm(major=8, minor=0),
    Precision.FP8: Sm(major=8, minor=9),
}


def why_not_precision(precision: Precision, capabilities: Capabilities, target: Sm | None) -> str:
    """The reason why this precision cannot be built, with what to do; empty where it can.

    A target of None is the GPU of the machine, of which only the backend knows what it can do.
    """
    name = precision.value.upper()
    if precision not in capabilities.precisions:
        return f"{capabilities.title} does not build {name}."
    first = _FIRST_TARGET.get(precision)
    if first is not None and target is not None and target < first:
        return f"{name} needs {first} or newer; the target is {target}."
    return ""
