"""Which files may be compared with a model, told by their inputs and without reading them."""

from __future__ import annotations

from trt_core.domain.artifacts import ModelRecord
from trt_core.domain.requests import DivergeSpec
from trt_core.errors import InvalidInput
from trt_core.services.library import Library

_QUANTIZING = frozenset({"QuantizeLinear", "DequantizeLinear"})
_FEW_BYTES = 3.5  # a parameter: FP32 takes four, and the graph comes on top


def looks_lowered(record: ModelRecord) -> bool:
    """True for a file with Q/DQ pairs, or with too few bytes for parameters in FP32."""
    return bool(_QUANTIZING & record.op_histogram.keys()) or record.size_bytes < _FEW_BYTES * record.parameters


def same_inputs(library: Library, one: str, other: str) -> bool:
    """True where two models of the library have inputs of the same names in the same order."""
    names = [[item.name for item in library.model(model_id).inputs] for model_id in (one, other)]
    return names[0] == names[1]


def check_candidate(library: Library, spec: DivergeSpec) -> None:
    """Raise InvalidInput for a file that cannot be a version of the model."""
    record = library.model(spec.candidate_id)
    if spec.candidate_id == spec.model_id:
        raise InvalidInput("The file to compare is the model itself.", remedy="Name a version of it in low precision.")
    if not same_inputs(library, spec.model_id, spec.candidate_id):
        expected = ", ".join(item.name for item in library.model(spec.model_id).inputs)
        raise InvalidInput(
            f"{record.name!r} has other inputs than the model.",
            remedy=f"Name a version of this model, with the inputs {expected}.",
        )
