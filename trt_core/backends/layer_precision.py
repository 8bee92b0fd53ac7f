"""What an engine layer computes in, told from its own record."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from trt_core.domain.engine import EngineTensor
from trt_core.domain.precision import Precision

_FLOATING = (Precision.FP32, Precision.FP16, Precision.BF16)
_MATRIX_KINDS = frozenset(
    {
        "gemm", "correlation", "convolution", "deconv", "caskconvolution", "caskconvactpool", "caskgemmconvolution",
        "caskgemmmatrixmultiply", "caskdeconvolution", "caskdeconvolutionv2", "caskflattenconvolution", "convactpool",
        "cudadepthwiseconvolution", "fullyconnected", "matrixmultiply",
    }
)  # fmt: skip
_CASTING_KINDS = frozenset({"cast", "reformat"})
# A compiler kernel is named by its abbreviated ops: __myl_CastMulFc_myl0_1.
_OPS = re.compile(r"^__myl_(?P<ops>[A-Za-z]+)_")
_MATRIX_OP = re.compile(r"Fc|Corr")


def precision_of_layer(
    *,
    name: str,
    kind: str,
    kernel: str,
    inputs: Sequence[EngineTensor],
    outputs: Sequence[EngineTensor],
    constants: Sequence[EngineTensor] = (),
) -> Precision:
    """The precision that the record of a layer shows.

    The rule, which is ours: a matrix multiplication, convolution or attention kernel computes in the dtype of its
    first operand, so INT8, FP8 and INT4 count only where they are read as an operand. Weights that are stored small
    (constants) and a kernel that dequantizes first (`Cast...Fc`) do not count: the arithmetic is floating. Every other
    layer computes in the floating dtype of its tensors. Where those differ: in that of most of its floating constants;
    without any, in what it reads, unless it begins with a cast, then in what it writes. A layer that only moves
    quantized values counts as their dtype. TF32 cannot be seen in a dtype: it is reported where the tactic's name says
    it, otherwise such a layer is FP32. Layers without floating or quantized tensors are UNKNOWN.
    """
    named = _OPS.match(name)
    ops = named["ops"] if named else ""
    read = [tensor.precision for tensor in inputs]
    written = [tensor.precision for tensor in outputs]
    found = _operand(ops, f"{name} {kernel}", kind.lower(), read)
    if found is None and kind.lower() == "reformat":
        found = next((item for item in written if item.is_quantized), None)
    if found is None:
        casts_first = ops.startswith("Cast") or kind.lower() in _CASTING_KINDS
        found = _floating(read, written, [tensor.precision for tensor in constants], casts_first=casts_first)
    if found is None:
        found = next((item for item in (*written, *read) if item.is_quantized), Precision.UNKNOWN)
    return Precision.TF32 if found is Precision.FP32 and "tf32" in kernel.lower() else found


def _operand(ops: str, names: str, kind: str, read: Sequence[Precision]) -> Precision | None:
    matrix = _MATRIX_OP.search(ops)
    if not read or not (matrix or kind in _MATRIX_KINDS or "gemm_mha" in names):
        return None
    if matrix and "Cast" in ops[: matrix.start()]:
        return None
    return read[0] if read[0].is_quantized or read[0] in _FLOATING else None


def _floating(
    read: Sequence[Precision], written: Sequence[Precision], constants: Sequence[Precision], *, casts_first: bool
) -> Precision | None:
    reads, writes, holds = ([item for item in group if item in _FLOATING] for group in (read, written, constants))
    if holds:
        return Counter(holds).most_common(1)[0][0]
    first, second = (writes, reads) if casts_first else (reads, writes)
    return next(iter([*first, *second]), None)
