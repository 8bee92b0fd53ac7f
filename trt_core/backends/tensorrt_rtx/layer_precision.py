"""What an engine layer computes in, told from its own record."""

from __future__ import annotations

from collections.abc import Sequence

from trt_core.domain.engine import EngineTensor
from trt_core.domain.precision import Precision

_FLOATING = (Precision.FP16, Precision.BF16, Precision.FP32)
_MATRIX_KINDS = frozenset({"gemm", "correlation", "convolution", "deconv"})


def precision_of_layer(
    *, kind: str, kernel: str, inputs: Sequence[EngineTensor], outputs: Sequence[EngineTensor]
) -> Precision:
    """The precision that the record of a layer shows.

    The rule: a matrix multiplication or convolution computes in the dtype of its first operand, so INT8, FP8 and INT4
    count only where they are read as an operand; a kernel that dequantizes first (`Cast...Mul...Fc`) and weights that
    are stored small (constants) do not. Every other layer computes in the floating dtype that it writes, or, where it
    writes none (quantization), in the one that it reads; so a cast counts as what it casts to. A layer that only moves
    quantized values counts as their dtype. TF32 cannot be seen in a dtype: it is reported where the tactic's name says
    it, otherwise such a layer is FP32. Integer and boolean layers are UNKNOWN.
    """
    read = [tensor.precision for tensor in inputs]
    written = [tensor.precision for tensor in outputs]
    found = _matrix_precision(kind, kernel, read) or _first_floating(written) or _first_floating(read)
    if found is None:
        found = next((item for item in (*written, *read) if item.is_quantized), Precision.UNKNOWN)
    return Precision.TF32 if found is Precision.FP32 and "tf32" in kernel.lower() else found


def _matrix_precision(kind: str, kernel: str, read: Sequence[Precision]) -> Precision | None:
    is_attention = "gemm_mha" in kernel
    if not read or not (is_attention or kind.lower() in _MATRIX_KINDS):
        return None
    dequantizes = not is_attention and "Cast" in kernel and "Mul" in kernel
    if read[0].is_quantized and not dequantizes:
        return read[0]
    return read[0] if read[0] in _FLOATING else None


def _first_floating(precisions: Sequence[Precision]) -> Precision | None:
    return next((item for item in precisions if item in _FLOATING), None)
